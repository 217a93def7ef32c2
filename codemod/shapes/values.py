"""What an expression can be to the interpreter."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from .dims import Dim, is_dim

if TYPE_CHECKING:
    from ..project import Module as PythonModule
    from ..rule import Layer
    from .interpreter import Interpreter
    from .scopes import Environment

Shape = tuple[Dim, ...]


class Value:
    """Base of all abstract values."""


@dataclass(frozen=True)
class Constant(Value):
    """A Python object that is known whole: a number, a string, None, True."""

    value: Any


@dataclass(frozen=True)
class Size(Value):
    """A symbolic integer."""

    dim: Dim


SOME_FLOAT = "float"  # the dtype of an array whose float another call, or a field, may choose


@dataclass(frozen=True)
class Array(Value):
    """An array. `shape` is None where even the rank is unknown; `dtype` is a NumPy name, `SOME_FLOAT` or None.

    An `optional` array may be None instead. Of one of unknown rank, `last` may still tell the last axis.
    """

    shape: Shape | None
    dtype: str | None = None
    optional: bool = False
    last: Dim | None = None

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def features(self) -> Dim | None:
        """The last axis; None where there is none, or it is not known."""
        return self.last if self.shape is None else (self.shape[-1] if self.shape else None)


@dataclass(frozen=True, eq=False)
class Ranks(Array):
    """An array of one of two ranks, with one last axis: the first where the branch `decided` goes to its body."""

    options: tuple[Array, ...] = ()
    decided: ast.AST | None = None


@dataclass(frozen=True, eq=False)
class Appended(Array):
    """An array that is in a list only where the branch `decided` goes to its body, or, not `held`, to its `else`."""

    decided: ast.AST | None = None
    held: bool = True


@dataclass(eq=False)
class Items(Value):
    """A list or tuple with known items; `names` makes it a named tuple. An `open` one may hold each item many times."""

    items: list[Value]
    kind: str = "tuple"
    names: tuple[str, ...] = ()
    cls: Value | None = None
    open: bool = False


@dataclass(eq=False)
class Table(Value):
    """A dict with known keys."""

    items: dict[Any, Value]


@dataclass(frozen=True)
class Unpacked:
    """The key in a `Table` of what a dict display unpacks, `{**state}`, whose own keys are not known."""

    node: ast.expr


@dataclass(frozen=True)
class Repeated(Value):
    """A sequence (with `key`, a mapping) of unknown length, all of whose items are like `item`.

    `count` is how many there are, where that is a size.
    """

    item: Value
    text: str | None = None
    key: Value | None = None
    count: Dim | None = None


@dataclass(frozen=True)
class ShapePart(Value):
    """Some of an input's sizes, as many as a field says; the origin of `symbol` is an InputPart."""

    symbol: Dim


@dataclass(frozen=True)
class Index(Value):
    """An integer that a loop counts, before the loop gives it a name."""


@dataclass(frozen=True)
class External(Value):
    """Something of a library, by its qualified name: `jax.numpy.concatenate`, `flax.linen.Dense`."""

    name: str


@dataclass(eq=False)
class Function(Value):
    """A function of the user's, with the environment that it closes over."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    environment: Environment
    owner: Class | None = None  # the class that it is a method of

    @property
    def name(self) -> str:
        return "<lambda>" if isinstance(self.node, ast.Lambda) else self.node.name


@dataclass(eq=False)
class Class(Value):
    """A class of the user's."""

    node: ast.ClassDef
    environment: Environment
    bases: list[Value]
    members: dict[str, Value] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def module(self) -> PythonModule:
        return self.environment.module

    @property
    def around(self) -> Environment:
        """The scope that its statement stands in."""
        return self.environment.parent or self.environment


@dataclass(eq=False)
class Object(Value):
    """An instance of a user class; a Linen or Haiku module once it is made."""

    cls: Class
    attributes: dict[str, Value] = field(default_factory=dict)
    site: ast.Call | None = None
    arguments: dict[str, Value] = field(default_factory=dict)


@dataclass(eq=False)
class LayerObject(Value):
    """A layer of a library: what its rule makes of the constructor's arguments."""

    rule: Layer
    arguments: dict[str, Value]
    site: ast.Call | None = None
    cls: Class | None = None  # of the user's, where it refines the layer


@dataclass(frozen=True, eq=False)
class Bound(Value):
    """A method taken from an object."""

    target: Value
    function: Value
    name: str


