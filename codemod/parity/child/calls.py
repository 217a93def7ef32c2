"""A case's inputs, taken apart into the arrays that are traced and the rest, and put together again for a mode."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .case import Values
from .modes import Flag


@dataclass
class Call:
    """The arguments of the call of one case.

    `names` are the positional parameters of the original's method, without `self`.
    """

    values: Values
    names: list[str]
    flags: Sequence[Flag]
    moved: frozenset[str] = frozenset()  # arguments that the rewrite takes in its constructor

    def __post_init__(self) -> None:
        import jax

        leaves, self._tree = jax.tree_util.tree_flatten((self.values.inputs, self.values.call))
        self._traced = [_is_array(leaf) for leaf in leaves]
        self._static = leaves
        self.arrays = [leaf for leaf, traced in zip(leaves, self._traced, strict=True) if traced]

    def given(self, name: str) -> Any:
        """The argument of this name; raises KeyError."""
        position = self.names.index(name) if name in self.names else len(self.values.inputs)
        if position < len(self.values.inputs):
            return self.values.inputs[position]
        return self.values.call[name]

    def arguments(
        self, arrays: Sequence[Any], mode: str, rewritten: bool
    ) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments with these arrays in their places, flags set for the mode."""
        import jax

        given = iter(arrays)
        leaves = [
            next(given) if traced else leaf
            for leaf, traced in zip(self._static, self._traced, strict=True)
        ]
        inputs, call = jax.tree_util.tree_unflatten(self._tree, leaves)
        inputs, call = list(inputs), dict(call)
        for flag in self.flags:
            _set(flag, mode, inputs, call, self.names, rewritten)
        gone = {f.name for f in self.flags if f.dropped and not f.field} | self.moved
        gone = gone if rewritten else set()
        kept = [
            value
            for position, value in enumerate(inputs)
            if position >= len(self.names) or self.names[position] not in gone
        ]
        return kept, {name: value for name, value in call.items() if name not in gone}


def _set(
    flag: Flag,
    mode: str,
    inputs: list[Any],
    call: dict[str, Any],
    names: list[str],
    rewritten: bool,
) -> None:
    if flag.field or (rewritten and flag.dropped):
        return
    position = names.index(flag.name) if flag.name in names else len(inputs)
    if position < len(inputs):
        inputs[position] = flag.value(mode)
    else:
        call[flag.name] = flag.value(mode)


def _is_array(leaf: Any) -> bool:
    import jax
    import numpy as np

    return isinstance(leaf, (np.ndarray, np.generic, jax.Array))


def positional(function: Callable[..., Any], skip: int) -> list[str]:
    """The names of a function's positional parameters after the first `skip`."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in kinds][skip:]
