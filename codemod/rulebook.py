"""The rules by the names that they are about, and what the frameworks' names are."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from .rule import Call, Layer, Renames, Rule, Unsupported

# Where today's frameworks define what they export under shorter names.
_CANONICAL = (
    (
        re.compile(
            r"^flax\.linen\.(module|linear|normalization|attention|recurrent|stochastic|combinators)\."
        ),
        "flax.linen.",
    ),
    (re.compile(r"^flax\.linen\.(pooling|activation)\."), "flax.linen."),
    (re.compile(r"^flax\.linen\.(transforms|spmd)\."), "flax.linen."),
    (re.compile(r"^jax\.nn\.initializers\."), "flax.linen.initializers."),
    (re.compile(r"^haiku\._src\.\w+\."), "haiku."),
    (
        re.compile(r"^flax\.training\.train_state\.TrainState$"),
        "flax.training.train_state.TrainState",
    ),
    (
        re.compile(r"^jax\.(?:tree_util\.)?tree_(map|leaves|flatten|unflatten|structure)$"),
        r"jax.tree.\1",
    ),
    (re.compile(r"^jax\.experimental\.maps\."), "jax.maps."),
)
_FRAMEWORKS = ("flax.linen", "haiku")
LIBRARIES = frozenset(
    ("jax", "flax", "haiku", "optax", "numpy", "einops", "chex", "math", "functools", "typing")
)


class Rulebook:
    """Rules indexed by qualified name; `select` and `ignore` are rule codes or prefixes of codes."""

    def __init__(
        self, rules: Iterable[Rule], select: Iterable[str] = (), ignore: Iterable[str] = ()
    ) -> None:
        chosen = [rule for rule in rules if _chosen(rule.code, tuple(select), tuple(ignore))]
        self.rules = {rule.code: rule for rule in chosen}
        self._layers = {rule.source: rule for rule in chosen if isinstance(rule, Layer)}
        self._calls = {rule.source: rule for rule in chosen if isinstance(rule, Call)}
        self._renames = {
            name: (target, rule)
            for rule in chosen
            if isinstance(rule, Renames)
            for name, target in rule.names.items()
        }
        self._unsupported = {
            name: (why, rule)
            for rule in chosen
            if isinstance(rule, Unsupported)
            for name, why in rule.names.items()
        }

    def layer(self, name: str) -> Layer | None:
        return self._layers.get(name)

    def layer_class(self, name: str) -> Layer | None:
        """The rule for a layer whose class is handed on; None for what makes and applies a layer in one."""
        rule = self._layers.get(name)
        return None if rule is None or rule.inline else rule.handed or rule

    def call(self, name: str) -> Call | None:
        return self._calls.get(name)

    def rename(self, name: str) -> str | None:
        found = self._renames.get(name)
        return found[0] if found else None

    def is_of_programs(self, name: str) -> bool:
        """Whether a name that a rule renames is the type of something that only the framework's programs hold."""
        found = self._renames.get(name)
        return found is not None and found[1].of_programs

    def unsupported(self, name: str) -> tuple[str, str] | None:
        """Why a name has no counterpart and what to do, if a rule says so."""
        found = self._unsupported.get(name)
        return found[0] if found else None

    def code(self, name: str) -> str | None:
        """The code of the rule about a qualified name."""
        for table in (self._layers, self._calls):
            if name in table:
                return table[name].code
        for pairs in (self._renames, self._unsupported):
            if name in pairs:
                return pairs[name][1].code
        return None

    @staticmethod
    def canonical(name: str) -> str:
        """The one name under which rules know what the libraries export under several."""
        return canonical(name)

    @staticmethod
    def is_framework(name: str) -> bool:
        """Whether a qualified name belongs to Linen or Haiku."""
        return any(name == f or name.startswith(f + ".") for f in _FRAMEWORKS)

    @staticmethod
    def is_library(name: str) -> bool:
        return name.split(".")[0] in LIBRARIES

    @staticmethod
    def public_names(module: str) -> list[str]:
        """What `from module import *` binds, for a framework."""
        return public_names(module)


def _chosen(code: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    return (not select or code.startswith(select)) and not (ignore and code.startswith(ignore))


@functools.cache
def canonical(name: str) -> str:
    for pattern, replacement in _CANONICAL:
        name = pattern.sub(replacement, name)
    return name


@functools.cache
def public_names(module: str) -> list[str]:
    import importlib

    found = importlib.import_module(module)
    return list(
        getattr(found, "__all__", [name for name in dir(found) if not name.startswith("_")])
    )