@dataclass(frozen=True, eq=False)
class Partial(Value):
    """functools.partial."""

    function: Value
    args: tuple[Value, ...]
    kwargs: Mapping[str, Value]
    site: ast.Call | None = None


@dataclass(frozen=True, eq=False)
class Either(Value):
    """One of several values, depending on a branch: on `decided`, where one statement decides between two."""

    values: tuple[Value, ...]
    decided: ast.If | ast.IfExp | None = None


@dataclass(eq=False)
class Variable(Value):
    """What `self.variable` returns in Linen: an object with a `value`."""

    site: ast.Call
    value: Value


FLAG = "flag"  # why a value is not known: True or False
PRESENT = "there"  # neither None nor empty
WORD = "a word"  # some string
# functions that fill an array: what Haiku takes for an initialiser as well, and what that is in NNX
FILLINGS = {
    "jax.numpy.zeros": "flax.nnx.initializers.zeros",
    "numpy.zeros": "flax.nnx.initializers.zeros",
    "jax.numpy.ones": "flax.nnx.initializers.ones",
    "numpy.ones": "flax.nnx.initializers.ones",
}


@dataclass(frozen=True)
class Unknown(Value):
    """Something that reading cannot tell. `text`, where set, writes it in a constructor (`config.dtype`).

    What a loop goes through is so written in the turns of `loop` alone. `told` is what a rule says of it. `parts` are
    the sizes, and the text between them, of a number that is not whole.
    """

    text: str | None = None
    why: str = ""
    loop: ast.AST | None = None
    told: str = ""
    parts: tuple[Dim | str, ...] = ()


@dataclass(eq=False)
class Super(Value):
    """`super()` within a method of `cls` on `target`."""

    target: Object
    cls: Class


@dataclass(frozen=True, eq=False)
class SuperMethod(Value):
    """A method of an ancestor, bound to an object."""

    target: Object
    function: Function


class Behaviour(Value):
    """Base of values that say themselves what is done with them: those of the program around modules."""

    unpacks: ClassVar[bool] = False  # whether `{**value}` has its parts, whatever their keys

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        return UNKNOWN

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        return UNKNOWN

    def subscript(self, interp: Interpreter, index: Value, node: ast.Subscript) -> Value:
        return UNKNOWN

    def items(self, interp: Interpreter, count: int | None) -> list[Value] | None:
        """What it unpacks into, None where it does not."""
        return None

    def join(self, other: Value) -> Value | None:
        """A value that stands for both, None where there is none."""
        return None


@dataclass(eq=False)
class OpenShape(Behaviour):
    """The shape of an array of unknown rank whose last axis is known."""

    last: Dim

    def subscript(self, interp: Interpreter, index: Value, node: ast.Subscript) -> Value:
        return from_dim(self.last) if index == Constant(-1) else UNKNOWN

    def items(self, interp: Interpreter, count: int | None) -> list[Value] | None:
        return [*[UNKNOWN] * (count - 1), from_dim(self.last)] if count else None

    def join(self, other: Value) -> Value | None:
        return UNKNOWN


@dataclass(eq=False)
class Begun(Behaviour):
    """A tuple of which the first items are known."""

    first: list[Value]

    def subscript(self, interp: Interpreter, index: Value, node: ast.Subscript) -> Value:
        at = index.value if isinstance(index, Constant) else None
        return self.first[at] if isinstance(at, int) and 0 <= at < len(self.first) else UNKNOWN


UNKNOWN = Unknown()
NONE = Constant(None)
TRUE = Constant(True)
FALSE = Constant(False)


def as_dim(value: Value | None) -> Dim | None:
    """The size that a value is, if it is one."""
    if isinstance(value, Size):
        return value.dim
    if isinstance(value, Constant) and is_dim(value.value):
        return value.value
    return None


def count_of(value: Value) -> Dim | None:
    """How many items a sequence of unknown length has, where that is a size."""
    match value:
        case Repeated(count=count):
            return count
        case Array(shape=(first, *_)):
            return first
    return None


def from_dim(dim: Dim) -> Value:
    return Constant(dim) if isinstance(dim, int) else Size(dim)


def as_shape(value: Value | None) -> Shape | None:
    """The shape that a tuple or list of sizes is."""
    if isinstance(value, Items):
        dims = [as_dim(item) for item in value.items]
        return None if any(dim is None for dim in dims) else tuple(dims)
    dim = as_dim(value)
    return None if dim is None else (dim,)
