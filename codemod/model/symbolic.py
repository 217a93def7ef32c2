"""Values that stand for any: constructor fields and call arguments of a module that is studied for its own sake."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterable, Sequence

from ..shapes import classes, joins
from ..shapes.dims import Expression, InputAxis
from ..shapes.held import Held, is_module
from ..shapes.interpreter import Interpreter
from ..shapes.scopes import Environment
from ..shapes.values import (
    FILLINGS,
    NONE,
    UNKNOWN,
    WORD,
    Array,
    Class,
    Constant,
    Either,
    External,
    Function,
    Items,
    LayerObject,
    Object,
    Partial,
    Size,
    Table,
    Unknown,
    Value,
    as_dim,
)

FLAGS = frozenset(
    (
        "train",
        "training",
        "is_training",
        "deterministic",
        "decode",
        "eval",
        "is_train",
        "use_running_average",
        "test",
    )
)
_INT = re.compile(
    r"^(int|Optional\[int\]|int \| None|None \| int|Union\[int, None\]|Union\[None, int\])$"
)
_ARRAYS = re.compile(
    # Files that export nothing but their modules begin the names of types with an underscore.
    r"(^|\.|\[)_*(Array|ndarray|NDArray|ArrayLike|DeviceArray|Tensor|JTensor|JaxArray|Float|Int|Bool|Num|Shaped)\b"
)
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


def is_flag(name: str, annotation: ast.expr | None, default: ast.expr | None) -> bool:
    """Whether a parameter is a boolean."""
    if annotation is not None and "bool" in ast.unparse(annotation).lower():
        return True
    if isinstance(default, ast.Constant) and isinstance(default.value, bool):
        return True
    return name in FLAGS


def field_value(
    interp: Interpreter,
    text: str,
    annotation: ast.expr | None,
    default: ast.expr | None,
    env: Environment,
    examples: Sequence[Value] = (),
) -> Value:
    """Any value that a constructor field may have; `text` writes it in the constructor."""
    examples = [_known_anywhere(each) for each in examples]
    if classes.is_blank(annotation):
        annotation = None
    written = ast.unparse(annotation) if annotation is not None else ""
    known = interp.evaluate(default, env) if default is not None else None
    all_known = [*examples, *([known] if known is not None else [])]
    if is_flag(text.rsplit(".", 1)[-1], annotation, default):
        return Unknown(text, "flag")
    if _INT.match(written) or (not written and _all_sizes(all_known)):
        size = Size(interp.symbols.new(Expression(text), ("text", interp.root, text)))
        optional = "None" in written or "Optional" in written or known == NONE
        return joins.either(NONE, size) if optional else size
    if re.match(r"^(Optional\[)?float\b", written) or _is_float(known):
        return Unknown(text, "not a size")
    if _is_word(written, all_known):
        return Unknown(text, WORD)
    config = _config_class(interp, annotation, env)
    if config is None:
        objects = (each for each in all_known if isinstance(each, Object))
        config = next((o.cls for o in objects if classes.framework(o.cls) is None), None)
    if config is not None:
        there = config_object(interp, text, config)
        missing = known == NONE or NONE in examples
        return joins.either(NONE, there) if missing else there
    seen = [
        v
        for example in examples
        for v in (example.values if isinstance(example, Either) else [example])
    ]
    callables = [v for v in [*seen, *([known] if known is not None else [])] if _is_callable(v)]
    if all(isinstance(v, Class) for v in callables):
        callables = list(dict.fromkeys([*callables, *_classes_named(interp, annotation, env)]))
    instances = tuple(v for v in callables if is_module(v))
    if instances:
        held = Held(text, instances) if len(instances) == len(callables) else UNKNOWN
        return joins.either(NONE, held) if NONE in seen else held
    told = [v for v in examples if joins.is_told(v)]
    if any(isinstance(v, External) and v.name in FILLINGS for v in callables):
        return joins.either(*callables, *told, Unknown(text))  # a caller may give any initialiser
    if callables:
        return joins.either(*callables)
    if told:
        return joins.either(*([NONE] if known == NONE else []), Unknown(text), *told)
    if known == NONE and not examples:
        return joins.either(NONE, Unknown(text))
    return Unknown(text)


def _known_anywhere(value: Value) -> Value:
    """A value that a caller gives, without the sizes in it that only the caller has a text for."""
    match value:
        case Partial(function=function, args=args, kwargs=kwargs, site=site):
            given = {name: _constant_or_unknown(each) for name, each in kwargs.items()}
            known = tuple(map(_constant_or_unknown, args))
            return Partial(_known_anywhere(function), known, given, site)
        case Either(values=values, decided=decided):
            return Either(tuple(map(_known_anywhere, values)), decided)
    return value


def _constant_or_unknown(value: Value) -> Value:
    match value:
        case Size(dim=dim) if not isinstance(dim, int):
            return UNKNOWN
        case Items(items=items, kind=kind, names=names, cls=cls) if not value.open:
            return Items([_constant_or_unknown(each) for each in items], kind, names, cls)
        case Array():
            return UNKNOWN
        case Unknown(text=text) if text:
            return dataclasses.replace(value, text=None, loop=None)
    return _known_anywhere(value)


def _all_sizes(values: Iterable[Value]) -> bool:
    dims = [v for v in values if v is not UNKNOWN]
    return bool(dims) and all(
        as_dim(v) is not None and not (isinstance(v, Constant) and isinstance(v.value, bool))
        for v in dims
    )


def _is_float(value: Value | None) -> bool:
    return isinstance(value, Constant) and isinstance(value.value, float)


def _is_word(annotation: str, values: Sequence[Value]) -> bool:
    """Whether a field holds a string: it says so, or it has no type and nothing but strings was seen."""
    strings = [isinstance(v, Constant) and isinstance(v.value, str) for v in values]
    return annotation == "str" or (not annotation and bool(strings) and all(strings))


def _is_callable(value: Value) -> bool:
    return isinstance(value, External | Function | Partial | Class | LayerObject) or (
        isinstance(value, Object) and classes.framework(value.cls) is not None
    )


def _config_class(
    interp: Interpreter, annotation: ast.expr | None, env: Environment
) -> Class | None:
    """The user's dataclass that an annotation names."""
    if annotation is None:
        return None
    found = named_by(interp, annotation, env)
    if isinstance(found, Class) and classes.framework(found) is None and classes.is_record(found):
        return found
    return None


