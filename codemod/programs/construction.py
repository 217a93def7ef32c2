"""Where a program's model is made: the constructor call with its sizes and its random streams."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..emit import layout
from ..emit.added import evaluated
from ..emit.construct import Constructor
from ..emit.file_names import FileNames
from ..emit.transport import Scope, Transport, substituted
from ..model.module import AddedParameter, ModuleModel
from ..model.sites import Site
from ..rule import Declined
from ..shapes import classes
from ..shapes.binding import bind_signature
from ..shapes.facts import Facts, Made, Used
from ..shapes.interpreter import Interpreter
from ..shapes.named import meant
from ..shapes.values import (
    NONE,
    UNKNOWN,
    Array,
    Either,
    External,
    Function,
    LayerObject,
    Object,
    Partial,
    Value,
    as_dim,
    as_shape,
)
from ..source import Source
from .kinds import Net, Transformed
from .samples import local_names, written_size

Text = Callable[[ast.expr], str]


@dataclass(frozen=True)
class Inputs:
    """What a module is called with: the values, and the program's expressions by the parameters of the call."""

    parameters: Sequence[str]
    args: Sequence[Value]
    kwargs: Mapping[str, Value]
    written: Mapping[str, ast.expr]
    by_method: Mapping[str, Inputs] | None = None  # where `init` is a function that calls several

    @property
    def given(self) -> dict[str, Value]:
        """The values by the parameters of the call."""
        return {**dict(zip(self.parameters, self.args, strict=False)), **self.kwargs}

    def expression(self, value: Value) -> ast.expr | None:
        """The expression of an input that is handed on as it is."""
        return next((self.written.get(n) for n, it in self.given.items() if it is value), None)


