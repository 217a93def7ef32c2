"""Python's own functions and the methods of its containers, on abstract values."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from . import classes, listed, named, operators
from .dims import Dim, Rounded, is_symbolic, names, symbol_name
from .scopes import ModuleValue
from .values import (
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    Array,
    Begun,
    Bound,
    Class,
    Constant,
    External,
    Function,
    Index,
    Items,
    LayerObject,
    Object,
    Partial,
    Repeated,
    Size,
    Super,
    Table,
    Unknown,
    Value,
    as_dim,
    count_of,
    from_dim,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter

Args = Sequence[Value]
Kwargs = Mapping[str, Value]


def call(
    interp: Interpreter, node: ast.Call | None, name: str, args: Args, kwargs: Kwargs
) -> Value:
    """A call of a builtin function."""
    function = _FUNCTIONS.get(name)
    if function is None:
        return UNKNOWN
    if name == "getattr" and isinstance(node, ast.Call) and len(node.args) > 1:
        asked = named.of_module(interp, node, node.args[1], args[0])
        if asked is not None and named.is_plain(node):
            return asked
    result = function(interp, args, kwargs)
    return result if result is not None else UNKNOWN


def _range(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value:
    values = [arg.value if isinstance(arg, Constant) else None for arg in args]
    if values and all(isinstance(value, int) for value in values):
        return Constant(range(*[int(value or 0) for value in values]))
    return Repeated(Index(), count=as_dim(args[0]) if len(args) == 1 else None)


def _len(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    value = args[0] if args else UNKNOWN
    match value:
        case Items(items=items, open=False) | Table(items=items):
            return Constant(len(items))
        case Constant(value=str() | tuple() | list() | range() as known):
            return Constant(len(known))
        case Array(shape=shape) if shape:
            return from_dim(shape[0])
        case Unknown(text=text, loop=loop) if text:
            return Unknown(f"len({text})", loop=loop)
    return None


def _enumerate(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    value = args[0] if args else UNKNOWN
    known = interp.known_items(value)
    start = kwargs.get("start", args[1] if len(args) > 1 else Constant(0))
    if known is not None and isinstance(start, Constant) and isinstance(start.value, int):
        return Items(
            [Items([Constant(start.value + i), item]) for i, item in enumerate(known)], "list"
        )
    if isinstance(value, Items) and value.open:
        return Items([Items([Index(), item]) for item in value.items], "list", open=True)
    return Repeated(Items([Index(), _any_item(interp, value)]), count=count_of(value))


def _any_item(interp: Interpreter, value: Value) -> Value:
    from .loops import generic_item

    return generic_item(interp, value)


def _zip(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    known = [interp.known_items(arg) for arg in args]
    if all(items is not None for items in known):
        return Items(
            [Items(list(row)) for row in zip(*[items or [] for items in known], strict=False)],
            "list",
        )
    return Repeated(Items([_any_item(interp, arg) for arg in args]))


def _sequence(kind: str) -> Any:
    def build(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
        if not args:
            return Items([], kind)
        known = interp.known_items(args[0])
        if known is not None:
            return Items(known, kind)
        if isinstance(args[0], Items):
            return Items(list(args[0].items), kind, open=True)
        return args[0] if isinstance(args[0], Repeated | Unknown | Begun) else None

    return build


def _reversed(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    known = interp.known_items(args[0]) if args else None
    if known is not None:
        return Items(known[::-1], "list")
    return args[0] if args and isinstance(args[0], Repeated | Unknown | Items) else None


def _dict(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    table = Table({})
    for arg in args:
        if not isinstance(arg, Table):
            return None
        table.items.update(arg.items)
    table.items.update(kwargs)
    return table


def _number(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    """`int(x)` and `float(x)`: an unknown number that a constructor can compute stays one."""
    if not args:
        return Constant(0)
    match args[0]:
        case Constant(value=int() | float() as known):
            return Constant(int(known))
        case Size(dim=dim):
            dim = interp.symbols.resolve(dim)
            whole = symbol_name(dim) is not None or not names(dim) & interp.symbols.fractional
            return args[0] if whole else Size(interp.symbols.rounded(("int(", dim, ")")))
        case Unknown(parts=parts) if parts and all(
            isinstance(part, str) or interp.symbols.is_explained(part) for part in parts
        ):
            return Size(interp.symbols.rounded(("int(", *parts, ")")))
        case Unknown(text=text, loop=loop) if text:
            inner = text.removeprefix("(").removesuffix(")") if _wrapped(text) else text
            return Unknown(f"int({inner})", loop=loop)
        case Unknown():
            return Size(interp.symbols.unknown("a number that is rounded"))
        case Array():
            return UNKNOWN
    return None


def _wrapped(text: str) -> bool:
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and at < len(text) - 1:
            return False
    return True


def _float(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    number = args[0] if args else UNKNOWN
    return Constant(float(number.value)) if _is_number(number) else None


def _is_number(value: Value) -> TypeGuard[Constant]:
    return isinstance(value, Constant) and isinstance(value.value, int | float)


def _extreme(function: str) -> Any:
    def choose(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
        values = interp.known_items(args[0]) if len(args) == 1 else list(args)
        dims = [as_dim(value) for value in values or []]
        if not dims or any(dim is None for dim in dims):
            numbers = [v.value for v in values or [] if _is_number(v)]
            if values and len(numbers) == len(values):
                return Constant({"max": max, "min": min}[function](numbers))
            return None
        return _extreme_dim(interp, function, dims)

    return choose


def _extreme_dim(interp: Interpreter, function: str, dims: list[Dim]) -> Value:
    from jax import core

    found = [interp.symbols.resolve(dim) for dim in dims]
    if any(isinstance(interp.symbols.origin(dim), Rounded) for dim in found):  # it may be 0
        between = [part for dim in found[1:] for part in (", ", dim)]
        return Size(interp.symbols.rounded((f"{function}(", found[0], *between, ")")))
    result = found[0]
    for other in found[1:]:
        if isinstance(result, int) and isinstance(other, int):
            result = max(result, other) if function == "max" else min(result, other)
        elif is_symbolic(result) or is_symbolic(other):
            combine = core.max_dim if function == "max" else core.min_dim
            result = combine(result, other)
    return from_dim(result)


def _sum(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    values = interp.known_items(args[0]) if args else None
    if values is None:
        item = operators.element(interp, args[0]) if args else UNKNOWN
        return Array(item.shape, item.dtype) if isinstance(item, Array) else None
    start = args[1] if len(args) > 1 else Constant(0)
    for value in values:
        start = operators.binary(interp, ast.Pass(), ast.Add(), start, value)
    return start


def _isinstance(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    if len(args) < 2:
        return None
    answer = _instance_of(args[0], args[1])
    return None if answer is None else Constant(answer)


# The abstract classes of `numbers`, by what is one of them.
_NUMBERS: dict[str | None, type | tuple[type, ...]] = {
    "integral": int,
    "real": (int, float),
    "number": (int, float, complex),
}


def _instance_of(value: Value, cls: Value) -> bool | None:
    if isinstance(cls, Items):
        answers = [_instance_of(value, option) for option in cls.items]
        return True if True in answers else (None if None in answers else False)
    name = cls.name.rsplit(".", 1)[-1].lower() if isinstance(cls, External) else None
    match value:
        case Constant(value=known) if name in (
            "int",
            "float",
            "str",
            "bool",
            "tuple",
            "list",
            "dict",
        ):
            return type(known).__name__ == name
        case Constant(value=known) if name in _NUMBERS:
            return isinstance(known, _NUMBERS[name])
        case Size() if name is not None:
            return name == "int" or name in _NUMBERS
        case Items(kind=kind) if name is not None:
            return name in (kind, "sequence", "iterable")
        case Table():
            return name in ("dict", "mapping") if name is not None else None
        case Array() if name is not None:
            return name in ("array", "ndarray", "jaxarray")
        case Array() | Size() | Items(names=()) if isinstance(cls, Class):
            return False
        case Object() if isinstance(cls, Class):
            return cls in classes.mro(value.cls)
        case Function() | Class() | LayerObject() | Partial() if name in (
            "str",
            "int",
            "tuple",
            "list",
            "dict",
        ):
            return False
    return None


def _getattr(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    if len(args) < 2 or not isinstance(args[1], Constant) or not isinstance(args[1].value, str):
        return None
    from . import calls

    return calls.attribute(interp, args[0], args[1].value, ast.Pass())


def _vars(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    """The names of a file as a dict are taken for the file itself."""
    return args[0] if args and isinstance(args[0], ModuleValue) else None


def _hasattr(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    """Whether arrays and Python's own containers have an attribute."""
    import jax

    match args:
        case [Array(), Constant(value=str() as name)]:
            return Constant(hasattr(jax.Array, name))
        case [Items(kind="tuple" | "list" as kind, names=()), Constant(value=str() as name)]:
            return Constant(hasattr(list if kind == "list" else tuple, name))
        case [Table(), Constant(value=str() as name)]:
            return Constant(hasattr(dict, name))
    return None


