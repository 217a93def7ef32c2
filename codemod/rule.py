"""The language in which rules are written.

A rule module in `rules/` states what it knows in a module-level tuple `RULES`; its docstring is what
`nnx-codemod rules CODE` shows. Most rules are data: `Renames` for functions that have an equal in NNX under another
name, `Call` for functions whose arguments change, `Layer` for modules. Where data cannot say it, an argument may be
given a small function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .shapes.dims import Dim, is_dim
from .shapes.values import Array, Constant, Items, Shape, Unknown, Value, as_dim


class Declined(Exception):
    """A rule's refusal: what stopped it and what a person does next.

    `unsized` if a size or rank was wanting, which a run of the original would show.
    """

    def __init__(self, message: str, help: str, unsized: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.unsized = unsized


# ---- what rules see of one use --------------------------------------------------------------------


@dataclass(frozen=True)
class Use:
    """One use of a layer, as the interpreter saw it.

    `arguments` are the constructor's by the source's parameter names, defaults filled in; `inputs` the call's, by the
    names in the rule's `inputs`. `given` are the names that the source wrote out.
    """

    arguments: Mapping[str, Value]
    inputs: Mapping[str, Value]
    given: frozenset[str] = frozenset()
    to_dim: Callable[[Value | None], Dim | None] = as_dim
    unknown: Callable[[str], Dim] = lambda why: 1
    written: Callable[[str], Dim | None] = lambda text: None  # the size that an expression computes
    own_features: Callable[[], Dim] = lambda: 1  # `out_features` of the layer that is made
    # By sizes, and the text between.
    computed: Callable[[Sequence[Dim | str]], Dim] = lambda parts: 1

    def input(self, which: int | str = 0) -> Value | None:
        if isinstance(which, str):
            return self.inputs.get(which)
        return next((v for i, v in enumerate(self.inputs.values()) if i == which), None)

    def shape(self, which: int | str = 0) -> Shape | None:
        """The shape of an input; None where unknown."""
        value = self.input(which)
        return value.shape if isinstance(value, Array) else None

    def dim(self, name: str) -> Dim | None:
        """A constructor argument that is a size."""
        return self.to_dim(self.arguments.get(name))

    def dims(self, name: str) -> Shape | None:
        """A constructor argument that is a tuple of sizes (a lone size is a tuple of one)."""
        value = self.arguments.get(name)
        dims = [
            self.to_dim(item) for item in (value.items if isinstance(value, Items) else [value])
        ]
        return None if any(dim is None for dim in dims) else tuple(dims)

    def per_axis(self, name: str, count: int) -> Shape | None:
        """A constructor argument as `count` sizes, read off one by one where only its text is known."""
        value = self.arguments.get(name)
        if isinstance(value, Unknown):
            parts = [self.written(f"{value.text}[{i}]") for i in range(count)] if value.text else []
            return tuple(parts) if parts and None not in parts else None
        if isinstance(value, Constant) and value.value is None:
            return (1,) * count
        dims = self.dims(name)
        return dims * count if dims is not None and len(dims) == 1 else dims

    def constant(self, name: str, default: Any = None) -> Any:
        """A constructor argument that is known whole, else `default`."""
        value = self.arguments.get(name)
        if isinstance(value, Constant):
            return value.value
        if isinstance(value, Items) and all(isinstance(item, Constant) for item in value.items):
            return tuple(item.value for item in value.items if isinstance(item, Constant))
        return default


SizeOf = Callable[[Use], Dim | None]
ShapeOf = Callable[[Use], Value | None]


def axis(which: int | str = 0, at: int = -1) -> SizeOf:
    """The size of axis `at` of an input."""

    def size(use: Use) -> Dim | None:
        shape, value = use.shape(which), use.input(which)
        if shape is None and at == -1 and isinstance(value, Array):
            return value.last
        return None if shape is None or not -len(shape) <= at < len(shape) else shape[at]

    return size


def same_shape(which: int | str = 0) -> ShapeOf:
    """The result is shaped like an input."""
    return lambda use: use.input(which)


def last_axis(name: str, which: int | str = 0) -> ShapeOf:
    """The result is an input with the last axis replaced by a constructor argument."""

    def shape(use: Use) -> Value | None:
        source, features, value = use.shape(which), use.dim(name), use.input(which)
        if source is None and isinstance(value, Array) and value.last is not None:
            return Array(
                None, dtype_of(value), last=use.own_features() if features is None else features
            )
        if source is None:
            return None
        if features is None:
            features = use.own_features()
        return Array((*source[:-1], features), dtype_of(use.input(which)))

    return shape


def dtype_of(value: Value | None) -> str:
    """The dtype of a layer's result: float32 for integer or unknown input."""
    dtype = value.dtype if isinstance(value, Array) else None
    return dtype if dtype is not None and "float" in dtype else "float32"


