"""Classes of the user's: their bases, their fields, what they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..chains import last_name
from .values import Class, External, Function, Value

if TYPE_CHECKING:
    from ..project import Module
    from .interpreter import Interpreter

LINEN_MODULE = "flax.linen.Module"
HAIKU_MODULES = ("haiku.Module", "haiku.RNNCore")
_DATACLASSES = (
    "dataclasses.dataclass",
    "flax.struct.dataclass",
    "chex.dataclass",
    "dataclass_transform",
)
_RECORDS = ("flax.struct.PyTreeNode", "flax.training.train_state.TrainState", "typing.NamedTuple")


@dataclass(frozen=True)
class Field:
    """A dataclass field: where it is declared and with what default."""

    name: str
    annotation: ast.expr
    default: ast.expr | None
    owner: Class
    statement: ast.AnnAssign
    keyword_only: bool = False

    @property
    def factory(self) -> ast.expr | None:
        """What makes the value of each instance to which none is given."""
        return self._specified().get("default_factory")

    @property
    def plain_default(self) -> ast.expr | None:
        """The value that an instance has if none is given; None where each has one of its own, made by a factory."""
        factory = self.factory
        return self._specified().get("default") if factory is None else _always_made(factory)

    @property
    def has_default(self) -> bool:
        """Whether an instance can be made without a value for the field."""
        return not {"default", "default_factory"}.isdisjoint(self._specified())

    def _specified(self) -> Mapping[str | None, ast.expr]:
        """What `field(...)` says of the field, by keyword; a plain value is its default."""
        match self.default:
            case None:
                return {}
            case ast.Call(func=func, keywords=keywords) if last_name(func) == "field":
                return {keyword.arg: keyword.value for keyword in keywords}
        return {"default": self.default}


_EMPTY = ast.Tuple([], ast.Load())


def _always_made(factory: ast.expr) -> ast.expr | None:
    """What a factory hands back, if that is as good as one value for all: modules of Linen hold lists as tuples."""
    match factory:
        case ast.Name(id="list" | "tuple"):
            return _EMPTY
        case ast.Lambda(args=args, body=body) if not ast.unparse(args) and _is_plain(body):
            return body
    return None


def _is_plain(node: ast.expr) -> bool:
    match node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return all(map(_is_plain, parts))
        case ast.Attribute(value=inner) | ast.UnaryOp(operand=inner):
            return _is_plain(inner)
    return isinstance(node, ast.Name | ast.Constant)


def mro(cls: Class) -> list[Class]:
    """The user's classes that an instance is of, nearest first (C3 where it exists, else depth first)."""
    bases = [mro(base) for base in cls.bases if isinstance(base, Class)]
    order: list[Class] = [cls]
    queues = [list(base) for base in bases] + [
        [base for base in cls.bases if isinstance(base, Class)]
    ]
    while any(queues):
        for queue in queues:
            if queue and not any(queue[0] in other[1:] for other in queues):
                chosen = queue[0]
                break
        else:
            chosen = next(queue[0] for queue in queues if queue)
        order.append(chosen)
        queues = [[c for c in queue if c is not chosen] for queue in queues]
    return order


def external_bases(cls: Class) -> list[str]:
    """The qualified names of the library classes among the ancestors."""
    return [
        base.name for ancestor in mro(cls) for base in ancestor.bases if isinstance(base, External)
    ]


def of_file(interp: Interpreter, module: Module) -> list[Class]:
    """The classes that the top of a file defines and still has by a name."""
    names = interp.environment_of(module).names
    return [c for c in names.values() if isinstance(c, Class) and c.module is module]


def family(interp: Interpreter, cls: Class) -> Iterator[Class]:
    """A class with its bases, and the classes of the rewritable files that have it as a base, with theirs."""
    found = {each.node: each for each in mro(cls)}
    for module in list(interp.project.modules.values()):
        for other in of_file(interp, module) if module.rewritable else ():
            if cls in mro(other):
                found |= {each.node: each for each in mro(other)}
    yield from found.values()


def framework(cls: Class) -> str | None:
    """'linen' or 'haiku' for a module class, else None."""
    bases = external_bases(cls)
    if LINEN_MODULE in bases or any(
        b.startswith("flax.linen.") and b[11:12].isupper() for b in bases
    ):
        return "linen"
    if any(
        base in HAIKU_MODULES or (base.startswith("haiku.") and base[6:7].isupper())
        for base in bases
    ):
        return "haiku"
    return None


def is_record(cls: Class) -> bool:
    """Whether instances are made by assigning fields (dataclass, named tuple, flax.struct)."""
    if any(base in _RECORDS for base in external_bases(cls)):
        return True
    return any(
        _decorator_name(d, cls).endswith("dataclass")
        for c in mro(cls)
        for d in c.node.decorator_list
    )


def is_named_tuple(cls: Class) -> bool:
    return "typing.NamedTuple" in external_bases(cls)


def _decorator_name(decorator: ast.expr, cls: Class) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(target)


def fields(cls: Class) -> list[Field]:
    """The dataclass fields of a class in the order of its constructor; a redeclared one keeps its first place."""
    found: dict[str, Field] = {}
    for owner in reversed(mro(cls)):
        keyword_only = any(
            keyword.arg == "kw_only"
            and isinstance(keyword.value, ast.Constant)
            and keyword.value.value is True
            for keyword in owner.node.keywords
        )
        for statement in owner.node.body:
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                    text = ast.unparse(annotation)
                    if "ClassVar" in text:
                        continue
                    if text.split(".")[-1] == "KW_ONLY":
                        keyword_only = True
                        continue
                    found[name] = Field(name, annotation, value, owner, statement, keyword_only)
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in found:
                    # A bare assignment in a subclass changes the default of an inherited field.
                    known = found[name]
                    found[name] = Field(
                        name, known.annotation, value, owner, known.statement, known.keyword_only
                    )
    ordered = list(found.values())
    return [f for f in ordered if not f.keyword_only] + [f for f in ordered if f.keyword_only]


def is_blank(annotation: ast.expr | None) -> bool:
    """Whether a field was only annotated because dataclasses ask for it."""
    return isinstance(annotation, ast.Constant) and annotation.value == ""


def member(cls: Class, name: str) -> Value | None:
    """An attribute of the class or of the nearest ancestor that has it."""
    for owner in mro(cls):
        if name in owner.members:
            return owner.members[name]
    return None


def method(cls: Class, name: str) -> Function | None:
    found = member(cls, name)
    return found if isinstance(found, Function) else None


def parameters(cls: Class) -> list[str]:
    """The names of what a constructor takes by position, `self` aside."""
    initialiser = method(cls, "__init__")
    if initialiser is not None and isinstance(initialiser.node, ast.FunctionDef):
        return [parameter.arg for parameter in initialiser.node.args.args[1:]]
    return [declared.name for declared in fields(cls) if not declared.keyword_only]


def has_decorator(function: ast.AST, *names: str) -> bool:
    """Whether a function carries a decorator whose last name part is one of `names`."""
    return any(
        ast.unparse(d.func if isinstance(d, ast.Call) else d).split(".")[-1] in names
        for d in getattr(function, "decorator_list", ())
    )
