"""Runs rewritten modules inside Linen or Haiku code that stays as it is.

`Block(features)(x)` in a Linen module becomes `nnx.bridge.to_linen(Block, x.shape[-1], features)(x)`: what the module is
called with, right there or under a name, tells the sizes that its constructor now takes. Where only the call itself can
tell them, and in all Haiku code, for which Flax has no bridge, a helper makes the module as it is called. Only a direct call of the class
can be bridged, and only where each size can be written down; all other uses keep the class as it is.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .. import signatures
from ..ancestry import lineage
from ..chains import bound_names, is_own, root_name
from ..edits import Edits
from ..model.module import AddedParameter, ModuleModel
from ..shapes import classes
from ..shapes.chosen import defaults
from ..shapes.lifts import lifts_in
from ..shapes.values import (
    Array,
    Class,
    External,
    Function,
    Object,
    Unknown,
    Value,
)
from ..source import Source
from . import layout, unpackings
from .bound_sizes import for_call
from .bridged_calls import call_as, sets_mode
from .handed import may_be_module, may_give_module

TO_LINEN = "nnx.bridge.to_linen"
HELPERS = frozenset(("linen_module", "linen_model", "linen_record", "haiku_module"))
_KNOWN_STATE = frozenset(("BatchStat", "RngState", "Cache"))


def helper_for(model: ModuleModel, methods: bool = False) -> str:
    """What runs a module that a plain bridge does not do for: one that draws from random streams that `init` may not
    be given, whose sizes only the call tells, that decodes, or that is asked for other methods."""
    if model.framework == "haiku":
        return "haiku_module"
    return "linen_model" if methods or _is_more(model) else "linen_module"


def _is_more(model: ModuleModel) -> bool:
    """Whether a module decodes, sows, or has parameters that are boxes in Linen."""
    return "Cache" in model.holds or model.sows or model.names_axes


def _needs_helper(model: ModuleModel) -> bool:
    return "RngState" in model.holds or _is_more(model) or sets_mode(model)


def is_bridge(node: ast.AST) -> bool:
    """Whether a node is the head of a bridge, as an earlier run may have written it."""
    if isinstance(node, ast.Name):
        return node.id in HELPERS
    return isinstance(node, ast.Attribute) and ast.unparse(node).endswith(TO_LINEN)


@dataclass(frozen=True)
class Bridge:
    """One constructor call in code that stays, and its new text."""

    call: ast.Call
    text: str
    helper: str | None = None


def bound_class(
    cls: Class, model: ModuleModel, methods: bool = False, fields: bool = False
) -> tuple[list[str], str | None] | None:
    """The arguments of the partial that makes a rewritten module in code that stays, and the helper that it needs.

    `methods` says that the code asks it for other methods than the one that a call runs, `fields` that it reads fields.
    """
    if not _may_cross(model) or (fields and (methods or _is_more(model))):
        return None
    helper = "linen_record" if fields else helper_for(model, methods)
    plain = model.framework == "linen" and not model.added and not _needs_helper(model)
    if plain and not methods and not fields:
        rest = [] if model.takes_rngs else ["skip_rng=True"]
        return [TO_LINEN, model.new_name, *rest], None
    if any(not _may_be_told(a, model) for a in model.added) or not model.takes_rngs:
        return None
    sizes = _sizes_of_call(cls, model.added) if model.added else ""
    if sizes is None:
        return None
    mode = _mode_of_call(cls, model, methods)
    if mode is None:
        return None
    return [helper, model.new_name, *([sizes] if sizes else []), *mode], helper


def _mode_of_call(cls: Class, model: ModuleModel, methods: bool) -> list[str] | None:
    """What tells a bridge the mode of a call, which takes nothing of most modules; None where nothing can."""
    if not sets_mode(model):
        return []
    text = call_as(cls, model)
    return None if text is None or methods or _is_more(model) else [text]


def _may_cross(model: ModuleModel) -> bool:
    """Whether a bridge carries all the state of a module."""
    if model.framework == "haiku":
        bases = classes.external_bases(model.cls) if isinstance(model.cls, Class) else []
        return not any(base in _CORES for base in bases)
    return (
        model.holds <= _KNOWN_STATE and (not model.sows or model.sown_unread) and not model.refines
    )


@dataclass
class Uses:
    """The calls of a module, the methods among them, and whether it is handed on to where nobody looks."""

    calls: list[ast.Call] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    escapes: bool = False


class Bridges:
    """Bridges from one piece of Linen code, a class or a whole file, to rewritten modules."""

    def __init__(
        self,
        source: Source,
        root: ast.AST,
        resolve: Callable[[ast.expr], object],
        value_of: Callable[[ast.AST], Value | None],
        edits: Edits,
        elsewhere: Collection[ast.AST] = (),
        rewritten: Collection[ast.AST] = (),
        limit: int = 100,
        as_given: Callable[[Object, AddedParameter], str | None] = lambda made, added: None,
        is_layer: Callable[[str], bool] = lambda name: False,
    ) -> None:
        """`rewritten` are classes that may be given to a rewritten class as they are; `limit` is the longest line.

        `is_layer` says of a layer of the library whether its class, given to a rewritten one, becomes that of NNX.

        `as_given` writes a size on the axis that a module is made for.
        """
        self.limit = limit
        self.source = source
        self.root = root
        self.resolve = resolve
        self.value_of = value_of
        self.edits = edits
        self.elsewhere = elsewhere
        self.rewritten = rewritten
        self.as_given = as_given
        self.is_layer = is_layer

    def find(self, cls: Class, model: ModuleModel) -> list[Bridge] | None:
        """The bridges for all uses of `cls` in the code, None where some use cannot be bridged."""
        if not _may_cross(model):
            return None
        found = []
        for node in self.mentions(cls):
            above = self.source.parents.get(node)
            if not isinstance(above, ast.Call) or above.func is not node:
                return None
            bridge = self._bridge(above, cls, model)
            if bridge is None:
                return None
            found.append(bridge)
        return found

    def mentions(self, cls: Class) -> Iterator[ast.expr]:
        """The names by which the code speaks of a class."""
        for node, found in mentioned(self.source, self.root, self.elsewhere, self.resolve):
            if found.node is cls.node:
                yield node

    def may_stand_in(self, node: ast.expr) -> bool:
        """Whether something callable may come in the place of a class where it is mentioned."""
        above = self.source.parents.get(node)
        if isinstance(above, ast.Attribute | ast.ClassDef) or self._is_lifted(node):
            return False
        if not isinstance(above, ast.Call):
            return True
        if isinstance(above.func, ast.Name) and above.func.id in ("isinstance", "issubclass"):
            return False
        if isinstance(cls := self.resolve(node), Class) and above.func is node:
            return not may_give_module(
                above, cls, self._known, self.resolve, passes=self._is_rewritten
            )
        return not any(
            may_be_module(a, self._known, self.resolve) and not self._is_rewritten(a)
            for a in _given(above)
            if a is not node
        )

    def _is_lifted(self, node: ast.expr) -> bool:
        """Whether a class, or what it is a part of, `block = partial(Block, width)`, is handed to a lifted transform."""
        above = self.source.parents.get(node)
        while isinstance(above, ast.Call) and node in _given(above):
            if self._lifts(above):
                return True
            node, above = above, self.source.parents.get(above)
        match above:
            case ast.Assign(targets=[ast.Name(id=name)]):
                return any(
                    isinstance(each, ast.Call)
                    and any(isinstance(a, ast.Name) and a.id == name for a in _given(each))
                    and self._lifts(each)
                    for each in ast.walk(self._scope(above))
                )
        return False

    def _lifts(self, call: ast.Call) -> bool:
        """Whether a call is that of a lifted transform, or of a function that gives it what it is given."""
        head = self.resolve(call.func) if isinstance(call.func, ast.Name | ast.Attribute) else None
        function = head.node if isinstance(head, Function) else None
        return _is_of_framework(head) or (
            isinstance(head, Function)
            and isinstance(function, ast.FunctionDef)
            and any(True for _ in lifts_in(function, head.environment))
        )

    def _known(self, node: ast.AST) -> Value | None:
        """What an expression is; of a local in code that nobody ran, which module it was made of."""
        value = self.value_of(node)
        if not isinstance(node, ast.Name) or not (value is None or isinstance(value, Unknown)):
            return value
        for each in ast.walk(self._scope(node)):
            match each:
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(func=ast.Name() | ast.Attribute() as head),
                ) if name == node.id:
                    made = self.resolve(head)
                    if isinstance(made, Class) and classes.framework(made) is not None:
                        return Object(made)
        return value

    def _is_rewritten(self, argument: ast.expr) -> bool:
        """Whether an argument is itself a rewritten class, or that of a layer, which a rewritten module takes."""
        if not isinstance(argument, ast.Name | ast.Attribute):
            return False
        value = self.resolve(argument)
        if isinstance(value, External):
            return self.is_layer(value.name)
        return isinstance(value, Class) and value.node in self.rewritten

    def _bridge(self, call: ast.Call, cls: Class, model: ModuleModel) -> Bridge | None:
        if any(k.arg in (None, "parent") for k in call.keywords) or any(
            isinstance(a, ast.Starred) for a in call.args
        ):
            return None
        if may_give_module(call, cls, self._known, self.resolve):
            return None  # of which framework it must be is not known
        uses = self._uses(call)
        if uses is None or (uses.escapes and other_methods(cls)):
            return None
        above = self.source.parents.get(call)
        at_once = isinstance(above, ast.Call) and above.func is call
        bound = [for_call(self._as_made(added, call), cls, call, at_once) for added in model.added]
        sizes = [(added, self._size(added, cls, call, uses.calls)) for added in bound]
        told = all(text is not None or added.optional for added, text in sizes)
        helper = helper_for(model, bool(uses.methods))
        if model.framework == "linen":
            if told and not _needs_helper(model):
                return Bridge(call, self._direct(call, model, sizes))
            if uses.methods and not crosses_with(cls, model, uses.methods):
                return None  # the sizes are those of a call
        elif _gives_name(call, cls) or (uses.methods and model.added and not told):
            return None
        mode = _mode_of_call(cls, model, bool(uses.methods))
        if mode is None or any(not _may_be_told(a, model) for a in model.added):
            return None
        if told and not any(a.optional for a in model.added) and not (uses.escapes and model.added):
            leading = [text for _, text in sizes if text]
            return Bridge(call, self._with_helper(helper, call, leading, mode), helper)
        if any(_may_give(call, cls, added.fields) for added in bound):
            return None
        lambdas = _sizes_of_call(cls, [dataclasses.replace(a, fields=()) for a in bound])
        if lambdas is None or not model.takes_rngs or not self._knows_kinds(cls, bound):
            return None
        return Bridge(call, self._with_helper(helper, call, [], [lambdas, *mode]), helper)

    def _knows_kinds(self, cls: Class, added: Iterable[AddedParameter]) -> bool:
        """Whether the names by which a class asks what kind of input it has mean the same here."""
        function = _method(cls, "__call__")
        for root in {_root(each) for each in added}:
            statement = unpackings.found(function, root) if function is not None else None
            for name in unpackings.kinds(statement) if statement is not None else ():
                known = cls.environment.names.get(name.id)
                if known is None or self.resolve(name) is not known:
                    return False
        return True

    def _as_made(self, added: AddedParameter, call: ast.Call) -> AddedParameter:
        """A size on the axis that a call's own arguments choose, where they are known."""
        made = self.value_of(call)
        if not added.fields or not isinstance(made, Object):
            return added
        source = self.as_given(made, added)
        return added if source is None else dataclasses.replace(added, source=source, fields=())

    def _direct(
        self,
        call: ast.Call,
        model: ModuleModel,
        told: Sequence[tuple[AddedParameter, str | None]],
    ) -> str:
        sizes = [(added, text) for added, text in told if text is not None]
        by_keyword = bool(call.keywords) and not call.args and len(sizes) > 1
        args = [f"{a.name}={t}" if by_keyword else t for a, t in sizes if not a.keyword_only]
        args += [self.edits.render(arg) for arg in call.args]
        args += [f"{a.name}={t}" for a, t in sizes if a.keyword_only]
        args += [f"{k.arg}={self.edits.render(k.value)}" for k in call.keywords]
        if not model.takes_rngs:
            args.append("skip_rng=True")
        return self._laid_out(call, TO_LINEN, [self.edits.render(call.func), *args])

    def _with_helper(
        self, helper: str, call: ast.Call, leading: list[str], trailing: list[str]
    ) -> str:
        args = [self.edits.render(call.func), *leading]
        args += [self.edits.render(arg) for arg in call.args]
        args += [f"{k.arg}={self.edits.render(k.value)}" for k in call.keywords]
        return self._laid_out(call, helper, [*args, *trailing])

    def _laid_out(self, call: ast.Call, head: str, args: list[str]) -> str:
        """The text of a call in another's place, broken where its line would be too long."""
        start = self.source.span(call)[0]
        indent = self.source.line_indent(start)
        prefix = self.source.text[self.source.line_start(start) + len(indent) : start]
        text = layout.call(
            head,
            args,
            indent=indent,
            unit=self.source.hanging_indent,
            limit=self.limit,
            prefix=prefix,
        )
        return text.removeprefix(prefix)

    # ---- uses -------------------------------------------------------------------------------------------

    def _uses(self, call: ast.Call) -> Uses | None:
        """How what `call` makes is used; None where something else than a call is asked of it."""
        above = self.source.parents.get(call)
        if isinstance(above, ast.Call) and above.func is call:
            return Uses([above])
        if isinstance(above, ast.Attribute):
            outer = self.source.parents.get(above)
            is_call = isinstance(outer, ast.Call) and outer.func is above
            return _called(above, outer) if is_call else None
        if not isinstance(above, ast.Assign) or len(above.targets) != 1:
            return Uses(escapes=True)
        match above.targets[0]:
            case ast.Name(id=name):
                return self._uses_of(call, lambda n: isinstance(n, ast.Name) and n.id == name)
            case ast.Attribute(value=ast.Name(id="self"), attr=attr):
                return self._uses_of(call, lambda n: _is_own(n, attr))
        return Uses(escapes=True)

    def _uses_of(self, made: ast.Call, is_it: Callable[[ast.AST], bool]) -> Uses | None:
        found = Uses()
        for node in ast.walk(self.root if self._on_self(made) else self._scope(made)):
            if not is_it(node) or isinstance(getattr(node, "ctx", None), ast.Store):
                continue
            above = self.source.parents.get(node)
            if isinstance(above, ast.Call) and above.func is node:
                found.calls.append(above)
            elif isinstance(above, ast.Attribute):
                outer = self.source.parents.get(above)
                if not isinstance(outer, ast.Call) or outer.func is not above:
                    return None
                more = _called(above, outer)
                found.calls += more.calls
                found.methods |= more.methods
                found.escapes |= more.escapes
            else:
                found.escapes = True
        return found

    def _scope(self, node: ast.AST) -> ast.AST:
        while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            node = self.source.parents[node]
        return node

    def _on_self(self, made: ast.Call) -> bool:
        above = self.source.parents.get(made)
        return isinstance(above, ast.Assign) and isinstance(above.targets[0], ast.Attribute)

    # ---- sizes ------------------------------------------------------------------------------------------

    def _size(
        self, added: AddedParameter, cls: Class, made: ast.Call, uses: Sequence[ast.Call]
    ) -> str | None:
        """The text of a size, from the first call that tells it."""
        if added.rows or "self." in added.source or _may_give(made, cls, added.fields):
            return None
        root = _root(added)
        for use in uses:
            method = use.func.attr if isinstance(use.func, ast.Attribute) else "__call__"
            if method != added.method:
                continue
            given = _argument(cls, method, root, use)
            if given is None or not self._is_array(given, cls, method, root):
                continue
            rest = added.source.removeprefix(root)
            if self._same_there(given, made, use) and " " not in rest:
                return self.edits.render(given) + rest
        return None

    def _is_array(self, given: ast.expr, cls: Class, method: str, parameter: str) -> bool:
        value = self.value_of(given)
        if isinstance(value, Array):
            return not value.optional
        if value is not None and not isinstance(value, Unknown):
            return False
        return not _is_told_apart(cls, method, parameter)

    def _same_there(self, given: ast.expr, made: ast.Call, use: ast.Call) -> bool:
        """Whether an expression is plain, and means where the module is made what it means where it is called."""
        if use.func is made:
            return all(isinstance(n, _PLAIN) for n in ast.walk(given))
        if not isinstance(given, ast.Name) or self._scope(made) is not self._scope(use):
            return False
        stored = [
            node
            for node in ast.walk(self._scope(made))
            if isinstance(node, ast.Name)
            and node.id == given.id
            and isinstance(node.ctx, ast.Store)
        ]
        return all(
            node.lineno < made.lineno or node.lineno >= use.lineno for node in stored
        ) and not self._in_loop(made, use)

    def _in_loop(self, made: ast.Call, use: ast.Call) -> bool:
        node: ast.AST = use
        while node is not self._scope(use):
            node = self.source.parents[node]
            if isinstance(node, ast.For | ast.While | ast.Lambda) and not any(
                inner is made for inner in ast.walk(node)
            ):
                return True
        return False