# ---- how arguments are written ---------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """An argument as the source wrote it: its text (already rewritten within) and its value."""

    text: str
    value: Value | None
    use: Use

    @property
    def constant(self) -> Any:
        return self.value.value if isinstance(self.value, Constant) else None


Writer = Callable[[Written], "str | None"]


@dataclass(frozen=True)
class To:
    """The argument is written to `name`; `write` changes its text (returning None leaves it out)."""

    name: str
    write: Writer | None = None


@dataclass(frozen=True)
class Drop:
    """The argument goes. With `only_if`, only where its value is one of these; else the site is declined."""

    only_if: tuple[Any, ...] | None = None
    message: str = ""
    help: str = ""


@dataclass(frozen=True)
class Mode:
    """A flag for training or evaluation, obeyed by `model.train()` and `model.eval()`.

    `when_true` is the mode that a true value stands for, `target` the flag's name in NNX, where it has one (it is
    written there when the repository keeps its flags), negated if the meaning is the opposite.
    """

    when_true: str  # "train" or "eval"
    target: str | None = None
    negated: bool = False


@dataclass(frozen=True)
class Refuse:
    """The argument has no counterpart: the site is declined unless it has the source's own default."""

    message: str
    help: str


@dataclass(frozen=True)
class Around:
    """The argument of a call goes to a helper that calls the layer: `helper(layer, x, scale=s)`."""

    helper: str


Argument = To | Drop | Mode | Refuse | Around
Told = Callable[[Use], "Dim | Shape | str | None"]


class Run(Protocol):
    """How a layer calls those that it is given."""

    def __call__(
        self, function: Value, args: Sequence[Value], kwargs: Mapping[str, Value], /
    ) -> Value: ...

    def in_turn(
        self, layers: Sequence[Value], start: Value, step: Callable[[Value, Value], Value], /
    ) -> Value:
        """What the last of `step(layer, value)` returns, where a loop made as many layers as only it knows."""


@dataclass(frozen=True)
class Method:
    """Another method of a layer than its call: what it returns and what becomes of its arguments.

    `inputs` are its parameters in order; `write` gives the text of the new call's arguments, for a table seldom says
    it all. A Method stands wherever the shape of a method's result is asked for.
    """

    output: ShapeOf
    inputs: tuple[str, ...] = ()
    write: Callable[[Mapping[str, Written]], str] | None = None

    def __call__(self, use: Use) -> Value | None:
        return self.output(use)


@dataclass(frozen=True)
class Heritage:
    """What a class that a program derives from a layer of Haiku gets from it.

    `constructor` and `call` are the layer's parameters with their defaults, `attributes` what its constructor sets: an
    expression over its parameters, in braces, and `{jnp}`.
    """

    constructor: str
    call: str = "inputs"
    attributes: Mapping[str, str] = field(default_factory=dict)


# ---- rules -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What all rules have. `before` and `after` are a minimal example, shown by `nnx-codemod rules`."""

    code: str
    summary: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class Renames(Rule):
    """Names with an equal in NNX or JAX: calls keep their arguments."""

    names: Mapping[str, str]  # qualified name -> qualified name
    # Whether they are types of what the framework's programs hold: code around these keeps them while any stays.
    of_programs: bool = False


@dataclass(frozen=True, kw_only=True)
class Call(Rule):
    """A function call that keeps its place but changes its name or its arguments.

    `helper` names a definition of `nnx_layers.py` where `target` is one. `keyword_only` are target parameters that
    cannot be given by position: from the first of these on, arguments are written by keyword.
    """

    source: str
    target: str
    signature: tuple[str, ...]
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    stated: Mapping[str, str] = field(default_factory=dict)
    keyword_only: tuple[str, ...] = ()
    packed: bool = False  # the target takes what is given by position as one tuple
    hands_on: bool = False  # `**options` at the end of a call, too
    only: Callable[[Value | None], bool] | None = None  # of what the first argument has to be
    write: Callable[[Mapping[str, Written]], str] | None = (
        None  # the whole call, where a table cannot say it
    )
    result: ShapeOf | None = None  # default: jax.eval_shape on the source function