class Construction:
    """Writes constructor calls of one module's programs."""

    def __init__(
        self,
        interp: Interpreter,
        names: FileNames,
        models: Mapping[ast.AST, ModuleModel],
        limit: int,
    ) -> None:
        self.interp = interp
        self.names = names
        self.models = models
        self.limit = limit

    def write(
        self,
        net: Net,
        made: Object | LayerObject,
        maker: ast.Call,
        arguments: Mapping[str, ast.expr],
        text: Text,
        key: str,
    ) -> str:
        """The call that makes the NNX module of a net.

        `arguments` are the expressions of the module's call by parameter name, `text` writes an expression where the
        call will stand.
        """
        inputs = self._inputs(net, made, arguments)
        held = self.held(maker)
        for inner in held:
            self.names.instead[inner] = self._held(inner, inputs, text, key)
        try:
            return self._made(made, maker, inputs, text, key)
        finally:
            for inner in held:
                self.names.instead.pop(inner, None)

    def write_held(
        self, net: Net, arguments: Mapping[str, ast.expr], maker: ast.Call, text: Text, key: str
    ) -> str:
        """The call that makes a module which the net's module is given under a name."""
        assert net.module is not None
        return self._held(maker, self._inputs(net, net.module, arguments), text, key)

    def _inputs(
        self, net: Net, made: Object | LayerObject, arguments: Mapping[str, ast.expr]
    ) -> Inputs:
        inputs = Inputs(_parameters(made, "__call__"), net.args, net.kwargs, arguments)
        if not (isinstance(net.model, Transformed) and net.model.entries):
            return inputs
        by_method = {
            use.method: _of_use(made, use, inputs)
            for use in reversed(net.entered)
            if isinstance(use.target, Object) and use.target.cls is getattr(made, "cls", None)
        }
        return dataclasses.replace(inputs, by_method=by_method)

    def held(self, maker: ast.Call) -> list[ast.Call]:
        """The calls within a maker's arguments that make modules of their own, the inner ones first."""
        found = [n for n in self._modules_given(maker) if isinstance(n, ast.Call)]
        return found[::-1]

    def named(self, maker: ast.Call) -> list[ast.Name | ast.Attribute]:
        """The modules that a maker is given under names."""
        return [n for n in self._modules_given(maker) if isinstance(n, ast.Name | ast.Attribute)]

    def _modules_given(self, maker: ast.Call) -> Iterator[ast.AST]:
        for argument in [*maker.args, *[k.value for k in maker.keywords]]:
            for node in ast.walk(argument):
                value = self.interp.facts.value(node)
                if isinstance(value, LayerObject) or (
                    isinstance(value, Object) and classes.framework(value.cls) is not None
                ):
                    yield node

    def _held(self, maker: ast.Call, outer: Inputs, text: Text, key: str) -> str:
        """A module that another one is given: its sizes are those of what that one calls it with."""
        made = self.interp.facts.value(maker)
        assert isinstance(made, Object | LayerObject)
        if _binds_positions(self.interp.facts.value(maker.func)):
            raise _positions()
        uses = [u for u in self.interp.facts.uses_of.get(maker, []) if u.target is made]
        if not uses:
            raise Declined(
                "a module that is handed to the model is not called in sight",
                "make it in the model, or give it its sizes by hand",
            )
        return self._made(made, maker, _of_use(made, uses[-1], outer), text, key)

    def _made(
        self, made: Object | LayerObject, maker: ast.Call, inputs: Inputs, text: Text, key: str
    ) -> str:
        if isinstance(made, LayerObject):
            if made.cls is not None:
                raise Declined(
                    f"`{made.cls.name}` is made by a program, and not by a module",
                    "make it with the arguments of its base class by hand",
                )
            return self._layer(inputs, made, maker, key)
        function = meant(self.interp.facts.value(maker.func))
        if _binds_positions(function):
            raise _positions()
        made_by = function.node if isinstance(function, Function) else made.cls.node
        model = self.models.get(made_by)
        if model is None:
            raise Declined(f"`{made.cls.name}` stays as it is", "it has a diagnostic of its own")
        sizes = [self._size(made, added, inputs, text) for added in model.added]
        by_keyword = not maker.args
        args = [
            f"{added.name}={size}" if by_keyword or added.keyword_only else size
            for added, size in zip(model.added, sizes, strict=True)
            if size is not None and not added.keyword_only
        ]
        first = len(args)
        given: list[ast.expr | ast.keyword] = [*maker.args]
        given += [keyword for keyword in maker.keywords if keyword.arg != "name"]
        args += [_argument(each, text) for each in given]
        args += [
            f"{added.name}={size}"
            for added, size in zip(model.added, sizes, strict=True)
            if size is not None and added.keyword_only
        ]
        if model.takes_rngs:
            args.append(f"rngs={key}")
        source = self.names.module.source
        if any(above or behind for above, behind in (source.comments_beside(g, g) for g in given)):
            written = dict(enumerate(given, first))
            return f"{text(maker.func)}({_with_comments(source, maker, args, written)})"
        return f"{text(maker.func)}({', '.join(args)})"

    def _size(self, made: Object, added: AddedParameter, inputs: Inputs, text: Text) -> str | None:
        """A size: a literal where the sample is one, else read off the sample's shape."""
        if inputs.by_method is not None:
            if added.method not in inputs.by_method:
                raise _not_known(made, added)
            inputs = inputs.by_method[added.method]
        arguments = inputs.written
        number = self._number(inputs, made, added)
        if added.rows:
            if not isinstance(number, int):
                raise _not_known(made, added)
            return str(number)
        if added.annotation != "int" or (added.fields and number is None):
            return self._literal(made, added, number)
        names = _names_in(added.source)
        roots = [arguments[name] for name in names if name in arguments]
        roots = [root for root in roots if not isinstance(root, ast.Constant)]
        if added.optional and not roots and number is None:
            return None
        seen = [inputs.given.get(name) for name in names]
        seen += [value for root in roots for value in self.interp.facts.values.get(root, ())]
        if added.optional and any(map(_may_be_missing, seen)):
            if len(roots) != 1 or not _is_short(roots[0]):
                raise _not_known(made, added)
            return _size_if_given(added, text(roots[0]), names)
        if not (roots and all(_is_short(root) for root in roots)):
            written = written_size(added.source, arguments)
            if written is not None:
                return text(written)
            parents = self.names.module.source.parents
            if isinstance(number, int) and not any(local_names(root, parents) for root in roots):
                return str(number)
        if roots:
            return substituted(added.source, {name: text(arguments[name]) for name in names})
        raise _not_known(made, added)

    @staticmethod
    def _literal(made: Object, added: AddedParameter, sizes: object) -> str:
        """Several sizes as they are written out."""
        if isinstance(sizes, tuple) and all(isinstance(size, int) for size in sizes):
            return repr(sizes)
        raise Declined(
            f"the sizes `{added.name}` of `{made.cls.name}` are not known where the model is made",
            "make the model where a sample input is at hand",
        )

    def _number(self, inputs: Inputs, made: Object, added: AddedParameter) -> object:
        method = classes.method(made.cls, added.method)
        if method is None:
            return None
        parameters = [a.arg for a in method.node.args.args][1:]
        names = bind_signature(parameters, list(inputs.args), inputs.kwargs)
        value = evaluated(self.interp, made.cls, added, names, made)
        return as_shape(value) if added.annotation != "int" else as_dim(value)

    def _layer(self, inputs: Inputs, made: LayerObject, maker: ast.Call, key: str) -> str:
        """A layer of the library as the whole model, or as one that the model is given."""
        site = Site(maker, maker, ast.Pass(), [], [Made(made, ())])
        site.uses = [
            Used(made, None, "__call__", tuple(inputs.args), dict(inputs.kwargs), UNKNOWN, ())
        ]
        transport = Transport(
            self.names.module.source,
            Facts(),
            self.interp.symbols,
            {},
            self._rewritten,
            lambda name, origin: name,
        )
        transport.facts.values[maker.func].append(External(made.rule.source))
        constructor = Constructor(
            self.interp,
            transport,
            self.names.target,
            lambda s, a: None,
            lambda e: True,
            lambda e: False,
        )
        written = constructor.write(site, Scope(maker, set(), {}, {}), lambda site: None)
        self.names.helpers |= constructor.helpers
        return written.text(*([f"rngs={key}"] if written.rngs else []))

    def _rewritten(self, node: ast.AST, text: Text | None = None) -> str | None:
        return self.names.instead.get(node) or self.names.rewrite(node, text)

    def rngs(
        self, key: ast.expr | None, text: Text, dropout: str | None = None, draws: bool = False
    ) -> str:
        """`nnx.Rngs(...)` for the key that `init` got, and one for dropout.

        A model that draws from other streams has them from the start: where `init` got a key for its parameters
        alone, that serves them all.
        """
        rngs = self.names.target("flax.nnx.Rngs")
        if key is None:
            return f"{rngs}(0)"
        if isinstance(key, ast.Dict):
            streams = [
                f"{k.value!s}={self._seed(v, text)}"
                for k, v in zip(key.keys, key.values, strict=True)
                if isinstance(k, ast.Constant)
            ]
            if draws and only_of_parameters(key):
                return f"{rngs}({self._seed(key.values[0], text)})"
            return f"{rngs}({', '.join(streams)})"
        seed = self._seed(key, text)
        if dropout is not None:
            return f"{rngs}({seed if seed.isdigit() else f'params={seed}'}, dropout={dropout})"
        return f"{rngs}({seed})"

    def _seed(self, key: ast.expr, text: Text) -> str:
        match key:
            case ast.Call(func=func, args=[ast.Constant() as seed], keywords=[]):
                if self.names.qualified(func) in ("jax.random.key", "jax.random.PRNGKey"):
                    return repr(seed.value)
            case ast.Call(func=func, args=[], keywords=[ast.keyword(value=ast.Constant() as seed)]):
                if self.names.qualified(func) in ("jax.random.key", "jax.random.PRNGKey"):
                    return repr(seed.value)
        return text(key)

    def statement(self, name: str, call: str, indent: str) -> str:
        """`name = call`, broken over lines where it is too long; later lines carry `indent`."""
        unit = self.names.module.source.hanging_indent
        return layout.expression(
            call, indent=indent, unit=unit, limit=self.limit, prefix=f"{name} = "
        )