def _callable(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    match args[0] if args else UNKNOWN:
        case Function() | Class() | LayerObject() | Object() | Partial() | External() | Bound():
            return TRUE
        case Constant() | Items() | Table() | Array() | Size():
            return FALSE
    return None


def _super(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    if interp.inherited is not None and interp.frames[-1].self_value is None:
        return interp.inherited
    frame = next((f for f in reversed(interp.frames) if f.self_value is not None), None)
    if frame is None or frame.self_value is None or frame.cls is None:
        return None
    return Super(frame.self_value, frame.cls)


def _type(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    return args[0].cls if len(args) == 1 and isinstance(args[0], Object) else None


def _map(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    if len(args) != 2:
        return None
    known = interp.known_items(args[1])
    if known is not None:
        return Items([interp.call(args[0], [item], {}, None) for item in known], "list")
    return Repeated(interp.call(args[0], [_any_item(interp, args[1])], {}, None))


def _passes(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    return args[0] if args else None


def _abs(interp: Interpreter, args: Args, kwargs: Kwargs) -> Value | None:
    if args and _is_number(args[0]) and isinstance(args[0], Constant):
        return Constant(abs(args[0].value))
    return args[0] if args and isinstance(args[0], Array) else None


_FUNCTIONS: dict[str, Any] = {
    "range": _range,
    "len": _len,
    "enumerate": _enumerate,
    "zip": _zip,
    "list": _sequence("list"),
    "tuple": _sequence("tuple"),
    "set": _sequence("set"),
    "sorted": _sequence("list"),
    "reversed": _reversed,
    "dict": _dict,
    "int": _number,
    "float": _float,
    "max": _extreme("max"),
    "min": _extreme("min"),
    "sum": _sum,
    "hasattr": _hasattr,
    "isinstance": _isinstance,
    "getattr": _getattr,
    "callable": _callable,
    "super": _super,
    "type": _type,
    "map": _map,
    "iter": _passes,
    "abs": _abs,
    "print": lambda interp, args, kwargs: NONE,
    "vars": _vars,
    "globals": lambda interp, args, kwargs: ModuleValue(interp.frames[-1].environment.module),
}


# ---- methods of containers ---------------------------------------------------------------------------------


def method(
    interp: Interpreter, node: ast.Call | None, owner: Value, name: str, args: Args, kwargs: Kwargs
) -> Value:
    """A method of a list, tuple, dict, string, or of `super()`."""
    match owner:
        case Items():
            return _list_method(interp, node, owner, name, args, kwargs)
        case Table():
            if name == "get" and node is not None and node.args:
                asked = named.of_table(interp, node, node.args[0], owner)
                if asked is not None:
                    return asked
            return _dict_method(interp, owner, name, args, kwargs)
        case Repeated(item=item, key=key):
            if name in ("items",) and key is not None:
                return Repeated(Items([key, item]))
            if name == "values":
                return Repeated(item)
            return Repeated(key) if name == "keys" and key is not None else UNKNOWN
        case Constant(value=str() as text) if all(isinstance(arg, Constant) for arg in args):
            return _string_method(text, name, args)
    return UNKNOWN


def _string_method(text: str, name: str, args: Args) -> Value:
    try:
        result = getattr(text, name)(*[arg.value for arg in args if isinstance(arg, Constant)])
    except Exception:  # the program would raise here
        return UNKNOWN
    if isinstance(result, list):
        return Items([Constant(item) for item in result], "list")
    return Constant(result) if isinstance(result, str | int | bool) else UNKNOWN


def _list_method(
    interp: Interpreter,
    node: ast.Call | None,
    owner: Items,
    name: str,
    args: Args,
    kwargs: Kwargs,
) -> Value:
    match name:
        case "append":
            interp.mutating(owner)
            owner.items.append(args[0] if args else UNKNOWN)
            return NONE
        case "extend":
            interp.extend(owner, args[0] if args else UNKNOWN)
            return NONE
        case "insert":
            interp.mutating(owner)
            owner.items.insert(0, args[1] if len(args) > 1 else UNKNOWN)
            return NONE
        case "pop":
            if not owner.items:
                return UNKNOWN
            if owner.open:
                return listed.taken(interp, node, owner)
            interp.mutating(owner)
            at = args[0].value if args and isinstance(args[0], Constant) else -1
            return owner.items.pop(
                at if isinstance(at, int) and -len(owner.items) <= at < len(owner.items) else -1
            )
        case "reverse":
            interp.mutating(owner)
            owner.items.reverse()
            return NONE
        case "copy":
            return Items(list(owner.items), owner.kind, open=owner.open)
        case "_replace":
            pairs = zip(owner.names, owner.items, strict=False)
            return dataclasses.replace(owner, items=[kwargs.get(n, item) for n, item in pairs])
        case "_asdict":
            return Table(dict(zip(owner.names, owner.items, strict=False)))
    return UNKNOWN


def _dict_method(interp: Interpreter, owner: Table, name: str, args: Args, kwargs: Kwargs) -> Value:
    match name:
        case "items":
            return Items(
                [Items([Constant(key), value]) for key, value in owner.items.items()], "list"
            )
        case "keys":
            return Items([Constant(key) for key in owner.items], "list")
        case "values":
            return Items(list(owner.items.values()), "list")
        case "get" | "pop" | "setdefault":
            return _dict_get(interp, owner, name, args)
        case "update":
            interp.mutating(owner)
            for arg in args:
                if isinstance(arg, Table):
                    owner.items.update(arg.items)
            owner.items.update(kwargs)
            return NONE
        case "copy":
            return Table(dict(owner.items))
    return UNKNOWN


def _dict_get(interp: Interpreter, owner: Table, name: str, args: Args) -> Value:
    if not args or not isinstance(args[0], Constant):
        return UNKNOWN
    key = args[0].value
    found = owner.items.get(key, args[1] if len(args) > 1 else NONE)
    if name == "pop" and key in owner.items:
        interp.mutating(owner)
        del owner.items[key]
    elif name == "setdefault" and key not in owner.items:
        interp.mutating(owner)
        owner.items[key] = found
    return found