def _called(attribute: ast.Attribute, call: ast.AST | None) -> Uses:
    """`model.method(...)`: of Linen's own methods, those that hand its variables in are calls."""
    if attribute.attr in _OF_LINEN:
        return Uses(escapes=True)
    return Uses([call] if isinstance(call, ast.Call) else [], {attribute.attr})


def methods_of(cls: Class) -> list[ast.FunctionDef]:
    """The methods of a class besides the one that a call runs."""
    return [
        node
        for each in classes.mro(cls)
        for node in each.node.body
        if isinstance(node, ast.FunctionDef)
        and node.name not in ("__init__", "__call__", "setup", "__post_init__")
    ]


def other_methods(cls: Class) -> set[str]:
    """The names of the methods of a class besides the one that a call runs."""
    return {method.name for method in methods_of(cls)}


def _is_of_framework(value: object) -> bool:
    return isinstance(value, External) and value.name.startswith(("flax.linen.", "haiku."))


def _is_decorated(method: ast.FunctionDef) -> bool:
    """Whether a method is more than a method: a property, or one of the class."""
    return any(ast.unparse(d).split(".")[-1] != "compact" for d in method.decorator_list)


def crosses_with(cls: Class, model: ModuleModel, names: Collection[str]) -> bool:
    """Whether a bridge has other methods of a class too."""
    if model.framework != "linen" or model.added:
        return False  # the sizes are those of a call
    return not any(m.name in names and _is_decorated(m) for m in methods_of(cls))


