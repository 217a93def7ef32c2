"""Initialises an original on shapes alone: quick, and of any size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from . import originals
from .calls import Call, positional
from .case import Values
from .failure import Failure
from .modes import flags
from .recording import Recorder


def init(
    thing: Any,
    values: Values,
    method: str,
    reported: dict[str, Any],
    linen: bool,
    recorder: Recorder | None = None,
    intercept: Callable[..., Any] | None = None,
) -> Call:
    """Runs the initialisation of a module or function under `jax.eval_shape`; raises what it raises.

    `intercept` sees each call of a method of a module, as `intercept_methods` has it.
    """
    function = getattr(thing, method) if isinstance(thing, type) else thing
    constructor = thing if isinstance(thing, type) else None
    names = positional(function, 1 if constructor is not None else 0)
    call = Call(values, names, flags(function, constructor, reported))
    watched = _watched(recorder) if intercept is None else _intercepting(intercept)
    (_linen if linen else _haiku)(thing, values, method, call, watched)
    return call


def is_transformed(thing: Any) -> bool:
    """Whether this is a pair of functions that `hk.transform` made."""
    return hasattr(thing, "init") and hasattr(thing, "apply") and not isinstance(thing, type)


Watch = Callable[[Callable[..., Any]], contextlib.AbstractContextManager[Any]]


def _watched(recorder: Recorder | None) -> Watch:
    """With a framework's `intercept_methods`, a context in which the recorder records."""

    @contextlib.contextmanager
    def watch(intercepting: Callable[..., Any]) -> Iterator[None]:
        if recorder is None:
            yield
            return
        with recorder.running(), intercepting(recorder.intercept):
            yield

    return watch


def _intercepting(intercept: Callable[..., Any]) -> Watch:
    def watch(intercepting: Callable[..., Any]) -> contextlib.AbstractContextManager[Any]:
        made: contextlib.AbstractContextManager[Any] = intercepting(intercept)
        return made

    return watch


def _linen(cls: Any, values: Values, method: str, call: Call, watch: Watch) -> None:
    import jax
    from flax import linen as nn

    if not isinstance(cls, type):
        raise Failure("case", "it is no class")
    modes = {flag.name: flag.value("eval") for flag in call.flags if flag.field}
    model = cls(*values.args, **{**values.kwargs, **modes})
    how = {} if method == "__call__" else {"method": method}

    def init(arrays: list[Any]) -> Any:
        args, kwargs = call.arguments(arrays, "eval", rewritten=False)
        rngs = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
        with watch(nn.intercept_methods):
            return jax.tree_util.tree_leaves(model.init(rngs, *args, **kwargs, **how))

    _on_shapes(init, call.arrays)


def _haiku(thing: Any, values: Values, method: str, call: Call, watch: Watch) -> None:
    import haiku as hk
    import jax

    modes = {flag.name: flag.value("train") for flag in call.flags if flag.field}
    if is_transformed(thing):
        raise Failure("case", "it is transformed already")

    def forward(arrays: list[Any]) -> Any:
        args, kwargs = call.arguments(arrays, "train", rewritten=False)
        with watch(hk.intercept_methods):
            if not isinstance(thing, type):
                return originals.no_layer(thing(*args, **kwargs))
            module = thing(*values.args, **{**values.kwargs, **modes})
            return getattr(module, method)(*args, **kwargs)

    transformed = hk.transform_with_state(forward)
    _on_shapes(lambda arrays: transformed.init(jax.random.PRNGKey(0), arrays), call.arrays)


def _on_shapes(function: Callable[[list[Any]], Any], arrays: list[Any]) -> None:
    """Runs a function on shapes alone; on the arrays themselves, where it asks for the numbers of one that it makes."""
    import jax

    try:
        jax.eval_shape(function, arrays)
    except jax.errors.ConcretizationTypeError:
        function(arrays)
