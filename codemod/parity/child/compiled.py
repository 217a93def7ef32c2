"""Functions that are compiled as a whole where they can be, with little effort: they run a few times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .subject import Subject


class Compiled:
    """A function that is compiled at its first call; one that cannot be traced runs as it is."""

    def __init__(self, function: Callable[..., Any], effort: int) -> None:
        self.plain = function
        self._effort = effort
        self.compiled: Any = None
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        import jax

        if self.compiled is None:
            start = time.perf_counter()
            try:
                self.compiled = self._compile(arguments)
            except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):
                self.compiled = self.plain
            self.seconds = time.perf_counter() - start
        try:
            return self.compiled(*arguments)
        except TypeError:  # other shapes or dtypes than it was compiled for
            return jax.jit(self.plain)(*arguments)

    def _compile(self, arguments: tuple[Any, ...]) -> Any:
        import jax

        lowered = jax.jit(self.plain).lower(*arguments)
        return lowered.compile(compiler_options=quickly(self._effort))

    @property
    def traced(self) -> bool:
        return self.compiled is not None and self.compiled is not self.plain


def forward(subject: Subject) -> Compiled:
    """The pass of a subject in eval mode."""
    return Compiled(lambda p, s, x: subject.apply(p, s, x, "eval"), effort=0)


def at_once(function: Callable[[Any], Any], argument: Any) -> Any:
    """The result of a function, compiled as a whole: an initialisation then works out nothing that no variable needs.

    One that cannot be compiled runs step by step.
    """
    import jax

    try:
        return jax.jit(function, compiler_options=quickly(0))(argument)
    except Exception:  # the user's code, which may ask for numbers in any way
        return function(argument)


def quickly(effort: int) -> dict[str, Any] | None:
    """Compiler options for functions that run a few times: compiling them takes longer than running them.

    They concern the machine's code alone; XLA's own passes, whose costs are counted, all run.
    """
    import jax

    return {"xla_backend_optimization_level": effort} if jax.default_backend() == "cpu" else None