def has_fields(model: ModuleModel, names: Collection[str]) -> bool:
    """Whether a bridge has the fields of a module too: it shows what the constructor is given by name, and defaults."""
    if not names:
        return True
    taken = {name for name, _ in model.constructor}
    return model.framework == "linen" and taken >= set(names) - _OF_BRIDGES == set(names)


def _gives_name(call: ast.Call, cls: Class) -> bool:
    """Whether a call gives a Haiku module its name by position."""
    initialiser = _method(cls, "__init__")
    names = [a.arg for a in initialiser.args.args[1:]] if initialiser is not None else ["name"]
    return "name" in names and len(call.args) > names.index("name")


def _may_give(call: ast.Call, cls: Class, parameters: Collection[str]) -> bool:
    """Whether a call gives a module's constructor something else than the default for one of some parameters."""
    initialiser = _method(cls, "__init__")
    names = [a.arg for a in initialiser.args.args[1:]] if initialiser is not None else []
    given: dict[str | None, ast.expr] = dict(zip(names, call.args, strict=False))
    given.update((k.arg, k.value) for k in call.keywords)
    unpacked = None in given or any(isinstance(a, ast.Starred) for a in call.args)
    known = defaults(cls)
    other = any(
        name in given and not (name in known and _is_same_literal(given[name], known[name]))
        for name in parameters
    )
    return bool(parameters) and (unpacked or other)


