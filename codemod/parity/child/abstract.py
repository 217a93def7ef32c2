"""Initialises an original on shapes alone: quick, and of any size."""

from __future__ import annotations

import contextlib
import dataclasses
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
    if not isinstance(thing, type) and (values.args or values.kwargs):
        thing, values = _built(thing, values), dataclasses.replace(values, args=[], kwargs={})
    method_of = thing if isinstance(thing, type) else type(thing) if linen else None
    function = thing if method_of is None else getattr(method_of, method)
    constructor = thing if isinstance(thing, type) else None
    names = positional(function, 0 if method_of is None else 1)
    call = Call(values, names, flags(function, constructor, reported))
    watched = _watched(recorder) if intercept is None else _intercepting(intercept)
    (_linen if linen else _haiku)(thing, values, method, call, watched)
    return call


def _built(thing: Any, values: Values) -> Any:
    """What a function hands back for constructor arguments: a model, a transformed pair, or a function that makes layers."""

    def at_once(*args: Any, **kwargs: Any) -> Any:
        return thing(*values.args, **values.kwargs)(*args, **kwargs)

    try:
        made = thing(*values.args, **values.kwargs)
    except ValueError as error:
        if "hk.transform" not in str(error):
            raise
        return at_once  # it makes layers of Haiku itself, which nothing can outside of a transform
    if not callable(made) and not is_transformed(made):
        raise Failure("case", f"it hands back no model: {made!r:.60}")
    return made


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

    if not isinstance(cls, (type, nn.Module)):
        raise Failure("case", "it is no class")
    modes = {flag.name: flag.value("eval") for flag in call.flags if flag.field}
    whole = {**values.kwargs, **modes}
    model: Any = cls(*values.args, **whole) if isinstance(cls, type) else cls
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
        args, kwargs = call.arguments(call.arrays, "train", rewritten=False)
        with watch(hk.intercept_methods):
            jax.eval_shape(lambda: thing.init(jax.random.PRNGKey(0), *args, **kwargs))
        return

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
