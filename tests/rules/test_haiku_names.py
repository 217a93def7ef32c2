"""Every public name of Haiku is known to the engine, has a rule, or has a diagnostic of its own."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Iterator
from types import ModuleType

import haiku as hk
import pytest

from nnx_codemod.codemod.rule import Unsupported
from nnx_codemod.rules import catalogue, subjects

# What the engine itself makes of modules, parameters, keys and transforms.
ENGINE_NAMES = frozenset(
    """
    Module RNNCore ModuleProtocol SupportsCall
    Transformed TransformedWithState MultiTransformed MultiTransformedWithState
    transform transform_with_state multi_transform multi_transform_with_state
    without_apply_rng without_state with_empty_state
    get_parameter get_state set_state running_init transparent to_module
    next_rng_key next_rng_keys maybe_next_rng_key PRNGSequence
    scan map vmap remat grad value_and_grad eval_shape cond switch fori_loop while_loop
    layer_stack BatchApply expand_apply
    experimental.layer_stack experimental.fast_eval_shape
    """.split()
)
# Modules that only hold other names.
HOLDERS = frozenset(("data_structures", "experimental", "initializers", "nets", "typing"))


def _public(module: ModuleType, prefix: str = "") -> Iterator[str]:
    for name in dir(module):
        found = getattr(module, name)
        if name.startswith("_"):
            continue
        if inspect.ismodule(found):
            if found.__name__.startswith("haiku"):
                yield f"{prefix}{name}"
                yield from _public(found, f"{prefix}{name}.")
        elif prefix != "typing." or "haiku" in str(found) or name in ("Params", "State"):
            yield f"{prefix}{name}"


def test_every_public_name_is_known() -> None:
    known = {name for rule in catalogue() for name in subjects(rule)}
    names = set(_public(hk))
    assert {n for n in names if f"haiku.{n}" not in known} - ENGINE_NAMES - HOLDERS == set()


def test_rules_are_about_names_that_exist() -> None:
    """Names that older or newer versions have may stand beside those of this one."""
    names = {f"haiku.{name}" for name in _public(hk)}
    ours = {n for rule in catalogue() if rule.code.startswith("HK") for n in subjects(rule)}
    strange = {name for name in ours - names if not name.startswith("haiku.typing.")}
    assert {name for name in strange if not _is_part_of_a_class(name)} == set()


def _is_part_of_a_class(name: str) -> bool:
    """Whether a name is that of a class within a class of Haiku."""
    outer, _, inner = name.removeprefix("haiku.").rpartition(".")
    try:
        holder = operator.attrgetter(outer)(hk)
    except AttributeError:
        return False
    return isinstance(holder, type) and isinstance(getattr(holder, inner, None), type)


UNSUPPORTED = [
    (name, reason)
    for rule in catalogue()
    if isinstance(rule, Unsupported) and rule.code.startswith("HK")
    for name, reason in rule.names.items()
]


@pytest.mark.parametrize(("name", "reason"), UNSUPPORTED)
def test_each_reason_says_why_and_what_to_do(name: str, reason: tuple[str, str]) -> None:
    why, instead = reason
    assert len(why.split()) > 3
    assert len(instead.split()) > 2
    assert "{" not in why + instead


def test_each_haiku_rule_has_an_example() -> None:
    for rule in catalogue():
        if rule.code.startswith("HK1") and not isinstance(rule, Unsupported):
            assert rule.before
            assert rule.after
            assert rule.before != rule.after
