"""Names the sizes that a constructor needs: `in_features`, `in_height`, `context_features`, running variables."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..model import composites
from ..model.module import AddedParameter
from ..model.study import Study
from ..shapes import classes
from ..shapes.dims import (
    Choice,
    ChosenAxis,
    Expression,
    InputAxis,
    InputPart,
    InputSize,
    Listed,
    Origin,
    Output,
    Running,
    Seen,
    Symbols,
    names,
)
from ..shapes.values import Array, LayerObject, ShapePart, as_dim
from . import size_lists
from .transport import Needs

_Needed = InputAxis | InputPart | Seen
_SPATIAL = {3: ("length",), 4: ("height", "width"), 5: ("depth", "height", "width")}


class SizeNames:
    """The text of each symbol in the constructor of one class."""

    def __init__(
        self,
        symbols: Symbols,
        study: Study,
        needs: Mapping[str, Origin] | None = None,
        draft: bool = False,
        apart: Collection[str] = (),
    ) -> None:
        """`apart` are names of input sizes that no running size may take over."""
        self.symbols = symbols
        self.study = study
        self.draft = draft
        self.needed: dict[str, _Needed] = {}
        self._running: dict[str, str] = {}
        self._reached: set[str] = set()
        self.apart = apart
        self.overwritten: set[str] = set()  # names that a loop has begun to change
        self.clashes: set[str] = set()  # of these, those of input sizes that were asked for later
        self._chosen: dict[
            str, ChosenAxis
        ] = {}  # by the symbol of the same axis, plainly asked for
        self._plain: dict[str, str] = {}
        if needs is not None:
            self._collect(needs)
            self._unite_chosen()
            self._named = self._name_inputs()
            self._name_running(needs)

    # ---- which -----------------------------------------------------------------------------------------

    def _collect(self, needs: Mapping[str, Origin]) -> None:
        pending = dict(needs)
        seen = self._reached
        while pending:
            name, origin = pending.popitem()
            if name in seen:
                continue
            seen.add(name)
            if isinstance(origin, _Needed):
                self.needed[name] = origin
            for dim in self._behind(name, origin):
                pending.update(self.symbols.origins_of(dim))

    def _unite_chosen(self) -> None:
        """An axis that arguments choose is the one that is asked for plainly, where it is that by default."""
        plain = {
            (o.method, o.path, o.axis): name
            for name, o in self.needed.items()
            if type(o) is InputAxis
        }
        for name, origin in list(self.needed.items()):
            if isinstance(origin, ChosenAxis):
                twin = plain.get((origin.method, origin.path, origin.axis))
                if twin is not None:
                    self._plain[name], self._chosen[twin] = twin, origin
                    del self.needed[name]

    def _behind(self, name: str, origin: Origin) -> list[object]:
        facts = self.study.facts
        if isinstance(origin, Running) and name in facts.running:
            return [facts.running[name].initial, facts.running[name].update]
        if isinstance(origin, Choice) and name in facts.choices:
            return list(facts.choices[name])
        return []

    # ---- names -----------------------------------------------------------------------------------------

    def _ordered(self) -> list[tuple[str, _Needed]]:
        """In the order of the arguments, and of the axes of each; what has none of these comes last."""
        parameters = [p for method in self.study.arguments.values() for p in method]

        def key(item: tuple[str, _Needed]) -> tuple[int, int, str, int]:
            origin = item[1]
            if isinstance(origin, Seen):
                return 99, len(parameters), origin.word, -1
            root = _root(origin.path)
            methods = list(self.study.arguments)
            place = parameters.index(root) if root in parameters else len(parameters)
            return (
                methods.index(origin.method) if origin.method in methods else 99,
                place,
                origin.path,
                origin.axis if isinstance(origin, InputAxis) else -1,
            )

        return sorted(self.needed.items(), key=key)

    def _word(self, origin: InputAxis | InputPart) -> str:
        """An argument, or a part of one, as one word: what the method calls it where it gives each part a name."""
        method = classes.method(self.study.cls, origin.method)
        return composites.unpacked_name(method, origin.path) or _word(origin.path)

    def _name_inputs(self) -> dict[str, str]:
        ordered = self._ordered()
        inputs = [(n, o) for n, o in ordered if not isinstance(o, Seen)]
        required = [(name, origin) for name, origin in inputs if not self._is_optional(origin)]
        features = [name for name, origin in required if _is_last(origin)]
        paths = list(dict.fromkeys(origin.path for _, origin in required))
        taken = set(self._field_names())
        channels = self._channels()
        found: dict[str, str] = {}
        for name, origin in inputs:
            lone = len(features) <= 1 and len(paths) == 1 and not self._is_optional(origin)
            word = self._word(origin)
            text = self._local_name(name) if not _is_last(origin) else None
            if name in channels:
                text = f"{'in' if len(paths) == 1 else word}_channels"
            text = text or _descriptive(origin, "in" if lone else word, self.study.alone)
            while text in taken or text in found.values():
                text = f"{word}_{text}" if not text.startswith(word) else f"{text}_"
            found[name] = text
        for name, seen in ordered:
            if isinstance(seen, Seen):
                text = seen.word
                while text in taken or text in found.values():
                    text = f"inner_{text}"
                found[name] = text
        return found

    def _channels(self) -> set[str]:
        """The sizes that layers have for the number of their channels, not on the last axis."""
        uses = [use for uses in self.study.facts.uses_of.values() for use in uses]
        return {
            symbol
            for use in uses
            if isinstance(use.target, LayerObject) and use.target.rule.around
            for value in use.args[:1]
            if isinstance(value, Array) and value.shape is not None and len(value.shape) > 2
            for symbol in names(self.symbols.resolve(value.shape[1]))
        }

    def _field_names(self) -> list[str]:
        return [*self.study.root.arguments, *self.study.root.attributes]

    def _local_name(self, symbol: str) -> str | None:
        """The source's own word for an axis: `_, seq_len = tokens.shape`."""
        for node, values in self.study.facts.values.items():
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id != "_":
                last = values[-1]
                dim = last.symbol if isinstance(last, ShapePart) else as_dim(last)
                if dim is not None and str(dim) == symbol and len(node.id) > 1:
                    return node.id
        return None

    def _name_running(self, needs: Mapping[str, Origin]) -> None:
        """A running size takes over the name of the input size that it starts from, where that is free by then."""
        facts = self.study.facts
        taken: dict[ast.AST, set[str]] = {}
        for symbol, fact in facts.running.items():
            origin = self.symbols.origins.get(symbol)
            if not isinstance(origin, Running):
                continue
            base = {-1: "in_features"}.get(fact.axis) or f"{_word(fact.name)}_size"
            if self._base_is_input(fact.initial):
                base = self._base_text(fact.initial) or base
            if base in self.apart:
                base = self._apart_name(base)
            if symbol in self._reached:
                while base in taken.setdefault(fact.loop, set()):
                    base += "2"
                taken[fact.loop].add(base)
            self._running[symbol] = base

    def _apart_name(self, text: str) -> str:
        name = text.removeprefix("in_")
        words = {n.id for n in ast.walk(self.study.root.cls.node) if isinstance(n, ast.Name)}
        taken = {*self._field_names(), *self._named.values(), *words}
        while name in taken:
            name = f"running_{name}"
        return name

    def _base_is_input(self, dim: object) -> bool:
        return isinstance(self.symbols.origin(dim), InputAxis)

    def _base_text(self, dim: object) -> str | None:
        for name in names(self.symbols.resolve(dim)):
            if name in self._named:
                return self._named[name]
        return None

    # ---- answers -----------------------------------------------------------------------------------------

    def running(self, symbol: str) -> str:
        """The name of a running variable."""
        return self._running.get(symbol, symbol)

    def text(self, choice: Callable[[Origin, str], str | None]) -> Callable[[str, Origin], str]:
        """How `Transport` writes a symbol."""

        def write(name: str, origin: Origin) -> str:
            match origin:
                case InputAxis() | InputPart() | Seen():
                    known = self._plain.get(name, name)
                    text = name if self.draft else self._named.get(known, known)
                    if text in self.overwritten:
                        self.clashes.add(text)
                    return text
                case Expression(text=text):
                    return text
                case Running():
                    return self.running(name)
                case Listed():
                    return size_lists.text_of(origin)
                case Choice() | Output():
                    return choice(origin, name) or name
            return name

        return write

    def parameters(self) -> list[AddedParameter]:
        """The constructor's new parameters."""
        added = []
        for name, origin in self._ordered():
            if isinstance(origin, Seen):
                added.append(_seen(self._named[name], origin))
                continue
            optional = self._is_optional(origin)
            if isinstance(origin, InputPart):
                part = AddedParameter(self._named[name], origin.text, origin.method)
                added.append(dataclasses.replace(part, annotation="tuple[int, ...]"))
                continue
            added.append(
                AddedParameter(
                    self._named[name],
                    _source(origin),
                    origin.method,
                    keyword_only=optional,
                    optional=optional,
                    **self._condition(name, origin),
                )
            )
        return added

    def _condition(self, name: str, origin: Origin) -> dict[str, Any]:
        """On what it depends that a size is the right one."""
        chosen = self._chosen.get(name, origin)
        if not isinstance(chosen, ChosenAxis):
            return {}
        return {"fields": chosen.fields, "index": (chosen.default, chosen.index)}

    def _is_optional(self, origin: InputAxis | InputPart) -> bool:
        value = self.study.arguments.get(origin.method, {}).get(_root(origin.path))
        return isinstance(value, Array) and value.optional