def only_of_parameters(key: ast.Dict) -> bool:
    """Whether `init` got a key for the parameters and no other."""
    return [getattr(name, "value", None) for name in key.keys] == ["params"]


_APART = re.compile(r",?([ \t]+)#")


def _argument(given: ast.expr | ast.keyword, text: Text) -> str:
    match given:
        case ast.keyword(arg=None, value=value):
            return f"**{text(value)}"
        case ast.keyword(arg=name, value=value):
            return f"{name}={text(value)}"
        case _:
            return text(given)


def _with_comments(
    source: Source,
    maker: ast.Call,
    args: Sequence[str],
    given: Mapping[int, ast.AST],
) -> str:
    """The arguments of a call, one on a line, with the comments above and behind those that were given."""
    outer = source.line_indent(source.span(maker)[0])
    indent = outer + source.hanging_indent
    lines: list[str] = []
    for place, arg in enumerate(args):
        comment = ""
        if place in given:
            above, behind = source.comments_beside(given[place], given[place])
            lines += [f"{indent}{line}" for line in above]
            apart = _APART.match(source.text, source.span(given[place])[1])
            comment = f"{apart[1] if apart is not None else '  '}{behind}" if behind else ""
        lines.append(f"{indent}{arg},{comment}")
    return "\n".join(["", *lines, outer])


