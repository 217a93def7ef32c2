"""Parameters, variables and random streams: `self.param`, `self.variable`, `make_rng` and Haiku's functions for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..chains import names_initializer
from ..model.sites import Site
from ..shapes.values import FILLINGS, Array, Either, External, Function, Items, Partial, Table
from ..signatures import written_arguments
from .brackets import bracketed
from .names import singular_collection
from .transport import CannotMove, Scope, Transport

KNOWN_COLLECTIONS = {
    "params": "nnx.Param",
    "batch_stats": "nnx.BatchStat",
    "cache": "nnx.Cache",
    "intermediates": "nnx.Intermediate",
}

_KEY = "rngs.params()"  # what an initialiser gets
_ARITHMETIC = (
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.BinOp,
    ast.UnaryOp,
    ast.operator,
    ast.unaryop,
    ast.expr_context,
)
_WORD = re.compile(r"[\w.]+")


def _reads(function: ast.Lambda) -> list[list[ast.AST]] | None:
    """Where a lambda reads each of its parameters; None where they are not all plain, or a name means two things."""
    spec = function.args
    if spec.vararg or spec.kwarg or spec.kwonlyargs or spec.defaults:
        return None
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    inner = list(ast.walk(function.body))
    if any(isinstance(n, ast.Lambda | ast.comprehension | ast.NamedExpr) for n in inner):
        return None if names else []
    return [[n for n in inner if isinstance(n, ast.Name) and n.id == name] for name in names]


def _taken(
    text: str, names: Sequence[ast.AST], parents: Mapping[ast.AST, ast.AST]
) -> dict[ast.AST, str] | None:
    """The items of a written tuple by the places that take them, `shape[0]`; None where it is asked for otherwise."""
    written = ast.parse(text.strip(), mode="eval").body
    if not isinstance(written, ast.Tuple | ast.List) or any(
        isinstance(item, ast.Starred) for item in written.elts
    ):
        return None
    items = {at: ast.unparse(item) for at, item in enumerate(written.elts)}
    items |= {at - len(items): item for at, item in items.items()}
    taken: dict[ast.AST, str] = {}
    for name in names:
        match above := parents.get(name):
            case ast.Subscript(value=value, slice=index) if value is name:
                at = ast.unparse(index)
                if not at.lstrip("-").isdigit() or int(at) not in items:
                    return None
                taken[above] = bracketed(items[int(at)], above, parents.get(above))
            case _:
                return None
    return taken


def stream_text(site: Site, transport: Transport, scope: Scope) -> str:
    """The random stream that a `make_rng` draws from: `rngs.dropout`, or `rngs[name]` where its name is computed."""
    assert site.variable is not None
    given = [*site.node.args, *(k.value for k in site.node.keywords if k.arg == "name")]
    if site.variable.name is not None or not given:
        return f"rngs.{site.variable.name or 'params'}"
    return f"rngs[{transport.expression(given[0], scope)}]"


@dataclass
class VariableWriter:
    """Writes the constructor lines of variables; remembers the Variable classes that they need."""

    transport: Transport
    framework: str
    classes: dict[str, str] = field(default_factory=dict)  # collection or state name -> class name
    helpers: set[str] = field(default_factory=set)
    streams: set[str] = field(default_factory=set)
    shared: Collection[str] = ()  # the attributes of streams that are forked in any case, elsewhere
    numpy: str = "jnp"
    uses_rngs: bool = False

    def begin(self, transport: Transport, shared: Collection[str]) -> None:
        """Starts another constructor, which `transport` carries expressions into."""
        self.transport = transport
        self.shared = shared
        self.uses_rngs = False
        self.streams.clear()

    def lines(
        self, site: Site, scope: Scope, place: Callable[[str, str, str], list[str]]
    ) -> list[str]:
        """The statement that makes one variable."""
        made = site.variable
        assert made is not None
        if made.kind == "rng":
            return self._stream(site, scope, place)
        text = self._value(site, scope)
        prefix, suffix = (
            (f"self.{site.attribute}.append(", ")")
            if site.loops
            else (f"self.{site.attribute} = ", "")
        )
        return place(prefix, text, suffix)

    def _stream(
        self, site: Site, scope: Scope, place: Callable[[str, str, str], list[str]]
    ) -> list[str]:
        made = site.variable
        assert made is not None
        self.uses_rngs = True
        if self.framework == "haiku" or site.attribute in self.shared:
            return []  # forked once for all, last
        stream = stream_text(site, self.transport, scope)
        if stream in self.streams:
            return []
        self.streams.add(stream)
        return place(f"self.{site.attribute} = ", f"{stream}.fork()", "")

    def _value(self, site: Site, scope: Scope) -> str:
        made = site.variable
        assert made is not None
        match made.kind:
            case "param":
                value = self._initial(site, scope, key=True)
                return f"nnx.Param({value})"
            case "variable":
                return f"{self.variable_class(made.collection)}({self._initial(site, scope, key=False)})"
        return f"{self.variable_class(made.name or 'state', state=True)}({self._initial(site, scope, key=True)})"

    def variable_class(self, collection: str, state: bool = False) -> str:
        if not state and collection in KNOWN_COLLECTIONS:
            return KNOWN_COLLECTIONS[collection]
        if collection not in self.classes:
            self.classes[collection] = singular_collection(collection, state=state)
        return self.classes[collection]

    # ---- first values ----------------------------------------------------------------------------------

    def _initial(self, site: Site, scope: Scope, key: bool) -> str:
        made = site.variable
        assert made is not None
        if self.framework == "haiku":
            return self._haiku(site, scope)
        offset = 2 if made.kind == "param" else 3
        args = list(site.node.args)
        keywords = {k.arg: k.value for k in site.node.keywords}
        init = args[offset - 1] if len(args) >= offset else keywords.pop("init_fn", None)
        if init is None:
            return "None"
        rest = [self.transport.expression(arg, scope) for arg in args[offset:]]
        extra = [
            f"{name}={self.transport.expression(value, scope)}"
            for name, value in keywords.items()
            if name not in ("unbox", "name", "col", "init_fn")
        ]
        first = [_KEY] if key else []
        if isinstance(init, ast.Lambda) and not extra:
            given = rest if key and not init.args.args else [*first, *rest]
            body = self._body(init, given, scope)
            if body is not None:
                self.uses_rngs |= _KEY in body
                return body
        head = self.transport.expression(init, scope)
        self.uses_rngs |= key
        if isinstance(init, ast.Lambda):
            head = f"({head})"
        return f"{head}({', '.join([*first, *rest, *extra])})"

    def _body(self, init: ast.Lambda, given: list[str], scope: Scope) -> str | None:
        """What a lambda returns, an array even where that is a Python number; None where only a call tells."""
        reads = _reads(init)
        if reads is None or len(reads) != len(given):
            return None
        substitutes: dict[ast.AST, str] = {}
        for text, names in zip(given, reads, strict=True):
            parts = _taken(text, names, self.transport.source.parents)
            if parts is None and len(names) > 1 and not _WORD.fullmatch(text):
                return None
            substitutes |= dict.fromkeys(names, text) if parts is None else parts
        self.transport.substitutes |= substitutes
        text = self.transport.expression(init.body, scope)
        return f"{self.numpy}.array({text})" if self._is_number(init.body) else text

    def _is_number(self, node: ast.expr) -> bool:
        """Whether an expression computes with fields and numbers alone: it may give a Python number."""
        if isinstance(self.transport.facts.value(node), Array | Items | Table):
            return False
        return all(isinstance(inner, _ARITHMETIC) for inner in ast.walk(node)) and not any(
            isinstance(inner, ast.Constant) and not isinstance(inner.value, int | float)
            for inner in ast.walk(node)
        )

    def _haiku(self, site: Site, scope: Scope) -> str:
        names = ("name", "shape", "dtype", "init")
        given = written_arguments(names, site.node)
        shape = self._shape(given["shape"], scope) if "shape" in given else "()"
        dtype = self._dtype(given.get("dtype"), scope)
        init = given.get("init")
        if init is None or (isinstance(init, ast.Constant) and init.value is None):
            if site.variable is not None and site.variable.kind == "state":
                raise CannotMove(site.node, "state without an initial value", "give `init=`")
            self.helpers.add("haiku_init")
            self.uses_rngs = True
            return f"haiku_init(rngs.params(), {shape}{dtype})"
        return self._from_init(init, shape, dtype, scope)

    def _from_init(self, init: ast.expr, shape: str, dtype: str, scope: Scope) -> str:
        value = self.transport.facts.value(init)
        text = self.transport.expression(init, scope)
        options = value.values if isinstance(value, Either) else ()
        if any(isinstance(option, Function | Partial) for option in options):
            raise CannotMove(
                init,
                "an initialiser that may be a function of (shape, dtype)",
                "write it as a function of (key, shape, dtype)",
            )
        named = self._is_named(init, scope)
        filled = any(isinstance(v, External) and v.name in FILLINGS for v in [*options, value])
        if filled and not named and not names_initializer(self.transport.source.segment(init)):
            raise CannotMove(
                init,
                "a function that fills an array is an initialiser under a name that does not say so",
                "use an initialiser of hk.initializers, or call it `init`",
            )
        if named and isinstance(value, External) and value.name in FILLINGS:
            return f"{self.transport.source.segment(init)}({shape}{dtype})"
        if isinstance(value, Function):
            body = f"({text})" if isinstance(init, ast.Lambda) else text
            return f"{body}({shape}{dtype or ', ' + self.numpy + '.float32'})"
        match init:
            case ast.Call(args=[constant], keywords=[]) if ast.unparse(init.func).endswith(
                "Constant"
            ):
                filling = self.transport.expression(constant, scope)
                return f"{self.numpy}.full({shape}, {filling}{dtype})"
        self.uses_rngs = True
        return f"{text}(rngs.params(), {shape}{dtype})"

    def _is_named(self, init: ast.expr, scope: Scope) -> bool:
        """Whether an initialiser is a name of the file, and no attribute or local."""
        root = init
        while isinstance(root, ast.Attribute):
            root = root.value
        own = {"self", *scope.parameters, *scope.assignments}
        return isinstance(root, ast.Name) and root.id not in own

    def _shape(self, node: ast.expr, scope: Scope) -> str:
        text = self.transport.expression(node, scope)
        if isinstance(node, ast.List):
            inner = text.strip()[1:-1].strip()
            return (
                f"({inner},)" if len(node.elts) == 1 and not inner.endswith(",") else f"({inner})"
            )
        return text

    def _dtype(self, node: ast.expr | None, scope: Scope) -> str:
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return ""
        if isinstance(node, ast.Attribute) and node.attr == "dtype":
            return ""  # the dtype of the input: float32
        return f", {self.transport.expression(node, scope)}"
