"""Constructors of Haiku module classes that inherit from other modules of the user's.

A class with an `__init__` calls that of its base, with the arguments that it gave before and the sizes that the base
asks for now. One without takes the parameters of the `__init__` that it inherits.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from .. import signatures
from ..chains import is_own, stored_names
from ..model.filled import changes
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class, Function
from ..signatures import Parameter, defaults, is_unpacked
from . import inheritance, names
from .transport import CannotMove

NAME = "name"  # Haiku's own argument, which NNX has no use for


def initialiser(cls: Class) -> tuple[Class, ast.FunctionDef] | None:
    """The `__init__` that instances of a class are made by, and the class of the user's that it stands in."""
    for owner in classes.mro(cls):
        found = owner.members.get("__init__")
        if isinstance(found, Function) and isinstance(found.node, ast.FunctionDef):
            return owner, found.node
    return None


def annotation_of(cls: Class, parameter: str) -> ast.expr | None:
    """The annotation of a parameter of a written constructor."""
    found = initialiser(cls)
    spec = found[1].args if found is not None else None
    known = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs] if spec is not None else []
    return next((each.annotation for each in known if each.arg == parameter), None)


def default_name(cls: Class) -> str | None:
    """The name that instances have in Haiku where the class says it, as the default of its `name`."""
    found = initialiser(cls)
    if found is None:
        return None
    match defaults(found[1].args).get(NAME):
        case ast.Constant(value=str(name)):
            return name
    return None


def names_given(function: ast.FunctionDef, by_place: bool = False) -> ast.expr | None:
    """What a constructor hands on to that of its base as the name; `by_place`, as its first argument too."""
    for node in ast.walk(function):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__")
            ):
                placed = node.args[:1] if by_place else []
                given = [*placed, *(k.value for k in node.keywords if k.arg == NAME)]
                return given[0] if given else None
    return None


def _names_given(cls: Class) -> Iterator[ast.expr]:
    owners = list(classes.mro(cls))
    for owner in owners:
        found = owner.members.get("__init__")
        if isinstance(found, Function) and isinstance(found.node, ast.FunctionDef):
            given = names_given(found.node, by_place=owner is owners[-1])
            if given is not None:
                yield given


def names_itself(cls: Class) -> bool:
    """Whether instances have a name in Haiku that is neither given to their constructor nor its default."""
    plain = (ast.Constant, ast.Name)
    return any(not isinstance(given, plain) for given in _names_given(cls))


def parameters(function: ast.FunctionDef) -> Iterator[Parameter]:
    """What a constructor takes besides `self` and the name."""
    spec = function.args
    first = next(iter([*spec.posonlyargs, *spec.args]), None)
    return (
        p for p in signatures.parameters(function.args) if p.arg is not first and p.name != NAME
    )


def inherited(cls: Class) -> list[Parameter]:
    """The parameters of a class without an `__init__`; raises CannotMove where they cannot be repeated."""
    found = initialiser(cls)
    if found is None:
        return []
    owner, function = found
    if function.args.vararg is not None or function.args.kwarg is not None:
        raise CannotMove(
            cls.node,
            f"`{cls.name}` inherits a constructor that takes any arguments",
            "write its parameters out",
        )
    taken = list(parameters(function))
    for parameter in taken:
        reads = any(isinstance(n, ast.Name) for n in ast.walk(parameter.default or ast.Pass()))
        if reads and owner.module is not cls.module:
            raise CannotMove(
                cls.node,
                f"the default of `{parameter.arg.arg}` is known in the file of `{owner.name}` alone",
                f"give `{cls.name}` a constructor of its own",
            )
    return taken


def super_call(function: ast.FunctionDef) -> ast.Call | None:
    """`super().__init__(...)` at the start of a constructor."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    match body[:1]:
        case [
            ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__")
                ) as call
            )
        ]:
            return call
    return None


def super_arguments(
    function: ast.FunctionDef,
    base: inheritance.Base,
    sizes: Mapping[str, str],
    written: Callable[[ast.expr], str],
) -> list[str]:
    """The arguments with which a constructor calls that of its base, `sizes` by the base's own names for them."""
    call = super_call(function)
    theirs = initialiser(base.cls)
    if call is None:
        raise CannotMove(
            function,
            f"the constructor does not begin with that of `{base.cls.name}`",
            "call `super().__init__` first",
        )
    if is_unpacked(call):
        raise CannotMove(call, "arguments are unpacked with * or **", "write them out")
    if base.model.field_modes:
        raise CannotMove(
            call,
            f"`{base.cls.name}` has a flag in its constructor that went",
            "call the base's constructor by hand",
        )
    spec = theirs[1].args if theirs is not None else None
    places = [a.arg for a in [*spec.posonlyargs, *spec.args][1:]] if spec is not None else []
    args = [sizes[a.name] for a in base.model.added if not a.keyword_only]
    args += [written(a) for name, a in zip(places, call.args, strict=False) if name != NAME]
    args += [f"{a.name}={sizes[a.name]}" for a in base.model.added if a.keyword_only]
    args += [f"{k.arg}={written(k.value)}" for k in call.keywords if k.arg != NAME]
    return args + (["rngs=rngs"] if base.model.takes_rngs else [])