@dataclass(frozen=True)
class VariableName:
    """One variable of a layer: its name in the source and in NNX, and what changes in its layout.

    `collection` is Linen's (`params`, `batch_stats`); Haiku's parameters are `params`, its state `state`. `layout` is
    a NumPy expression over `v` and the layer's own NNX shapes (`v.reshape(shape)`), empty where equal. Several sources
    of one target are its parts, joined along the last axis in the order of the table.
    """

    source: str
    target: str
    collection: str = "params"
    layout: str = ""


@dataclass(frozen=True, kw_only=True)
class Layer(Rule):
    """A layer: a module of the source framework and what takes its place.

    `target` is a qualified name (`flax.nnx.Linear`) or, with `helper=True`, a definition of `nnx_layers.py`.
    `signature` is the source constructor's parameters in order, without `name` and `parent`; `defaults` those of its
    defaults that matter to `sizes`, `output` or a writer. `inputs` are the parameters of its call in order.

    `sizes` are the target's parameters that the source infers from its input; they and the arguments in `leading` are
    written first and by position, in the order of `leading`. Other arguments keep their name, place and spelling
    unless `arguments` says otherwise. `stated` are arguments that are added where the source leaves them out, since
    the defaults differ. `call` says the same of the arguments of the call.

    `told` are parameters of the target that only some uses need: each function gives a size, a tuple of sizes or a
    text; None leaves the parameter out, or to `sizes`. `runs` is for layers that call layers which they are given: it
    calls them with what they will get and returns the result.

    `variant` gives the rule for a layer that is made with some arguments, where it is another one. `handed` is the rule
    for a layer whose class is handed on, `partial(Net, conv=nn.ConvLocal)`, to code that may make other layers, too.

    `heritage` says what subclasses get from the layer; those of a layer without it stay.

    `options` names the definition of `nnx_layers.py` that gives unpacked options, `**config`, the target's names; it
    takes those of `stated` as defaults. `call_options` does so for what a call unpacks.

    With `inline`, the source makes and applies the layer in one function call (`hk.dropout(key, rate, x)`):
    `signature` is then that of the whole call, and `inputs` names those of its parameters that the layer is called with.
    `late` names a function of `nnx_layers.py` that takes all of them: it is called where only a run knows the rest.
    """

    source: str
    target: str
    helper: bool = False
    signature: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    keyword_only: tuple[str, ...] = ()
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    sizes: Mapping[str, SizeOf] = field(default_factory=dict)
    leading: tuple[str, ...] = ()
    stated: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Told] = field(default_factory=dict)
    inputs: tuple[str, ...] = ("inputs",)
    call: Mapping[str, Argument] = field(default_factory=dict)
    output: ShapeOf = same_shape()
    runs: Callable[[Use, Run], Value | None] | None = None
    # other methods and what they return, by name
    methods: Mapping[str, ShapeOf | Method] = field(default_factory=dict)
    attribute: str = "layer"
    variables: tuple[VariableName, ...] = ()
    rngs: bool = True
    holds: frozenset[str] = frozenset()  # besides Params: "BatchStat", "RngState"
    check: Callable[[Use], None] | None = None  # raises Declined
    inline: bool = False
    late: str = ""
    around: str = ""  # the helper that is made of the layer and takes its place
    variant: Callable[[Mapping[str, Value]], Layer | None] | None = None
    handed: Layer | None = None
    heritage: Heritage | None = None
    options: str = ""  # the helper that gives unpacked options their names in NNX
    call_options: str = ""  # the same for what is unpacked in a call


@dataclass(frozen=True, kw_only=True)
class Unsupported(Rule):
    """Names that NNX has no counterpart for: a diagnostic of their own says why and what to do."""

    names: Mapping[str, tuple[str, str]]  # qualified name -> (why, what to do next)


@dataclass(frozen=True)
class Helper:
    """A definition of `nnx_layers.py`: its source text, two spaces a level, and what it needs."""

    name: str
    text: str
    imports: Sequence[str] = ()  # import statements, whole lines
    needs: Sequence[str] = ()  # other helpers


def is_size(value: object) -> bool:
    return is_dim(value)
