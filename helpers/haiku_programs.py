"""What takes the place of things that Haiku programs do to whole models."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import haiku as hk
import jax
from flax import nnx

from .haiku import ExponentialMovingAverage
from .linen import in_mode


def initialise_averages(model, *args, **kwargs):
    """Sets the moving averages to the statistics of one input, as the `init` of a transform leaves them in Haiku.

    Nothing else changes: the first training step starts from the same counters as without it.
    """
    trial = nnx.clone(model)
    trial.train()
    trial(*args, **kwargs)
    for (_, module), (_, ran) in zip(nnx.iter_modules(model), nnx.iter_modules(trial), strict=True):
        if isinstance(module, ExponentialMovingAverage) and isinstance(
            ran, ExponentialMovingAverage
        ):
            module.average[...] = ran.average[...]


# ---- bridges -----------------------------------------------------------------------------


class HaikuModule(hk.Module):
    """A module of NNX as one of Haiku: its variables are Haiku's parameters and state.

    `sizes` tells the leading arguments of the constructor from those of the call. `call` runs it as it was run in
    Haiku, by a function that takes its mode, `training`, besides its arguments.
    """

    def __init__(
        self,
        module: Callable[..., nnx.Module],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        sizes: Callable[..., Sequence[int]] | None = None,
        call: Callable[..., Any] | None = None,
        name: str | None = None,
    ):
        super().__init__(name=name or getattr(module, "__name__", "module").lower())
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.sizes = sizes
        self.call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run("__call__", *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if (
            name == "module"
            or name.startswith("_")
            or not callable(getattr(self.module, name, None))
        ):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.run(name, *args, **kwargs)

    def run(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Calls a method of the module that Haiku's parameters and state make."""
        sizes = self.sizes(*args, **kwargs) if self.sizes is not None else ()
        key = hk.maybe_next_rng_key()
        rngs = nnx.Rngs(jax.random.key(0) if key is None else key)
        module = self.module(*sizes, *self.args, **self.kwargs, rngs=rngs)
        state = nnx.state(module, nnx.Not(nnx.RngState))
        for path, variable in nnx.to_flat_state(state):
            get = hk.get_parameter if isinstance(variable, nnx.Param) else hk.get_state
            value = variable.get_value()
            name = ".".join(map(str, path))
            variable.set_value(get(name, value.shape, value.dtype, init=lambda *_, v=value: v))
        nnx.update(module, state)
        if self.call is not None:
            result = self.call(functools.partial(in_mode, module), *args, **kwargs)
        else:
            result = getattr(module, method)(*args, **kwargs)
        for path, variable in nnx.to_flat_state(nnx.state(module, nnx.Not(nnx.RngState))):
            if not isinstance(variable, nnx.Param):
                hk.set_state(".".join(map(str, path)), variable.get_value())
        return result


def haiku_module(
    module: Callable[..., nnx.Module],
    /,
    *args: Any,
    call_sizes: Callable[..., Sequence[int]] | None = None,
    call_as: Callable[..., Any] | None = None,
    name: str | None = None,
    **kwargs: Any,
) -> HaikuModule:
    """A module of NNX where Haiku code makes one of its own."""
    return HaikuModule(module, args, kwargs, call_sizes, call_as, name)