def _names_in(text: str) -> set[str]:
    return {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}


def _size_if_given(added: AddedParameter, given: str, names: Collection[str]) -> str:
    """The size of an input that some runs of the program have and others have not."""
    return f"None if {given} is None else {substituted(added.source, dict.fromkeys(names, given))}"


def _binds_positions(function: Value | None) -> bool:
    """Whether a partial fixes arguments by position, before which there is no place for sizes."""
    while isinstance(function, Partial):
        if function.args:
            return True
        function = function.function
    return False


def _may_be_missing(value: Value | None) -> bool:
    """Whether an input is an array in some runs of the program, and None in others."""
    if isinstance(value, Either):
        return NONE in value.values
    return value == NONE or (isinstance(value, Array) and value.optional)


def _not_known(made: Object, added: AddedParameter) -> Declined:
    return Declined(
        f"the size `{added.name}` of `{made.cls.name}` is not known where the model is made",
        "make the model where a sample input is at hand",
    )


def _positions() -> Declined:
    return Declined(
        "a partial fixes arguments of the model by position",
        "fix them by keyword: the sizes come first",
    )


def _of_use(made: Object | LayerObject, use: Used, outer: Inputs) -> Inputs:
    """The inputs of one call of what was made; those of `outer` that it is given as they are have expressions."""
    names = _parameters(made, use.method)
    given = {**dict(zip(names, use.args, strict=False)), **use.kwargs}
    written = {
        name: expression
        for name, value in given.items()
        if (expression := outer.expression(value)) is not None
    }
    return Inputs(names, use.args, use.kwargs, written)


def _parameters(made: Object | LayerObject, method: str) -> list[str]:
    found = classes.method(made.cls, method) if isinstance(made, Object) else None
    return [a.arg for a in found.node.args.args][1:] if found is not None else []


def _is_short(node: ast.expr) -> bool:
    """Whether a sample is written as a name, or a part of one, and not made on the spot."""
    current = node
    while isinstance(current, ast.Attribute | ast.Subscript):
        current = current.value
    return isinstance(current, ast.Name)
