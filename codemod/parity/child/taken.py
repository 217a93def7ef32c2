"""What is compiled of a function whose branches its own weights decide: XLA counts the dearer branch of each, whichever runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .compiled import Compiled, quickly


def compiled(function: Compiled, arguments: tuple[Any, ...]) -> Any:
    """A compiled function with the branches alone that it takes for these arguments, where they tell."""
    import jax

    if " conditional(" not in function.compiled.as_text():
        return function.compiled
    choices: list[bool | None] = []

    def note(told: bool | None) -> None:
        choices.append(told)

    try:
        with _conds(note):
            function.plain(*arguments)
    except Exception:  # the user's code, which may need to be traced
        return function.compiled
    if not any(told is not None for told in choices):
        return function.compiled
    rest = iter(choices)
    with _conds(lambda told: next(rest, None)):
        lowered = jax.jit(lambda *given: function.plain(*given)).lower(*arguments)
        return lowered.compile(compiler_options=quickly(0))


@contextmanager
def _conds(choose: Callable[[bool | None], bool | None]) -> Iterator[None]:
    """Within it, `choose` is given what each condition comes to, None under a transform, and may say which branch runs."""
    import jax

    lax: Any = jax.lax
    cond = lax.cond

    def chosen(condition: Any, *rest: Any, **named: Any) -> Any:
        choice = choose(None if isinstance(condition, jax.core.Tracer) else bool(condition))
        if choice is None or named or len(rest) < 2:
            return cond(condition, *rest, **named)
        return rest[0 if choice else 1](*rest[2:])

    lax.cond = chosen
    try:
        yield
    finally:
        lax.cond = cond