def _is_same_literal(one: ast.expr, other: ast.expr) -> bool:
    try:
        return bool(ast.literal_eval(one) == ast.literal_eval(other))
    except ValueError:
        return False


def _may_be_told(added: AddedParameter, model: ModuleModel) -> bool:
    """Whether a helper can tell a size from the call that it makes the module for."""
    return (
        not added.rows
        and added.method == "__call__"
        and not (added.optional and model.framework == "haiku")
    )


def _sizes_of_call(cls: Class, added: Sequence[AddedParameter]) -> str | None:
    """`call_sizes=lambda x, **_: (x.shape[-1],)`: the sizes in terms of what the module is called with.

    Those of inputs that may be left out come last, by name.
    """
    function = _method(cls, "__call__")
    if function is None or any("self." in a.source or a.fields for a in added):
        return None
    if not added:
        return "call_sizes=lambda *_, **__: ()"
    names = [a.arg for a in function.args.args[1:]]
    roots = [_root(a) for a in added]
    if not set(roots) <= set(names):
        return None
    unpacked = {
        root: unpackings.found(function, root)
        for root in roots
        if _is_told_apart(cls, "__call__", root)
    }
    if not all(unpacked.values()):
        return None
    last = max(names.index(root) for root in roots)
    known = signatures.defaults(function.args)
    needed = [f"{name}=None" if name in known else name for name in names[: last + 1]]
    items = [unpackings.sized(a.source, unpacked) for a in added if not a.optional]
    if any(a.optional and _root(a) in unpacked for a in added):
        return None
    by_name = [
        f'"{a.name}": None if {_root(a)} is None else {a.source}' for a in added if a.optional
    ]
    items += [f"{{{', '.join(by_name)}}}"] if by_name else []
    values = ", ".join(items) + ("," if len(items) == 1 else "")
    return f"call_sizes=lambda {', '.join(needed)}, *_, **__: ({values})"


