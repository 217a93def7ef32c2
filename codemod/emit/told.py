"""Arguments that only some uses of a layer need: `in_kv_features` where keys have a width of their own."""

from __future__ import annotations

from ..model.sites import Site
from ..rule import Layer, Use
from ..shapes.calls import use_of
from ..shapes.dims import Dim, same
from ..shapes.interpreter import Interpreter
from ..shapes.values import LayerObject, Shape
from .transport import CannotMove, Transport

_Told = Dim | Shape | str | None


def told(interp: Interpreter, transport: Transport, site: Site, rule: Layer) -> dict[str, str]:
    """The text of each argument that the calls of a site's layer ask for."""
    found: dict[str, str] = {}
    for name, tell in rule.told.items():
        answers: list[_Told] = []
        for used in site.uses:
            if used.method != "__call__":
                continue
            assert isinstance(used.target, LayerObject)
            use = use_of(interp, rule, used.target.arguments, used.args, used.kwargs)
            answers.append(tell(use))
        if any(isinstance(answer, str) for answer in answers):
            # A function that some calls need, for half precision, does what is usual for the others.
            answers = [answer for answer in answers if answer is not None]
        if any(not _agree(transport, answers[0], other) for other in answers[1:]):
            raise CannotMove(
                site.node,
                f"the calls of this `{rule.source.rsplit('.', 1)[-1]}` differ in `{name}`",
                "one layer cannot have both; check the calls",
            )
        if answers and answers[0] is not None:
            found[name] = _text(transport, site, answers[0])
    return found


def is_text(rule: Layer, name: str, use: Use) -> bool:
    """Whether an argument is told as a text, such as the name of a function, and not as a size."""
    return isinstance(rule.told[name](use), str)


def _agree(transport: Transport, one: _Told, other: _Told) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(
            _agree(transport, a, b) for a, b in zip(one, other, strict=True)
        )
    if (
        one is None
        or other is None
        or isinstance(one, str | tuple)
        or isinstance(other, str | tuple)
    ):
        return one == other
    return same(transport.symbols.resolve(one), transport.symbols.resolve(other))


def _text(transport: Transport, site: Site, answer: _Told) -> str:
    if isinstance(answer, str):
        return answer
    if isinstance(answer, tuple):
        parts = [transport.size(dim, site.node) for dim in answer]
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    return transport.size(answer, site.node)
