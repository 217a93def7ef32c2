"""Functions that hand back a function, as classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from nnx_codemod.codemod.parity.child import handed, parts


def torso(width: int, *, bias: bool = True) -> Callable[..., Any]:
    """What it hands back reads its arguments."""

    def net_fn(inputs: Any, scale: float = 1.0, *rest: Any, training: bool) -> Any:
        batch, time = inputs.shape
        return width, bias, inputs, scale, rest, training, batch, time

    return net_fn


def either(first: bool) -> Callable[..., Any]:
    def one(x: Any) -> Any:
        return x

    def other(x: Any) -> Any:
        return -x

    if first:
        return one
    return other


def plain(x: Any) -> Any:
    def double(y: Any) -> Any:
        return 2 * y

    return double(x)


class Array:
    shape = (2, 3)


def test_a_class_that_is_built_and_called() -> None:
    cls = handed.as_class(torso)
    x = Array()
    assert cls(4, bias=False)(x, training=True) == (4, False, x, 1.0, (), True, 2, 3)
    assert list(inspect.signature(cls).parameters) == ["width", "bias"]
    called = inspect.signature(cls.__call__).parameters
    empty = inspect.Parameter.empty
    assert [name for name, one in called.items() if one.default is empty] == [
        *("self", "inputs", "rest", "training"),
    ]
    assert called["training"].kind is inspect.Parameter.KEYWORD_ONLY
    assert parts.ranks(parts.source(cls.__call__)) == {"inputs": 2}


@pytest.mark.parametrize("thing", [either, plain, Array, len, 3])
def test_anything_else_is_as_it_was(thing: Any) -> None:
    assert handed.as_class(thing) is thing
