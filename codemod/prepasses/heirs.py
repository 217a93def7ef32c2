"""Subclasses of Haiku's layers, written as modules that hold the layer first.

`class Scaled(hk.Linear)` becomes a module whose constructor makes the layer where it called the layer's constructor, and
whose methods call it where they called the layer's. What a method reads of the layer's attributes, the constructor sets.
The layer is called `name=""`, which Haiku forbids: it has no scope of its own, for its parameters are the module's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..chains import is_own, last_name, root_name
from ..edits import Edits
from ..emit.file_names import FileNames
from ..emit.transport import splice
from ..project import Project
from ..rule import Heritage, Layer
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class, External
from ..signatures import defaults, parameters
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class

_MODULES = {base.removeprefix("haiku.") for base in classes.HAIKU_MODULES}
_OF_A_MODULE = frozenset(("name", "module_name", "params_dict", "state_dict"))
_FOLDED = (
    *(ast.Expression, ast.Constant, ast.Tuple, ast.List, ast.IfExp, ast.Compare, ast.In, ast.Is),
    *(ast.BinOp, ast.Mult, ast.UnaryOp, ast.USub, ast.Call, ast.Name, ast.Load),
)
_PYTHON = {"isinstance": isinstance, "int": int, "tuple": tuple}


class _Unlike(Exception):
    """A class does something with its layer that is not known."""


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes the heirs of layers as modules, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return "haiku" in source.text and "class " in source.text


def inherits_layer(cls: Class) -> str | None:
    """The layer of Haiku that a class derives from, if it does."""
    for base in classes.external_bases(cls):
        if base.startswith("haiku.") and base.removeprefix("haiku.") not in _MODULES:
            return base
    return None


def _prepare_class(draft: Draft, cls: Class) -> bool:
    written = _write(draft, cls)
    return _widen_tests(draft, cls) or written


def _widen_tests(draft: Draft, cls: Class) -> bool:
    """Has the tests of a class for a layer ask for the layer's heirs as well, which are none of it once they are written."""
    widened = False
    for node in ast.walk(cls.node):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, ast.Attribute() as asked]):
                layer = draft.names.qualified(asked)
                heirs = _heirs_of(draft, layer) if layer is not None else []
                names = [_name_of(draft, heir) for heir in heirs]
                if names and None not in names:
                    text = ", ".join([draft.source.segment(asked), *map(str, names)])
                    draft.edits.replace(asked, f"({text})")
                    widened = True
    return widened


def _heirs_of(draft: Draft, layer: str) -> list[Class]:
    """The classes of a project that inherit from a layer."""
    modules = draft.interp.project.modules.values()
    readable = [m for m in modules if m.rewritable and _may_have(m.source)]
    found = [cls for module in readable for cls in classes.of_file(draft.interp, module)]
    return [cls for cls in found if layer in classes.external_bases(cls)]


def _name_of(draft: Draft, cls: Class) -> str | None:
    """What a file calls a class that it speaks of."""
    environment = draft.interp.environment_of(draft.module)
    for node in ast.walk(draft.module.tree):
        if isinstance(node, ast.Name | ast.Attribute) and last_name(node) == cls.node.name:
            if root_name(node) in environment.names:
                found = draft.interp.evaluate(node, environment)
                if isinstance(found, Class) and found.node is cls.node:
                    return draft.source.segment(node)
    return None


def _write(draft: Draft, cls: Class) -> bool:
    if len(cls.bases) != 1 or inherits_layer(cls) is None:
        return False
    base = cls.bases[0]
    rule = draft.interp.rules.layer(base.name) if isinstance(base, External) else None
    if rule is None or rule.heritage is None or cls.node.keywords or cls.node.decorator_list:
        return False
    trial = draft.edits.fork()
    try:
        _Writer(draft.interp.project, cls, rule, rule.heritage, trial, draft.names).write()
    except _Unlike:
        return False
    draft.edits.adopt(trial)
    return True


