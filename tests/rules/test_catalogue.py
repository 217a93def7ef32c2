"""The catalogue as a whole: one rule for one thing, and no public name of Linen without an answer."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import flax.linen as nn
import pytest

from nnx_codemod import rules
from nnx_codemod.codemod.rule import Call, Layer, Refuse, Renames, Rule, Unsupported
from nnx_codemod.codemod.rulebook import Rulebook

# What the engine itself rewrites or diagnoses: modules, their methods, and the programs around them.
ENGINE_NAMES = (
    "Module",
    "Variable",
    "broadcast",
    "checkpoint",
    "compact",
    "jit",
    "merge_param",
    "nowrap",
    "remat",
    "scan",
    "vmap",
)


def _named_rules() -> Iterator[tuple[str, Rule]]:
    for rule in rules.catalogue():
        for name in rules.subjects(rule):
            yield name, rule


def test_every_public_name_of_linen_has_an_answer() -> None:
    known = {name for name, _ in _named_rules()} | {f"flax.linen.{name}" for name in ENGINE_NAMES}
    public = {
        f"flax.linen.{name}"
        for name, value in vars(nn).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public - known == set()


def test_every_name_of_the_engine_exists() -> None:
    for name in ENGINE_NAMES:
        assert hasattr(nn, name)


def test_codes_and_names_are_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = rules.catalogue()
    for module in (
        _module(first),
        _module(Unsupported(code="LN999", summary="", names=_same_name(first))),
    ):
        monkeypatch.setattr(rules, "_modules", lambda module=module: iter((_module(first), module)))
        rules.catalogue.cache_clear()
        with pytest.raises(ValueError, match=first.code):
            rules.catalogue()
    monkeypatch.undo()
    rules.catalogue.cache_clear()


def _module(*found: Rule) -> Any:
    module = ModuleType("trial")
    module.RULES = found  # type: ignore[attr-defined]
    return module


def _same_name(rule: Rule) -> dict[str, tuple[str, str]]:
    return {rules.subjects(rule)[0]: ("", "")}


@pytest.mark.parametrize("rule", rules.catalogue(), ids=lambda rule: rule.code)
def test_every_rule_explains_itself(rule: Rule) -> None:
    assert rule.summary
    assert rules.documentation(rule.code)
    if not isinstance(rule, Unsupported):
        assert rule.before
        assert rule.after
        compile(rule.before, rule.code, "exec")
        compile(rule.after, rule.code, "exec")


def test_no_documentation_of_an_unknown_code() -> None:
    with pytest.raises(KeyError):
        rules.documentation("LN000")


@pytest.mark.parametrize(
    "rule",
    [r for r in rules.catalogue() if isinstance(r, Layer) and r.source.startswith("flax.linen.")],
    ids=lambda rule: rule.source,
)
def test_signatures_are_those_of_linen(rule: Layer) -> None:
    source = getattr(nn, rule.source.rpartition(".")[2])
    parameters = inspect.signature(source).parameters
    assert [*rule.signature, "parent", "name"] == [*parameters]
    for name in (*rule.arguments, *rule.defaults):
        assert name in parameters
    for name, default in rule.defaults.items():
        if isinstance(rule.arguments.get(name), Refuse) and default is not None:
            assert default == parameters[name].default


@pytest.mark.parametrize(
    "rule",
    [r for r in rules.catalogue() if isinstance(r, Layer) and r.source.startswith("flax.linen.")],
    ids=lambda rule: rule.source,
)
def test_calls_are_those_of_linen(rule: Layer) -> None:
    source = getattr(nn, rule.source.rpartition(".")[2])
    parameters = [*inspect.signature(source.__call__).parameters.values()][1:]
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return  # a layer that hands everything on
    known = [*rule.inputs] if rule.source != "flax.linen.SelfAttention" else names
    assert known == names
    for name in rule.call:
        assert name in rule.inputs


@pytest.mark.parametrize(
    ("name", "rule"), [(n, r) for n, r in _named_rules() if isinstance(r, Unsupported)]
)
def test_unsupported_names_say_why_and_what_to_do(name: str, rule: Unsupported) -> None:
    why, help = rule.names[name]
    assert why
    assert help
    book = Rulebook([rule])
    assert book.unsupported(name) == (why, help)


def test_targets_exist() -> None:
    """What a rule writes is there in today's NNX, or among the helpers."""
    import builtins
    from functools import reduce

    import flax
    import flax.nnx  # a part that the package does not import by itself
    import jax

    from nnx_codemod.codemod.emit.helpers import helper_names

    roots = {"flax": flax, "jax": jax}
    for rule in rules.catalogue():
        targets = (
            [*rule.names.values()]
            if isinstance(rule, Renames)
            else [rule.target]
            if isinstance(rule, Layer | Call)
            else []
        )
        for target in filter(None, targets):
            if "." not in target:
                assert target in helper_names() or hasattr(builtins, target), target
                continue
            root, *rest = target.split(".")
            if root in roots:
                assert reduce(getattr, rest, roots[root]) is not None


def test_rules_load_without_jax() -> None:
    """`--help` and `rules` stay quick."""
    program = (
        "import sys; from nnx_codemod.rules import catalogue; catalogue(); "
        "assert not {'jax', 'flax', 'haiku'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
