"""What runs of the originals showed (`rewrite --trace`), for the interpreter to fall back on.

A fact says the size of an array in a module's code as a formula over the module's own fields and the axes of its inputs.
The interpreter takes it where its own reading gives no size, or another one than the runs showed, and only in code that
runs for the module that is studied for its own sake: there, fields and axes are symbols.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .dims import Dim, Expression, InputAxis, Origin, Seen, Unexplained, substitute
from .values import UNKNOWN, Array, Items, Size, Table, Unknown, Value, as_dim, from_dim

if TYPE_CHECKING:
    from .interpreter import Interpreter


@dataclass(frozen=True)
class Variable:
    """A number that formulas are about: a field (`text` writes it in the constructor), or an axis of an input."""

    text: str
    method: str = ""  # of the input; empty for a field
    axis: int = 0
    rank: int = 0


@dataclass(frozen=True)
class Factor:
    """`(variable + plus) // by`, rounded up with `up`."""

    variable: Variable
    plus: int = 0
    by: int = 1
    up: bool = False


@dataclass(frozen=True)
class Formula:
    """A sum of products of factors, each with a whole number before it, and a constant; all `over` other factors."""

    terms: tuple[tuple[int, tuple[Factor, ...]], ...] = ()
    constant: int = 0
    over: tuple[Factor, ...] = ()


@dataclass(frozen=True)
class Rows:
    """What a size was in runs, by the values of expressions over the arguments of the call and the fields of `self`."""

    keys: tuple[str, ...]
    rows: tuple[tuple[tuple[Any, ...], int], ...]


@dataclass(frozen=True)
class Number:
    """A size: what it was in each run (None where it was several), and the formula for it, if there is one.

    Where there is none, `rows` say what it was by all that it depends on, if that is known.
    """

    sizes: tuple[int | None, ...]
    formula: Formula | None = None
    rows: Rows | None = None


@dataclass(frozen=True)
class Shown:
    """What a value was: an array of these sizes, or one size, or a container."""

    shape: tuple[Number, ...] | None = None
    dtype: str = ""
    size: Number | None = None
    items: tuple[Shown | None, ...] | None = None
    kind: str = "tuple"
    names: tuple[str, ...] = ()
    table: tuple[tuple[str, Shown | None], ...] | None = None


@dataclass(frozen=True)
class Called:
    """What a layer or module was given at a place, and what it returned."""

    args: tuple[Shown | None, ...]
    kwargs: Mapping[str, Shown | None]
    result: Shown | None


Place = tuple[str, int, int, int, int]  # file, line, column, last line and column


@dataclass
class TracedClass:
    """The facts about one class; what the inputs of `method` were like, and the places of its code."""

    method: str
    arguments: dict[str, Shown | None]
    names: dict[tuple[str, int, str], Shown | None]  # by file, line and name
    calls: dict[Place, Called]
    runs: tuple[Mapping[Variable, int], ...] = ()  # the numbers of each run
    # by the place where what is called is made, the method, and the place of the call
    made: dict[tuple[Any, ...], Called] = field(default_factory=dict)


@dataclass
class Traced:
    """The facts about all classes, by file and name.

    `line` gives the line of the user's text for one of the text that is interpreted.
    """

    classes: Mapping[tuple[Path, str], TracedClass]
    line: Callable[[Path, int], int] = lambda path, line: line
    # Of the function that a class stands for.
    name: Callable[[Path, str], str] = lambda path, name: name
    # by root: where a fact was taken
    used: dict[object, set[ast.AST]] = field(default_factory=dict)

    def of(self, interp: Interpreter) -> TracedClass | None:
        """The facts about the module that is studied, if its own code runs now."""
        root = interp.root_object
        if root is None or interp.root is not root.cls.node or not interp.recording:
            return None
        for frame in reversed(interp.frames):
            if frame.self_value is not None:
                return (
                    self.about(root.cls.module.path, root.cls.name)
                    if frame.self_value is root
                    else None
                )
        return None

    def places(self, root: object) -> list[tuple[int, int]]:
        """The lines and columns of the code of a module where a fact was taken."""
        nodes = self.used.get(root, set())
        return sorted(
            {(n.lineno, n.col_offset) for n in nodes if isinstance(n, ast.stmt | ast.expr)}
        )

    def about(self, path: Path, name: str) -> TracedClass | None:
        """The facts about a class."""
        return self.classes.get((path, self.name(path, name)))


# ---- where the interpreter asks -----------------------------------------------------------------------


Callee = tuple[ast.Call | None, str]  # where what is called is made, and the method


def given(
    interp: Interpreter,
    node: ast.Call | None,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    callee: Callee,
) -> tuple[list[Value], dict[str, Value]]:
    """The arguments of a call of a layer or module, unknown sizes filled in."""
    positional, named = list(args), dict(kwargs)
    for called in _facts(interp, node, callee):
        assert node is not None
        words = [_word(arg) for arg in node.args]
        positional = [
            refined(At(interp, node, words[i] if i < len(words) else ""), value, shown)
            for i, value in enumerate(positional)
            for shown in [called.args[i] if i < len(called.args) else None]
        ]
        named = {
            name: refined(At(interp, node, name), value, called.kwargs.get(name))
            for name, value in named.items()
        }
    return positional, named


def returned(interp: Interpreter, node: ast.Call | None, value: Value, callee: Callee) -> Value:
    """The result of such a call."""
    for called in _facts(interp, node, callee):
        assert node is not None
        value = refined(At(interp, node), value, called.result)
    return value


def _facts(interp: Interpreter, node: ast.Call | None, callee: Callee) -> list[Called]:
    """What is known of a call: of its own place, and of it where it calls what is made where the callee is."""
    known = interp.traced.of(interp) if interp.traced is not None else None
    if known is None or node is None:
        return []
    place = _place(interp, node, known.calls)
    found = [known.calls[place]] if place is not None else []
    site, method = callee
    alike = [key for key in known.made if key[5] == method] if site is not None else []
    called = _place(interp, node, {key[6:] for key in alike})
    if called is not None and site is not None:
        made = _place(interp, site, {key[:5] for key in alike if key[6:] == called})
        found += [known.made[*made, method, *called]] if made is not None else []
    return found


def assigned(interp: Interpreter, node: ast.stmt, target: ast.expr, value: Value) -> Value:
    """A value that is about to be assigned."""
    known = interp.traced.of(interp) if interp.traced is not None else None
    if known is None:
        return value
    match target:
        case ast.Name(id=name):
            return refined(At(interp, node, name), value, _name(interp, known, node, name))
        case ast.Tuple(elts=elts) | ast.List(elts=elts) if not any(
            isinstance(e, ast.Starred) for e in elts
        ):
            parts: Sequence[Value]
            if isinstance(value, Items) and not value.open and len(value.items) == len(elts):
                parts = value.items
            elif _may_be_other(value):
                parts = [UNKNOWN] * len(elts)
            else:
                return value
            new = [assigned(interp, node, e, v) for e, v in zip(elts, parts, strict=True)]
            return value if all(a is b for a, b in zip(new, parts, strict=True)) else Items(new)
    return value


def _word(node: ast.expr) -> str:
    """What a value is called where it is handed on."""
    return node.id if isinstance(node, ast.Name) else ""


def _may_be_other(value: Value) -> bool:
    """Whether a value is unknown, or an array whose shape is a guess: what an unknown function makes of one."""
    return isinstance(value, Unknown | Array)


def _place(interp: Interpreter, node: ast.Call, places: Collection[Place]) -> Place | None:
    """The one of some places that a call is at; the only one in its lines will do, as a prepass may have moved it in them.

    That one must not be where another call of the text is.
    """
    module = interp.frames[-1].environment.module
    place = _written_at(interp, module.path, node)
    if place in places:
        return place
    alike = [other for other in places if other[:2] == place[:2] and other[3] == place[3]]
    if len(alike) != 1:
        return None
    calls = (n for n in ast.walk(module.tree) if isinstance(n, ast.Call))
    taken = any(_written_at(interp, module.path, n) == alike[0] for n in calls)
    return None if taken else alike[0]


def _written_at(interp: Interpreter, path: Path, node: ast.Call) -> Place:
    assert interp.traced is not None
    first, last = (
        interp.traced.line(path, n) for n in (node.lineno, node.end_lineno or node.lineno)
    )
    return str(path), first, node.col_offset, last, node.end_col_offset or 0


def _name(interp: Interpreter, known: TracedClass, node: ast.stmt, name: str) -> Shown | None:
    assert interp.traced is not None
    path = interp.frames[-1].environment.module.path
    for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
        found = known.names.get((str(path), interp.traced.line(path, line), name))
        if found is not None:
            return found
    return None


# ---- values --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class At:
    """The code whose values are filled in, and what it calls them."""

    interp: Interpreter
    node: ast.AST
    word: str = ""


def refined(at: At, value: Value, shown: Shown | None) -> Value:
    """A value with what runs showed in the place of what reading could not tell."""
    if shown is None:
        return value
    match value:
        case Array(shape=None, dtype=dtype, optional=optional) if shown.shape is not None:
            return _noted(at, Array(_shape(at, shown.shape), dtype or shown.dtype, optional))
        case Array(shape=shape, dtype=dtype, optional=optional) if (
            shape is not None and shown.shape is not None and len(shape) == len(shown.shape)
        ):
            pairs = enumerate(zip(shape, shown.shape, strict=True))
            new = tuple(_better(at, d, f, i - len(shape)) for i, (d, f) in pairs)
            if all(a is b for a, b in zip(new, shape, strict=True)):
                return value
            return _noted(at, Array(new, dtype, optional))
        case Array(optional=optional) if shown.shape is not None:  # of another rank
            return _noted(at, Array(_shape(at, shown.shape), shown.dtype, optional))
        case Array() if shown.size is not None or shown.items is not None:
            return _noted(at, as_value(at, shown))
        case Unknown(why=""):
            made = as_value(at, shown)
            return value if made is UNKNOWN else _noted(at, made)
        case Size() if shown.size is not None:
            dim = as_dim(value)
            new_dim = _better(at, dim, shown.size)
            return value if new_dim is dim else _noted(at, from_dim(new_dim))
        case Items(items=items, open=False) if shown.items is not None and len(items) == len(
            shown.items
        ):
            inner = [refined(at, v, s) for v, s in zip(items, shown.items, strict=True)]
            if all(a is b for a, b in zip(inner, items, strict=True)):
                return value
            return Items(inner, value.kind, value.names, value.cls)
    return value


def as_value(at: At, shown: Shown | None) -> Value:
    """What was seen, as a value of its own."""
    if shown is None:
        return UNKNOWN
    if shown.shape is not None:
        return Array(_shape(at, shown.shape), shown.dtype)
    if shown.size is not None and (shown.size.formula or shown.size.rows) is not None:
        return from_dim(_told(at, shown.size))
    if shown.items is not None:
        return Items([as_value(at, item) for item in shown.items], shown.kind, shown.names)
    if shown.table is not None:
        return Table({name: as_value(at, item) for name, item in shown.table})
    return UNKNOWN


def example(shown: Shown | None) -> Value:
    """An argument like the one that was seen, as the study of a module takes examples: ranks and types count."""
    if shown is None:
        return UNKNOWN
    if shown.shape is not None:
        return Array(tuple(range(2, 2 + len(shown.shape))), shown.dtype)
    if shown.items is not None:
        return Items([example(item) for item in shown.items], shown.kind, shown.names)
    if shown.table is not None:
        return Table({name: example(item) for name, item in shown.table})
    return UNKNOWN


def _shape(at: At, shape: Sequence[Number]) -> tuple[Dim, ...]:
    return tuple(_told(at, number, axis - len(shape)) for axis, number in enumerate(shape))


def _told(at: At, number: Number, axis: int | None = None) -> Dim:
    """The size that runs showed; `axis` is that of an array, from its end."""
    if number.formula is not None:
        return dim_of(at.interp, number.formula)
    if number.rows is not None:
        return _seen(at, number.rows, axis)
    return at.interp.symbols.unknown("no one expression explains the sizes that runs showed")


def _seen(at: At, found: Rows, axis: int | None) -> Dim:
    """A size that no expression gives, to be a parameter of the constructor."""
    known = at.interp.traced.of(at.interp) if at.interp.traced is not None else None
    assert known is not None
    word = at.word if at.word not in known.arguments else ""
    what = "size" if axis is None else "features" if axis == -1 else f"size{-axis}"
    origin = Seen(known.method, f"{word or 'hidden'}_{what}", found.keys, found.rows)
    return at.interp.symbols.new(origin, ("seen", at.interp.root, found))


def _better(at: At, dim: Dim, number: Number, axis: int | None = None) -> Dim:
    """The size that runs showed in the place of one that reading could not tell, or got wrong."""
    symbols = at.interp.symbols
    dim = symbols.resolve(dim)
    if any(isinstance(o, Unexplained) for o in symbols.origins_of(dim).values()):
        if number.formula is None and number.rows is None:
            return dim
        found = _told(at, number, axis)
        symbols.equate(dim, found)
        return found
    return _told(at, number, axis) if _is_refuted(at.interp, dim, number) else dim


def _is_refuted(interp: Interpreter, dim: Dim, number: Number) -> bool:
    """Whether a size that reading gives was another one in some run."""
    known = interp.traced.of(interp) if interp.traced is not None else None
    if known is None:
        return False
    variables = {name: _variable(origin) for name, origin in interp.symbols.origins_of(dim).items()}
    for values, size in zip(known.runs, number.sizes, strict=True):
        numbers = {n: values[v] for n, v in variables.items() if v is not None and v in values}
        if size is None or len(numbers) < len(variables):
            continue
        if substitute(dim, numbers) != size:
            return True
    return False


def _variable(origin: Origin) -> Variable | None:
    match origin:
        case InputAxis(method=method, path=path, axis=axis, rank=rank):
            return Variable(path, method, axis, rank)
        case Expression(text=text):
            return Variable(text)
    return None


def dim_of(interp: Interpreter, formula: Formula) -> Dim:
    """A formula as a size, over the symbols of the module that is studied."""
    total: Dim = formula.constant
    for times, factors in formula.terms:
        product: Dim = times
        for factor in factors:
            one = _factor(interp, factor)
            product = one if isinstance(product, int) and product == 1 else product * one
        total = product if isinstance(total, int) and total == 0 else total + product
    for factor in formula.over:
        total = total // _factor(interp, factor)
    return total


def _factor(interp: Interpreter, factor: Factor) -> Dim:
    one = _symbol(interp, factor.variable) + factor.plus
    if factor.by != 1:
        one = (one + (factor.by - 1 if factor.up else 0)) // factor.by
    return one


def _symbol(interp: Interpreter, variable: Variable) -> Dim:
    if not variable.method:
        loop = (None,) if variable.text.endswith("]") else ()  # as reading knows an item of a field
        key = ("text", interp.root, variable.text, *loop)
        return interp.symbols.new(Expression(variable.text), key)
    origin = InputAxis(variable.method, variable.text, variable.axis, variable.rank)
    key = ("input", interp.root, variable.method, variable.text, variable.axis, variable.rank)
    return interp.symbols.new(origin, key)


def _noted(at: At, value: Value) -> Value:
    if at.interp.traced is not None:
        at.interp.traced.used.setdefault(at.interp.root, set()).add(at.node)
    return value