def _root(added: AddedParameter) -> str:
    tree = ast.parse(added.source, mode="eval")
    return next(n.id for n in ast.walk(tree) if isinstance(n, ast.Name))


_OF_BRIDGES = frozenset(("module", "args", "kwargs", "sizes", "call", "name"))
_CORES = ("haiku.RNNCore", "haiku._src.recurrent.RNNCore")
_OF_LINEN = frozenset(("init", "apply", "init_with_output", "lazy_init", "tabulate"))
_PLAIN = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Slice,
    ast.UnaryOp,
    ast.USub,
    ast.Tuple,
    ast.expr_context,
)


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(k.value for k in call.keywords)]


def _is_own(node: ast.AST, attribute: str) -> bool:
    return is_own(node) and node.attr == attribute


def _argument(cls: Class, method: str, parameter: str, use: ast.Call) -> ast.expr | None:
    function = _method(cls, method)
    names = [a.arg for a in function.args.args[1:]] if function is not None else []
    if parameter not in names or any(isinstance(a, ast.Starred) for a in use.args):
        return None
    place = names.index(parameter)
    if place < len(use.args):
        return use.args[place]
    return next((k.value for k in use.keywords if k.arg == parameter), None)


def _method(cls: Class, name: str) -> ast.FunctionDef | None:
    found = classes.method(cls, name)
    return found.node if found is not None and isinstance(found.node, ast.FunctionDef) else None


