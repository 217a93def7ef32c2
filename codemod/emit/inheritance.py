"""A module class that inherits from another: its constructor calls the base's, and makes only what it adds."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from ..chains import is_own
from ..model.module import AddedParameter, ModuleModel
from ..model.study import Study
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class, Value
from .added import evaluated
from .transport import CannotMove


@dataclass(frozen=True)
class Base:
    """The rewritten module class that another inherits from.

    `reached` says that a run of the subclass makes the base's layers, so that its constructor must make them too.
    """

    cls: Class
    model: ModuleModel
    reached: bool


def base_of(study: Study, models: Mapping[ast.AST, ModuleModel]) -> Base | None:
    """The module class that a class inherits from; raises CannotMove where that one stays or is used in part."""
    cls = study.cls
    bases = [b for b in cls.bases if isinstance(b, Class) and classes.framework(b) is not None]
    if not bases:
        return None
    base = bases[0]
    model = models.get(base.node)
    if len(bases) > 1:
        raise CannotMove(
            cls.node,
            f"`{cls.name}` inherits from several modules",
            "make one of them a submodule",
        )
    if model is None:
        raise CannotMove(
            cls.node,
            f"`{cls.name}` inherits from the module `{base.name}`, which is not rewritten",
            "it has a diagnostic of its own; this class follows once that is solved",
        )
    made = {*study.facts.made, *study.facts.variables}
    reached = model.site_nodes & made
    if reached and reached != model.site_nodes:
        raise CannotMove(
            cls.node,
            f"`{cls.name}` uses only a part of the layers of `{base.name}`",
            "give the parts a module of their own",
        )
    return Base(base, model, bool(reached) or not model.site_nodes)


def size_in(interp: Interpreter, study: Study, base: Base, added: AddedParameter) -> Value | None:
    """A size parameter of the base as the subclass calls the base's method."""
    function = classes.method(base.cls, added.method)
    if function is None:
        return None
    names: dict[str, Value] = {}
    spec = function.node.args
    given = study.arguments.get(added.method, {})
    for parameter in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]:
        value = study.facts.value(parameter) or given.get(parameter.arg)
        if value is not None:
            names[parameter.arg] = value
    return evaluated(interp, base.cls, added, names, study.root)


def is_super_call(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__call__"):
            return True
    return False


def tells(study: Study, base: Base) -> bool:
    """Whether the base's own `__call__` returns to the subclass a size that the base's constructor can tell.

    A method or attribute that the subclass has in another way could change the size.
    """
    inherited = {name for cls in classes.mro(base.cls) for name in cls.members}
    changed = inherited & set(study.cls.members) - {"__call__"}
    fields = {field.name for field in classes.fields(study.cls)}
    own = "__call__" in base.cls.members
    return base.reached and own and not changed and "out_features" not in fields


def super_arguments(base: ModuleModel, sizes: Mapping[str, str]) -> list[str]:
    """The arguments of the base's constructor: its sizes, then its fields under their own names."""
    args = [sizes[a.name] for a in base.added if not a.keyword_only]
    args += [name for name, keyword_only in base.constructor if not keyword_only]
    args += [f"{a.name}={sizes[a.name]}" for a in base.added if a.keyword_only]
    args += [f"{name}={name}" for name, keyword_only in base.constructor if keyword_only]
    return args + (["rngs=rngs"] if base.takes_rngs else [])


def attributes_read(cls: Class, base: Class | None) -> set[str]:
    """The attributes of `self` that the methods of a class's plain ancestors (mixins) read."""
    inherited = classes.mro(base) if base is not None else []
    read: set[str] = set()
    for owner in classes.mro(cls)[1:]:
        if owner in inherited:
            continue
        read |= self_attributes(owner.node)
    return read


def written_attributes(target: ast.expr) -> set[str]:
    """The attributes of `self` that an assignment to a target changes; those that an index reads stay as they are."""
    match target:
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            return {name for each in elts for name in written_attributes(each)}
        case ast.Starred(value=inner) | ast.Subscript(value=inner):
            return written_attributes(inner)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return {name}
        case ast.Attribute(value=inner):
            return written_attributes(inner)
    return set()


def self_attributes(node: ast.AST) -> set[str]:
    return {n.attr for n in ast.walk(node) if is_own(n)}