def named_by(interp: Interpreter, annotation: ast.expr, env: Environment) -> Value | None:
    """What an annotation that is a name stands for, in quotes or without."""
    expression: ast.expr = annotation
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            expression = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return None
    if not isinstance(expression, ast.Name | ast.Attribute):
        return None
    saved, interp.recording = interp.recording, False
    try:
        return interp.evaluate(expression, env)
    finally:
        interp.recording = saved


def _classes_named(
    interp: Interpreter, annotation: ast.expr | None, env: Environment
) -> list[Class]:
    """The module classes that `type[Block]` allows: Block and its subclasses, in all files that were read."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="type" | "Type") | ast.Attribute(attr="Type")):
            base = named_by(interp, annotation.slice, env)
        case _:
            return []
    if not isinstance(base, Class) or classes.framework(base) is None:
        return []
    return classes_below(interp, base)


def classes_below(interp: Interpreter, base: Class) -> list[Class]:
    """A class and its subclasses, in all files that were read."""
    known = {
        value.node: value
        for around in list(interp.globals.values())
        for value in around.names.values()
        if isinstance(value, Class)
    }
    return [cls for cls in known.values() if any(c.node is base.node for c in classes.mro(cls))]


def config_object(interp: Interpreter, text: str, cls: Class) -> Object:
    """A configuration, each of whose fields may have any value."""
    made = Object(cls)
    for field in classes.fields(cls):
        made.attributes[field.name] = field_value(
            interp,
            f"{text}.{field.name}",
            field.annotation,
            field.plain_default,
            field.owner.environment,
        )
    return made


def argument_value(interp: Interpreter, method: str, path: str, example: Value) -> Value:
    """An argument like `example`, with a symbol for each axis of its arrays."""
    match example:
        case Array(dtype="key"):
            return example
        case Array(shape=None):
            return example
        case Array(shape=shape, dtype=dtype, optional=optional) if shape is not None:
            rank = len(shape)
            dims = tuple(
                interp.symbols.new(
                    InputAxis(method, path, axis, rank),
                    ("input", interp.root, method, path, axis, rank),
                )
                for axis in range(rank)
            )
            return Array(dims, dtype, optional)
        case Items(items=items, kind=kind, names=names, cls=cls):
            paths = [f"{path}.{name}" for name in names] or [
                f"{path}[{i}]" for i in range(len(items))
            ]
            inner = [
                argument_value(interp, method, p, item)
                for p, item in zip(paths, items, strict=True)
            ]
            return Items(inner, kind, names, cls)
        case Table(items=table):
            return Table(
                {
                    key: argument_value(interp, method, f"{path}[{key!r}]", v)
                    for key, v in table.items()
                }
            )
        case Object(cls=cls, attributes=attributes) if classes.framework(cls) is None:
            copy = Object(cls)
            copy.attributes = {
                n: argument_value(interp, method, f"{path}.{n}", v) for n, v in attributes.items()
            }
            return copy
        case Constant(value=bool()):
            return Unknown(path, "flag")
        case Constant(value=int()) | Size():
            return Size(interp.symbols.unknown(f"the argument {path}"))
        case Constant(value=None):
            return NONE
        case Unknown():
            return UNKNOWN
    return example


def array_of_rank(rank: int, dtype: str = "float32", optional: bool = False) -> Array:
    """An example array for `argument_value`."""
    return Array(tuple(range(2, 2 + rank)), dtype, optional)


def looks_like_array(annotation: ast.expr | None) -> bool:
    return annotation is None or bool(_ARRAYS.search(ast.unparse(annotation)))


def without_aliases(parameter: ast.arg, environment: Environment) -> ast.arg:
    """A parameter with the library's types in the place of names for them: `Tokens`, of `Tokens = jnp.ndarray`."""
    names = [n for n in ast.walk(parameter) if isinstance(n, ast.Name)]
    meant = {
        name.id: value.name
        for name in names
        if isinstance(value := environment.lookup(name.id), External) and _ARRAYS.search(value.name)
    }
    if not meant or parameter.annotation is None:
        return parameter
    text = _WORD.sub(lambda m: meant.get(m[0], m[0]), ast.unparse(parameter.annotation))
    return ast.arg(parameter.arg, ast.parse(text, mode="eval").body)