def refuse_lost(cls: Class, base: inheritance.Base) -> None:
    """A class that has layers of its own in the place of its base's cannot call the base's constructor."""
    kept = {node.attr for owner in classes.mro(base.cls) for node in changes(owner.node)}
    lost = kept & inheritance.self_attributes(cls.node)
    if base.model.constructs and lost:
        raise CannotMove(
            cls.node,
            f"`{cls.name}` reads `self.{min(lost)}` of `{base.cls.name}`, but makes none of its layers",
            "give what both need a base of its own, without layers",
        )


def set_late(cls: Class) -> frozenset[str]:
    """The attributes that methods set, but neither a constructor nor the body of a class."""
    early: set[str] = {name for owner in classes.mro(cls) for name in owner.members}
    late: set[str] = set()
    for owner in classes.mro(cls):
        for function in owner.node.body:
            if isinstance(function, ast.FunctionDef):
                stored = {n.attr for n in changes(function) if ast.unparse(n.value) == "self"}
                (early if function.name in ("__init__", "__post_init__") else late).update(stored)
    return frozenset(late - early)


def of_locals(cls: Class) -> dict[str, str]:
    """The attributes that a constructor sets once to a local which it has given a value once, and in no block."""
    found = initialiser(cls)
    if found is None or found[0] is not cls:
        return {}
    function = found[1]
    stored = Counter(
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )
    kept = Counter(node.attr for node in changes(function) if is_own(node))
    ready: set[str] = set()
    attributes = {}
    for statement in function.body:
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)],
                value=ast.Name(id=name),
            ) if name in ready and stored[name] == 1 and kept[attribute] == 1:
                attributes[attribute] = name
            case ast.Assign():
                ready |= stored_names(statement)
    return attributes


def refuse_shared(cls: Class, base: inheritance.Base, made: Iterable[ast.AST]) -> None:
    """Haiku counts names anew in `super().__call__`: layers of one name, one here and one there, are the same layer.

    `made` are the calls by which the class makes layers and parameters of its own.
    """
    theirs = {
        (function.name, name)
        for owner in classes.mro(base.cls)
        for function, name in _names_made(owner, base.model.site_nodes)
    }
    for function, name in _names_made(cls, set(made)):
        if (function.name, name) in theirs and function.name != "__init__":
            raise CannotMove(
                function,
                f"`{name}` of `{cls.name}` is the same as the one that `super().{function.name}` makes",
                "give one of them a name of its own",
            )


def _names_made(cls: Class, made: Collection[ast.AST]) -> Iterator[tuple[ast.FunctionDef, str]]:
    """The methods of a class, each with the names of what it makes, uncounted."""
    for function in cls.node.body:
        for node in ast.walk(function) if isinstance(function, ast.FunctionDef) else ():
            if node in made and isinstance(node, ast.Call):
                yield function, _name_made(node)  # type: ignore[misc]


def _name_made(call: ast.Call) -> str:
    kind = ast.unparse(call.func).split(".")[-1]
    given = next((k.value for k in call.keywords if k.arg == NAME), None)
    if given is None and not kind[:1].isupper() and call.args:
        given = call.args[0]  # `hk.get_parameter("w", ...)`
    match given:
        case ast.Constant(value=str(name)):
            return name
    return names.haiku_name(kind)


def read_by_heirs(interp: Interpreter, cls: Class) -> set[str]:
    """The attributes of `self` that the subclasses of a class read."""
    read: set[str] = set()
    for module in list(interp.project.modules.values()):
        if not module.rewritable:
            continue
        for each in classes.of_file(interp, module):
            if cls in classes.mro(each)[1:]:
                read |= inheritance.self_attributes(each.node)
    return read
