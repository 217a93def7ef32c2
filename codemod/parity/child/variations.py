"""What a case's numbers can be varied: fields of the constructor, settings in them, axes of its inputs."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .calls import positional
from .case import Values

_SETTINGS = 30  # of one object
_SIZES = ("size", "features", "dim", "channel", "width", "unit", "hidden", "heads", "depth")


@dataclass(frozen=True)
class Variable:
    """One number of a case.

    `kind` is "field" (`text` writes it in the constructor), "item" (of a sequence that is one), "axis" (of the array at
    `text`), or "other": something that is varied to see whether sizes depend on it, and "fixed" if it cannot be.
    """

    kind: str
    text: str
    value: Any
    place: tuple[Any, ...]  # where it is in the case
    axis: int = 0
    rank: int = 0
    home: Any = None  # the constructor's argument that it is in
    hint: str = ""  # the constructor's annotation

    @property
    def sized(self) -> bool:
        """Whether it is a size."""
        return (
            isinstance(self.value, int)
            and not isinstance(self.value, bool)
            and self.kind != "fixed"
        )

    @property
    def may_be_size(self) -> bool:
        """Whether it is nothing in this case, and a size in others."""
        name = self.text.rpartition(".")[2].lower()
        named = any(word in name for word in _SIZES) or re.search(r"\bint\b", self.hint)
        return self.kind == "other" and self.value is None and bool(named)

    @property
    def owner(self) -> object:
        """What no two variables that change together may share."""
        return (self.kind, self.text) if self.kind == "axis" else self.place

    def json(self) -> dict[str, Any]:
        """What the fit has to know."""
        plain = self.value if isinstance(self.value, (int, float)) else None
        return {
            "kind": self.kind,
            "text": self.text,
            "value": plain,
            "axis": self.axis,
            "rank": self.rank,
            "sized": self.sized,
            "may_be_size": self.may_be_size,
            "given": self.place[0] in ("inputs", "call"),
        }


def variables(thing: Any, function: Callable[..., Any], values: Values) -> list[Variable]:
    """The numbers of a case, sizes of inputs first."""
    names = positional(function, 1 if isinstance(thing, type) else 0)
    found: list[Variable] = []
    for position, value in enumerate(values.inputs):
        if position < len(names):
            found += _axes(names[position], ("inputs", position), value)
    for name, value in values.call.items():
        found += _axes(name, ("call", name), value)
    if isinstance(thing, type):
        for name, (place, value, hint) in _fields(thing, values).items():
            inside = _field(name, place, value)
            found += [dataclasses.replace(one, home=value, hint=hint) for one in inside]
    return found


def _axes(path: str, place: tuple[Any, ...], value: Any) -> Iterator[Variable]:
    """The axes of the arrays in an argument; of a number, whether anything depends on it."""
    if _is_key(value):
        return
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        for axis, size in enumerate(value.shape):
            yield Variable("axis", path, int(size), place, axis, len(value.shape))
    elif isinstance(value, (list, tuple)):
        names = getattr(value, "_fields", None)
        for index, inner in enumerate(value):
            inside = f"{path}.{names[index]}" if names else f"{path}[{index}]"
            yield from _axes(inside, (*place, index), inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _axes(f"{path}[{key!r}]", (*place, key), inner)
    elif isinstance(value, (bool, int, float)):
        yield Variable("other", path, value, place)


def _is_key(value: Any) -> bool:
    return hasattr(value, "dtype") and str(value.dtype).startswith("key<")


def _fields(cls: Any, values: Values) -> dict[str, tuple[tuple[Any, ...], Any, str]]:
    """The constructor's arguments, defaults included, each with its place in the case and its annotation."""
    try:
        parameters = list(inspect.signature(cls).parameters.values())
    except (TypeError, ValueError):
        return {}
    found: dict[str, tuple[tuple[Any, ...], Any, str]] = {}
    for position, parameter in enumerate(parameters):
        name, hint = parameter.name, str(parameter.annotation)
        if position < len(values.args):
            found[name] = (("args", position), values.args[position], hint)
        elif name in values.kwargs:
            found[name] = (("kwargs", name), values.kwargs[name], hint)
        elif parameter.default is not parameter.empty and name not in ("parent", "name"):
            found[name] = (("kwargs", name), parameter.default, hint)
    return found


def _field(path: str, place: tuple[Any, ...], value: Any) -> Iterator[Variable]:
    if isinstance(value, (bool, float)) or value is None:
        yield Variable("other", path, value, place)
    elif isinstance(value, int):
        yield Variable("field", path, value, place)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            if isinstance(inner, (int, float)):
                kind = "item" if isinstance(inner, int) and not isinstance(inner, bool) else "other"
                at = -1 if index == len(value) - 1 else index
                yield Variable(kind, f"{path}[{at}]", inner, (*place, index))
    elif _settings(value):
        settings = _settings(value)
        for name, inner in _first(settings.items()):
            yield from _field(f"{path}.{name}", (*place, name), inner)
        if len(settings) > _SETTINGS:
            yield Variable("fixed", path, None, place)
    elif not _harmless(value):
        yield Variable("fixed", path, None, place)