def _seen(name: str, origin: Seen) -> AddedParameter:
    """The parameter for a size that runs showed: its expression is the table of what they did."""
    lone = len(origin.keys) == 1
    rows = ", ".join(f"{k[0] if lone else k!r}: {size}" for k, size in origin.rows)
    source = f"{{{rows}}}[{', '.join(origin.keys)}]"
    return AddedParameter(name, source, origin.method, rows=origin.rows, keys=origin.keys)


def _root(path: str) -> str:
    return path.split(".")[0].split("[")[0]


def _word(path: str) -> str:
    """A path as one word: `batch['image']` is image, `x[0]` is x_0."""
    parts = [part.strip("'\"] ") for part in path.replace(".", "[").split("[")]
    last = parts[-1]
    word = f"{parts[0]}_{last}" if last.isdigit() else last
    return word if word.isidentifier() else parts[0]


def _is_last(origin: InputAxis | InputPart) -> bool:
    if isinstance(origin, InputPart):
        return False
    return isinstance(origin, InputSize) or origin.axis == origin.rank - 1


def _source(origin: InputAxis) -> str:
    """The size as a Python expression over the arguments of the call."""
    if isinstance(origin, InputSize):
        index = f"[{', '.join('0' * origin.axis)}]" if origin.axis else ""
        return f"{origin.path}{index}.size"
    # Of a part of an argument, methods may differ in how many axes are before those that layers see.
    from_end = _is_last(origin) or (origin.axis > 0 and not origin.path.isidentifier())
    axis = origin.axis - origin.rank if from_end else origin.axis
    return f"{origin.path}.shape[{axis}]"