@dataclass
class _Writer:
    """Writes one class."""

    project: Project
    cls: Class
    rule: Layer
    heritage: Heritage
    edits: Edits
    names: FileNames

    def __post_init__(self) -> None:
        self.source = self.edits.source
        node = self.cls.node
        self.methods = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
        self.signature = _signature(self.heritage.constructor)
        self.inside = [n for n in ast.walk(node) if self.source.parents.get(n) is not None]
        taken = {n.attr for n in self.inside if is_own(n)} | self.methods.keys()
        self.attribute = self.rule.attribute
        while self.attribute in taken:
            self.attribute += "_layer"

    def write(self) -> None:
        """Records the edits; raises _Unlike where the class does something else than the kinds that are known."""
        read = self._inherited_reads()
        calls = list(self._super_calls())
        if any(name not in ("__init__", "__call__") for name, _ in calls):
            raise _Unlike
        several = sum(name == "__call__" for name, _ in calls) > 1
        if several and any("/" in v.source for v in self.rule.variables):
            raise _Unlike  # Haiku makes what is inside of the layer anew for each call
        used = "__call__" not in self.methods or any(name == "__call__" for name, _ in calls)
        for name, call in calls:
            if name == "__call__":
                self.edits.replace(call.func, f"self.{self.attribute}")
        if "__init__" in self.methods:
            made = [call for name, call in calls if name == "__init__"]
            self._rewrite_constructor(self.methods["__init__"], made, read, used)
        else:
            self._write_constructor(read, used)
        if "__call__" not in self.methods:
            self._write_call()
        self.edits.replace(self.cls.node.bases[0], self.names.target("haiku.Module"))

    # ---- what the class does -------------------------------------------------------------------------------

    def _inherited_reads(self) -> list[str]:
        """The attributes of the layer that the class and its heirs read."""
        inside = [*self.inside, *self._of_heirs()]
        stored = {n.attr for n in inside if is_own(n) and not isinstance(n.ctx, ast.Load)}
        own = {*stored, *self.cls.members, *_OF_A_MODULE}
        read = dict.fromkeys(
            n.attr
            for n in inside
            if is_own(n) and isinstance(n.ctx, ast.Load) and n.attr not in own
        )
        known = self.heritage.attributes
        if stored & known.keys() or not read.keys() <= known.keys():
            raise _Unlike
        if any(isinstance(n, ast.Name) and n.id == "self" for n in map(self._alone, inside)):
            raise _Unlike  # the module as a whole is handed on
        return [name for name in known if name in read]

    def _alone(self, node: ast.AST) -> ast.AST | None:
        """A name that is no part of an attribute or of `super(Cls, self)`."""
        above = self.source.parents.get(node)
        if not isinstance(node, ast.Name) or above is None:
            return None
        inner = isinstance(above, ast.Attribute) or _is_super(above)
        return None if inner else node

    def _of_heirs(self) -> Iterator[ast.AST]:
        for module in self.project.modules.values():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ClassDef) and node is not self.cls.node:
                    if any(last_name(base) == self.cls.name for base in node.bases):
                        yield from ast.walk(node)

    def _super_calls(self) -> Iterator[tuple[str, ast.Call]]:
        for node in self.inside:
            match node:
                case ast.Call(func=ast.Attribute(value=value, attr=name)) if _is_super(value):
                    yield name, node
                case ast.Call() if _is_super(node):
                    above = self.source.parents[node]
                    call = self.source.parents.get(above)
                    if not (isinstance(call, ast.Call) and call.func is above):
                        raise _Unlike

    # ---- the constructor ------------------------------------------------------------------------------------

    def _rewrite_constructor(
        self, method: ast.FunctionDef, made: Sequence[ast.Call], read: Sequence[str], used: bool
    ) -> None:
        if len(made) != 1:
            raise _Unlike
        statement = self.source.parents[made[0]]
        if not isinstance(statement, ast.Expr) or statement not in method.body:
            raise _Unlike
        given = self._bound(made[0])
        name = given.pop("name", None)
        texts = {key: self.source.segment(value) for key, value in given.items()}
        attributes = self._attributes(read, texts)
        for attribute, text in attributes.items():  # what is computed is computed once
            for key, value in given.items():
                if texts[key] == text and not isinstance(value, ast.Name | ast.Constant):
                    texts[key] = f"self.{attribute}"
        indent = self.source.line_indent(self.source.span(statement)[0])
        lines = [f"super().__init__({self._name(name)})"]
        lines += [f"self.{key} = {text}" for key, text in attributes.items()]
        if used:
            lines.append(f"self.{self.attribute} = {self._layer(made[0], name, texts)}")
        self.edits.replace(statement, f"\n{indent}".join(lines))

    def _name(self, name: ast.expr | None) -> str:
        return "" if name is None else f"name={self.source.segment(name)}"

    def _bound(self, call: ast.Call) -> dict[str, ast.expr]:
        """The arguments of the layer's constructor by parameter."""
        if any(isinstance(arg, ast.Starred) for arg in call.args):
            raise _Unlike
        positional = [a.arg for a in self.signature.args]
        order = positional if self.signature.kwonlyargs else [*positional, "name"]
        if len(call.args) > len(order):
            raise _Unlike
        given = dict(zip(order, call.args, strict=False))
        for keyword in call.keywords:
            if keyword.arg is None or keyword.arg in given:
                raise _Unlike
            given[keyword.arg] = keyword.value
        if not given.keys() <= {*_parameters(self.signature), "name"}:
            raise _Unlike
        return given

    def _layer(self, call: ast.Call, name: ast.expr | None, texts: dict[str, str]) -> str:
        """The call that makes the layer, in the layout of the call of the layer's constructor."""
        func = self.source.segment(self.cls.node.bases[0])
        start, end = self.source.span(call)
        pieces = [(*self.source.span(call.func), func)]
        given = self._bound(call)
        for key, value in given.items():
            if key != "name" and texts[key] != self.source.segment(value):
                pieces.append((*self.source.span(value), texts[key]))
        keyword = next((k for k in call.keywords if k.arg == "name"), None)
        if keyword is not None:
            pieces.append((*self.source.span(keyword.value), '""'))
        elif name is not None:
            pieces.append((*self.source.span(name), 'name=""'))
        text = splice(self.source.text, start, end, sorted(pieces))
        if name is None:
            text = text[:-1].rstrip().removesuffix(",") + (', name="")' if given else 'name="")')
        return text

    def _attributes(self, read: Sequence[str], texts: dict[str, str]) -> dict[str, str]:
        """What the constructor sets in the layer's stead, for arguments of these texts."""
        values = {**_defaults(self.signature), **texts}
        numpy = (
            self.names.numpy if any("{jnp}" in self.heritage.attributes[r] for r in read) else ""
        )
        found = {}
        for name in read:
            template = self.heritage.attributes[name]
            alone = template.startswith("{") and template.endswith("}") and template.count("{") == 1
            each = {
                key: text if alone or _is_plain(text) else f"({text})"
                for key, text in values.items()
            }
            try:
                found[name] = _folded(template.format(jnp=numpy, **each))
            except KeyError:
                raise _Unlike from None
        return found

    def _write_constructor(self, read: Sequence[str], used: bool) -> None:
        """A constructor for a class that has none: with the parameters that calls in the project give."""
        asked = self._given_by_calls()
        defaults = _defaults(self.signature)
        positional = [a.arg for a in self.signature.args if a.arg in asked]
        keyword_only = [a.arg for a in self.signature.kwonlyargs if a.arg in asked]

        always = {n for n in keyword_only if self._is_always_given(n)}

        def parameter(name: str) -> str:
            return f"{name}={defaults[name]}" if name in defaults.keys() - always else name

        texts = {name: name for name in [*positional, *keyword_only]}
        skipped = len(positional) < len([a for a in self.signature.args if a.arg in defaults]) and (
            positional != [a.arg for a in self.signature.args][: len(positional)]
        )
        parts = [parameter(name) for name in positional]
        parts += ["*", *map(parameter, keyword_only)] if keyword_only else []
        unit = self.source.indent_unit
        lines = [
            f"def __init__(self, {', '.join([*parts, 'name=None'])}):",
            f"{unit}super().__init__(name=name)",
        ]
        lines += [f"{unit}self.{k} = {text}" for k, text in self._attributes(read, texts).items()]
        if used:
            first = [n for n in positional if not skipped or n not in defaults]
            rest = [f"{n}={n}" for n in [*positional, *keyword_only] if n not in first]
            arguments = ", ".join([*first, *rest, 'name=""'])
            func = self.source.segment(self.cls.node.bases[0])
            lines.append(f"{unit}self.{self.attribute} = {func}({arguments})")
        self._add(lines, first=True)

    def _given_by_calls(self) -> set[str]:
        """The parameters that calls of the class give, and those that it cannot do without; all if no call is seen."""
        required = _parameters(self.signature) - _defaults(self.signature).keys()
        calls = list(self._calls_of())
        if not calls:
            return _parameters(self.signature)
        given: set[str] = set()
        for call in calls:
            given |= self._bound(call).keys()
        return (given - {"name"}) | required

    def _is_always_given(self, name: str) -> bool:
        calls = list(self._calls_of())
        return bool(calls) and all(name in self._bound(call) for call in calls)

    def _calls_of(self) -> Iterator[ast.Call]:
        for module in self.project.modules.values():
            if self.cls.name in module.source.text:
                for node in ast.walk(module.tree):
                    if isinstance(node, ast.Call) and last_name(node.func) == self.cls.name:
                        yield node

    def _write_call(self) -> None:
        unit = self.source.indent_unit
        names = _signature(self.heritage.call)
        required = [a.arg for a in names.args[: len(names.args) - len(names.defaults)]]
        handed = ", ".join(required)
        lines = [
            f"def __call__(self, {handed}):",
            f"{unit}return self.{self.attribute}({handed})",
        ]
        self._add(lines, first=False)

    def _add(self, lines: Sequence[str], first: bool) -> None:
        body = self.cls.node.body
        methods = list(self.methods.values())
        if first and methods:
            self.edits.insert_before(methods[0], "\n".join(lines) + "\n\n")
            return
        self.edits.insert_after(body[-1], "\n" + "\n".join(lines))