def _settings(value: Any) -> dict[str, Any]:
    """The attributes of a record of settings."""
    if isinstance(value, type) or callable(value):
        return {}
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
    if hasattr(value, "to_dict") and hasattr(value, "items"):  # of ml_collections, say
        return dict(value.items())
    if isinstance(value, Mapping):
        return {}
    return {k: v for k, v in getattr(value, "__dict__", {}).items() if not k.startswith("_")}


def _first(pairs: Any) -> list[Any]:
    """As many settings as are varied."""
    return list(pairs)[:_SETTINGS]


def _harmless(value: Any) -> bool:
    """Whether no size depends on a value: functions and dtypes, no classes of modules and no names."""
    import numpy as np

    if isinstance(value, type):
        try:
            np.dtype(value)
        except TypeError:
            return False
        return True
    return inspect.isfunction(value) or inspect.isbuiltin(value) or _is_jax(value)


def _is_jax(value: Any) -> bool:
    module = getattr(type(value), "__module__", "") or ""
    return module.startswith(("jax", "numpy")) or isinstance(value, (set, frozenset))


# ---- other values ------------------------------------------------------------------------------------


def changed(values: Values, found: Sequence[Variable], new: Mapping[int, Any]) -> Values:
    """The case with other numbers for some of its variables."""
    parts: dict[str, Any] = {
        "args": list(values.args),
        "kwargs": dict(values.kwargs),
        "inputs": list(values.inputs),
        "call": dict(values.call),
    }
    shapes: dict[tuple[Any, ...], dict[int, int]] = {}
    for index, value in new.items():
        one = found[index]
        if one.kind == "axis":
            shapes.setdefault(one.place, {})[one.axis] = value
        else:
            _put(parts, one, value)
    for place, axes in shapes.items():
        old = _get(parts, place)
        shape = [axes.get(axis, size) for axis, size in enumerate(old.shape)]
        parts = _with(parts, place, _zeros(shape, old.dtype))
    return Values(parts["args"], parts["kwargs"], parts["inputs"], parts["call"])


def longer(
    values: Values, found: Sequence[Variable], places: Sequence[tuple[Any, ...]], times: int
) -> tuple[dict[int, Any], Values]:
    """The case with one more number in the sequences at some places, and which of its variables that changes.

    The new number comes second, or first where there is only one: names by place from the end then stay right.
    """
    parts: dict[str, Any] = {"args": list(values.args), "kwargs": dict(values.kwargs)}
    new: dict[int, Any] = {}
    for place in places:
        inside = {i: one for i, one in enumerate(found) if one.place[:-1] == place}
        numbers = [one.value for one in inside.values()]
        numbers.insert(min(1, len(numbers) - 1), numbers[0] * times)
        section, name, *inner = place
        given = parts[section]
        home = given[name] if section == "args" or name in given else inside[min(inside)].home
        old = _get(home, inner)
        if len(inside) != len(old):
            raise ValueError("there is more in it than numbers")
        made = tuple(numbers) if isinstance(old, tuple) else numbers
        parts[section] = _with(given, (name,), _with(home, inner, made))
        last = max(inside)
        new |= {i: number for i, number in zip(inside, numbers, strict=False) if i != last}
    return new, Values(parts["args"], parts["kwargs"], values.inputs, values.call)


def _put(parts: dict[str, Any], one: Variable, value: Any) -> None:
    section, name, *inner = one.place
    if not inner:
        parts[section] = _with(parts[section], (name,), value)
        return
    home = parts[section][name] if section != "kwargs" or name in parts[section] else one.home
    parts[section] = _with(parts[section], (name,), _with(home, inner, value))


def _get(tree: Any, place: Sequence[Any]) -> Any:
    for step in place:
        tree = tree[step]
    return tree


def _with(tree: Any, place: Sequence[Any], value: Any) -> Any:
    """A copy of nested containers with another value at a place."""
    if not place:
        return value
    step, rest = place[0], place[1:]
    if isinstance(tree, tuple):
        inner = [_with(v, rest, value) if i == step else v for i, v in enumerate(tree)]
        return type(tree)(*inner) if hasattr(tree, "_fields") else tuple(inner)
    if isinstance(tree, list):
        return [_with(v, rest, value) if i == step else v for i, v in enumerate(tree)]
    if type(tree) is dict:
        return {**tree, step: _with(tree.get(step), rest, value)}
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return dataclasses.replace(tree, **{step: _with(getattr(tree, step), rest, value)})
    made = copy.deepcopy(tree)
    setattr(made, step, _with(getattr(tree, step), rest, value))
    return made


def _zeros(shape: Sequence[int], dtype: Any) -> Any:
    import numpy as np

    return np.zeros(shape, dtype)