def _is_told_apart(cls: Class, method: str, parameter: str) -> bool:
    """Whether a method asks what kind of thing a parameter is."""
    function = _method(cls, method)
    return function is None or bool(unpackings.asked(function, parameter))


def component(
    start: set[ast.AST], uses: Mapping[ast.AST, set[ast.AST]], among: set[ast.AST]
) -> set[ast.AST]:
    """The classes of `among` that hang together with `start` by use, in either direction."""
    found = set(start)
    while True:
        more = {
            other
            for node in among
            for used in uses[node] & among
            for one, other in ((node, used), (used, node))
            if one in found and other not in found
        }
        if not more:
            return found
        found |= more


def mentioned(
    source: Source,
    root: ast.AST,
    elsewhere: Collection[ast.AST],
    resolve: Callable[[ast.expr], object],
) -> Iterator[tuple[ast.expr, Class]]:
    """The names by which code at and below a node, but for that `elsewhere`, speaks of classes."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node in elsewhere:
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            value = resolve(node)
            if isinstance(value, Class) and not _is_local(node, source):
                yield node, value


def _is_local(node: ast.expr, source: Source) -> bool:
    """Whether a function around a name gives it a meaning of its own."""
    name = root_name(node)
    return any(
        name in bound_names(above)
        for above in lineage(node, source.parents)
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    )