# ---- parameters of the layer -------------------------------------------------------------------------------


def _signature(text: str) -> ast.arguments:
    lambda_ = ast.parse(f"lambda {text}: 0", mode="eval").body
    assert isinstance(lambda_, ast.Lambda)
    return lambda_.args


def _parameters(signature: ast.arguments) -> set[str]:
    return {each.name for each in parameters(signature)}


def _defaults(signature: ast.arguments) -> dict[str, str]:
    return {name: ast.unparse(default) for name, default in defaults(signature).items()}


# ---- syntax ------------------------------------------------------------------------------------------------


def _is_super(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
    )


def _is_plain(text: str) -> bool:
    """Whether a text binds as tightly as a name."""
    return re.fullmatch(r"[\w.]+|\"[^\"]*\"|'[^']*'", text) is not None


def _folded(text: str) -> str:
    """An expression over literals as its value; `None or x` as `x`."""
    if text.startswith("None or "):
        return _folded(text.removeprefix("None or "))
    tree = ast.parse(text, mode="eval")
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    plain = all(isinstance(n, _FOLDED) for n in ast.walk(tree))
    if not plain or not names <= _PYTHON.keys() or isinstance(tree.body, ast.Constant):
        return text
    return repr(eval(compile(tree, "<layer>", "eval"), {"__builtins__": _PYTHON}))