def merged_inputs(symbols: Symbols, study: Study, needs: Needs) -> dict[str, Origin]:
    """The symbols that the constructor needs, with one for all axes of an input that it flattens.

    Such a size, `x[0].size`, is right for inputs of any rank. The axes are bound to it in `symbols`.
    """
    facts = study.facts
    dims = [*needs.sizes]
    for fact in facts.running.values():
        dims += [fact.initial, fact.update]
    dims += [dim for choice in facts.choices.values() for dim in choice]
    inputs: dict[tuple[str, str, int], dict[int, str]] = {}
    for name, origin in _behind_running(symbols, study, needs).items():
        if type(origin) is InputAxis:
            inputs.setdefault((origin.method, origin.path, origin.rank), {})[origin.axis] = name
    for (method, path, rank), axes in inputs.items():
        first = min(axes)
        flat = rank == 1 and path in study.guessed and _is_flattened(study, path)
        if (len(axes) > 1 and sorted(axes) == list(range(first, rank))) or flat:
            symbols.merge(
                [axes[axis] for axis in sorted(axes)], InputSize(method, path, first, rank), dims
            )
    return {
        name: origin
        for size in map(symbols.resolve, needs.sizes)
        for name, origin in symbols.origins_of(size).items()
    } | {n: o for n, o in needs.symbols.items() if not isinstance(o, InputAxis)}


def _is_flattened(study: Study, parameter: str) -> bool:
    """Whether `__call__` makes a vector of an input, `x.reshape(-1)`: it may have had more axes."""
    entry = classes.method(study.cls, "__call__")
    for node in ast.walk(entry.node) if entry is not None else ():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=args) if (
                name == parameter
            ):
                if attr in ("ravel", "flatten") or (
                    attr == "reshape" and [ast.unparse(a) for a in args] in (["-1"], ["(-1,)"])
                ):
                    return True
    return False


def _behind_running(symbols: Symbols, study: Study, needs: Needs) -> dict[str, Origin]:
    """The symbols that the constructor needs, with those that the running ones among them start from."""
    found = dict(needs.symbols)
    for name in needs.symbols:
        if name in study.facts.running:
            found.update(symbols.origins_of(study.facts.running[name].initial))
    return found


def _descriptive(origin: InputAxis | InputPart, prefix: str, alone: bool) -> str:
    """A size's name; `alone` says that there is no axis for a batch."""
    if isinstance(origin, InputPart):
        return f"{prefix}_shape"
    if _is_last(origin):
        return f"{prefix}_features"
    words = _SPATIAL.get(origin.rank + alone, ())
    place = origin.axis + alone - 1
    if 0 <= place < len(words):
        return f"{prefix}_{words[place]}"
    return f"{prefix}_batch" if origin.axis == 0 else f"{prefix}_size{origin.axis}"
