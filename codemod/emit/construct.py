"""Writes the constructor call of one site as NNX has it."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..model.module import AddedParameter, ModuleModel
from ..model.sites import Site
from ..rule import Declined, Drop, Layer, Mode, Refuse, To, Use, Written
from ..shapes import classes
from ..shapes.binding import bind_signature
from ..shapes.calls import use_of
from ..shapes.dims import Dim
from ..shapes.facts import Made
from ..shapes.interpreter import Interpreter
from ..shapes.lifts import Lifted, Mapped, Rematerialized, Scanned
from ..shapes.values import NONE, Class, Constant, External, LayerObject, Object, Partial, Value
from ..signatures import dict_entries, written_arguments
from .agreement import Measured, agreed
from .brackets import bare
from .told import is_text, told
from .transport import CannotMove, HandedFlag, NeedsFlags, Scope, Transport

FRAMEWORK_ARGUMENTS = frozenset(("name", "parent"))
_CHANGING = ("update", "setdefault", "pop", "popitem", "clear")


@dataclass(frozen=True)
class Constructed:
    """A constructor call: its head and its arguments in order."""

    head: str
    args: list[str]
    rngs: bool
    helper: str | None = None
    around: str = ""  # the helper that is made of what the call makes

    def text(self, *more: str) -> str:
        """The call, with more arguments."""
        made = f"{self.head}({', '.join([*self.args, *more])})"
        return f"{self.around}({made})" if self.around else made


@dataclass(frozen=True)
class CallMode:
    """A flag that the source gives to a layer's constructor and that only the call knows."""

    mode: Mode
    value: ast.expr


@dataclass
class Constructor:
    """Writes constructor calls for the sites of one class."""

    interp: Interpreter
    transport: Transport
    target: Callable[[str], str]  # a qualified name as the file writes it
    sizes_of: Callable[[Site, AddedParameter], Value | None]
    names_layer: Callable[[ast.expr], bool]  # whether an expression is a library's own name
    flags: Callable[[ast.expr], bool]  # whether an expression only says a mode that is dropped
    rngs: str = "rngs"
    helpers: set[str] = field(default_factory=set)
    at_call: dict[ast.Call, list[CallMode]] = field(default_factory=dict)
    models: Mapping[ast.AST, ModuleModel] = field(default_factory=dict)  # the rewritten classes

    def write(
        self, site: Site, scope: Scope, child_of: Callable[[Site], ModuleModel | None]
    ) -> Constructed:
        """The call for a site; raises Declined where it cannot be written, or not for all that it may make."""
        if not self._is_direct(site.node):
            site = _handed(site)
        _refuse_mixture(site)
        first, *others = alternatives(site)
        made = self._written(first, scope, child_of(first))
        at_call = {call: list(modes) for call, modes in self.at_call.items()}
        for other in others:
            if self._written(other, scope, child_of(other)) != made:
                raise CannotMove(
                    site.node,
                    f"`{ast.unparse(site.node.func)}` makes modules whose constructors differ",
                    "make the one or the other in an `if`",
                )
        self.at_call = at_call
        return made

    def _written(self, site: Site, scope: Scope, child: ModuleModel | None) -> Constructed:
        if isinstance(site.value, LayerObject):
            return self._layer(site, site.value.rule, scope)
        assert child is not None
        return self._module(site, child, scope)

    # ---- layers of the library -----------------------------------------------------------------

    def _layer(self, site: Site, rule: Layer, scope: Scope) -> Constructed:
        assert isinstance(site.value, LayerObject)
        _refuse_shifted(site, self.transport.facts.value(site.node.func))
        use = self._use(site, rule)
        if rule.check is not None:
            rule.check(use)
        unpacked = {k: self._unpacked(k.value, scope) for k in site.node.keywords if k.arg is None}
        optional = [k for k, found in unpacked.items() if found is None and rule.options]
        unpacked.update({keyword: {} for keyword in optional})
        given = source_arguments(site.node, (*rule.signature, *rule.keyword_only), unpacked)
        whole = self._whole(rule, unpacked)
        self._refuse_uncertain(site, rule, unpacked, whole)
        asked = told(self.interp, self.transport, site, rule)
        inside = {name for keyword in whole for name in unpacked[keyword] or {}}
        args, positional = self._placed(site, rule, given, inside, use, scope, asked)
        args += [f"**{self.transport.expression(keyword.value, scope)}" for keyword in whole]
        late = [n for n in asked if n not in rule.leading and is_text(rule, n, use)]
        at = positional or min(1, len(args))
        args[at:at] = self._sizes(site, rule, asked, late)
        args += [f"{name}={asked[name]}" for name in late]
        self._note_helpers(asked.values())
        if not self._is_direct(site.node):
            head = self.transport.expression(site.node.func, scope)
        else:
            if optional:
                args += self._options(rule, optional, given, scope)
            else:
                stated = [n for n in rule.stated if not self._states(rule, n, given)]
                args += [f"{name}={rule.stated[name]}" for name in stated]
            head = rule.target if rule.helper else self.target(rule.target)
            self._needs_helpers(rule, args)
        if rule.around:
            self.helpers.add(rule.around)
        helper = rule.target if rule.helper else None
        return Constructed(head, args, rule.rngs, helper, rule.around)

    def _placed(
        self,
        site: Site,
        rule: Layer,
        given: Mapping[str, ast.expr],
        inside: Collection[str],
        use: Use,
        scope: Scope,
        asked: Mapping[str, str],
    ) -> tuple[list[str], int]:
        """What stands first in a layer's constructor, then what the source gives it; how many go by place.

        What is `inside` of dicts that the call unpacks stays there.
        """
        leading = [
            asked.get(name) or self._leading(name, site, rule, given, use, scope)
            for name in rule.leading
        ]
        args = [text for text in leading if text is not None]
        positional = len(args)
        signature = target_signature(rule.target)
        inputs = rule.inputs if rule.inline else ()
        for name, node in given.items():
            if self._target_name(rule, name) in rule.leading:
                continue
            if name in FRAMEWORK_ARGUMENTS or name in inputs or name in inside:
                continue
            written = self._argument(site.node, rule, name, node, use, scope)
            if written is None or written[0] in asked:
                continue
            target, text = written
            by_position = _is_positional(site.node, node) and positional == len(args)
            if by_position and signature[len(args) : len(args) + 1] == [target]:
                args.append(text)
                positional += 1
            else:
                args.append(f"{target}={text}")
        return args, positional

    def _sizes(
        self, site: Site, rule: Layer, asked: Mapping[str, str], late: Sequence[str]
    ) -> list[str]:
        """The sizes that a layer wants by name, inferred or told by its rule."""
        extra = [name for name in rule.sizes if name not in rule.leading and name not in asked]
        sized = [
            f"{name}={bare(self.transport.size(self._size(site, rule, name), site.node))}"
            for name in extra
        ]
        return sized + [f"{n}={asked[n]}" for n in asked if n not in (*rule.leading, *late)]

    def _options(
        self,
        rule: Layer,
        keywords: Sequence[ast.keyword],
        given: Mapping[str, ast.expr],
        scope: Scope,
    ) -> list[str]:
        """`**norm_options(config, epsilon=1e-5)`: options that only a run knows, with the source's defaults."""
        taken = {name for keyword in rule.arguments for name in [self._target_name(rule, keyword)]}
        stated = {n: t for n, t in rule.stated.items() if not self._states(rule, n, given)}
        defaults = "".join(f", {name}={text}" for name, text in stated.items() if name in taken)
        self.helpers.add(rule.options)
        texts = [self.transport.expression(keyword.value, scope) for keyword in keywords]
        first = [f"**{rule.options}({texts[0]}{defaults})"]
        others = [f"**{rule.options}({text})" for text in texts[1:]]
        rest = [f"{name}={text}" for name, text in stated.items() if name not in taken]
        return [*rest, *first, *others]

    def _unpacked(self, node: ast.expr, scope: Scope) -> dict[str, ast.expr] | None:
        """The entries of a dict that a name stands for, as the source writes them; None where it is not seen."""
        if not isinstance(node, ast.Name) or node.id in scope.parameters:
            return None
        if node.id in _parameter_names(scope.function) or _is_changed(node.id, scope.function):
            return None  # what it holds is not only what the source assigns
        found = scope.assignments.get(node.id)
        if found is None:
            found = [
                statement
                for statement in self.transport.source.tree.body
                if isinstance(statement, ast.Assign)
                and [ast.unparse(target) for target in statement.targets] == [node.id]
            ]
        if len(found) != 1 or not isinstance(found[0], ast.Assign):
            return None
        return _entries(found[0].value)

    def _whole(
        self, rule: Layer, unpacked: Mapping[ast.keyword, dict[str, ast.expr] | None]
    ) -> list[ast.keyword]:
        """Of the dicts that a call unpacks, those whose entries mean the same to the layer's counterpart."""

        def same(name: str) -> bool:
            argument = rule.arguments.get(name, To(name))
            return isinstance(argument, To) and argument.name == name and argument.write is None

        return [
            keyword
            for keyword, entries in unpacked.items()
            if entries and all(same(name) and name not in rule.leading for name in entries)
        ]

    def _refuse_uncertain(
        self,
        site: Site,
        rule: Layer,
        unpacked: Mapping[ast.keyword, dict[str, ast.expr] | None],
        whole: Sequence[ast.keyword],
    ) -> None:
        """A dict that a condition chooses can only be handed on as it is, and to a layer with the same defaults."""
        for keyword, entries in unpacked.items():
            chosen = self._display(keyword.value)
            if not isinstance(chosen, ast.IfExp) or not entries:
                continue
            if keyword not in whole or entries.keys() & rule.stated.keys():
                raise CannotMove(
                    site.node,
                    "arguments that a condition chooses are unpacked with **",
                    "write the arguments out, each with its own condition",
                )

    def _display(self, node: ast.expr) -> ast.expr | None:
        """What the source assigns to a name that a call unpacks."""
        found = [
            statement.value
            for statement in ast.walk(self.transport.source.tree)
            if isinstance(statement, ast.Assign)
            and isinstance(node, ast.Name)
            and [ast.unparse(target) for target in statement.targets] == [node.id]
            and isinstance(statement.value, ast.IfExp)
        ]
        return found[0] if found else None

    def _is_direct(self, node: ast.Call) -> bool:
        """Whether a call names the layer itself, and not a partial, a field or a local that holds it.

        `nn.scan(nn.LSTMCell, ...)` with parameters that all steps share names it too: the scan moves to the call.
        """
        lift = self.interp.lifted.get(node)
        if isinstance(lift, Scanned) and not lift.stacked and lift.node is not None:
            return isinstance(lift.target, External) and self.names_layer(lift.node.args[0])
        return isinstance(self.transport.facts.value(node.func), External) and self.names_layer(
            node.func
        )

    def partial(self, node: ast.Call, scope: Scope) -> str | None:
        """A partial of a layer: the layer and its arguments as NNX has them."""
        value = self.transport.facts.value(node)
        if isinstance(value, Partial) and isinstance(value.function, Class):
            return self._partial_of_class(node, value.function, scope)
        if (
            not isinstance(value, Partial)
            or not isinstance(value.function, External)
            or not node.args
        ):
            return None
        rule = self.interp.rules.layer(value.function.name)
        if rule is None or not self.names_layer(node.args[0]):
            return None
        rule = rule.handed or rule
        given = _given_by_partial(node, rule)
        arguments = bind_signature(rule.signature, value.args, value.kwargs)
        use = use_of(self.interp, rule, arguments, (), {})
        args = [rule.target if rule.helper else self.target(rule.target)]
        for name, expression in given.items():
            written = self._argument(node, rule, name, expression, use, scope)
            if written is not None:
                args.append(f"{written[0]}={written[1]}")
        args += [
            f"{name}={text}"
            for name, text in rule.stated.items()
            if not self._states(rule, name, given)
        ]
        self._needs_helpers(rule, args)
        return f"{self.transport.source.segment(node.func)}({', '.join(args)})"

    def _partial_of_class(self, node: ast.Call, cls: Class, scope: Scope) -> str | None:
        """A partial of a module's class without the flags that became its mode, None where it has none."""
        child = self.models.get(cls.node)
        stay = [
            keyword
            for keyword in node.keywords
            if child is None
            or keyword.arg not in child.field_modes
            or not self.flags(keyword.value)
        ]
        if child is None or len(stay) == len(node.keywords):
            return None
        args = [self.transport.expression(argument, scope) for argument in node.args]
        for keyword in stay:
            text = self.transport.expression(keyword.value, scope)
            args.append(f"**{text}" if keyword.arg is None else f"{keyword.arg}={text}")
        return f"{self.transport.source.segment(node.func)}({', '.join(args)})"

    def _needs_helpers(self, rule: Layer, args: list[str]) -> None:
        if rule.helper:
            self.helpers.add(rule.target)
        self._note_helpers(rule.stated.values())

    def _note_helpers(self, texts: Iterable[str]) -> None:
        from .helpers import helper_names

        self.helpers |= set(texts) & set(helper_names())

    def _use(self, site: Site, rule: Layer) -> Use:
        assert isinstance(site.value, LayerObject)
        calls = [use for use in site.uses if use.method == "__call__"] or site.uses
        if not calls:
            return use_of(self.interp, rule, site.value.arguments, (), {})
        last = calls[-1]
        assert isinstance(last.target, LayerObject)
        return use_of(self.interp, rule, last.target.arguments, last.args, last.kwargs)

    @staticmethod
    def _target_name(rule: Layer, name: str) -> str | None:
        argument = rule.arguments.get(name, To(name))
        return argument.name if isinstance(argument, To) else None

    def _leading(
        self,
        name: str,
        site: Site,
        rule: Layer,
        given: Mapping[str, ast.expr],
        use: Use,
        scope: Scope,
    ) -> str | None:
        if name in rule.sizes:
            return bare(self.transport.size(self._size(site, rule, name), site.node))
        for source, node in given.items():
            if self._target_name(rule, source) == name:
                written = self._argument(site.node, rule, source, node, use, scope)
                return None if written is None else written[1]
        for source, argument in rule.arguments.items():
            if isinstance(argument, To) and argument.name == name and source in rule.defaults:
                text = (
                    argument.write(Written("", use.arguments.get(source), use))
                    if argument.write
                    else None
                )
                return text if text is not None else repr(rule.defaults[source])
        return None

    def _size(self, site: Site, rule: Layer, name: str) -> Dim:
        """The input size of a layer; every use must agree."""
        kind = rule.source.rsplit(".", 1)[-1]
        sizes: list[Measured] = []
        for used in site.uses:
            if used.method == "__call__":
                assert isinstance(used.target, LayerObject)
                use = use_of(self.interp, rule, used.target.arguments, used.args, used.kwargs)
                sizes.append((used, rule.sizes[name](use)))
        if not sizes:
            raise CannotMove(
                site.node,
                f"no call of this `{kind}` was found that would show its input size",
                "remove the layer if it is unused, or call it in a method that runs",
            )
        found, agree = agreed(
            self.interp, self.transport.facts, site, sizes, self.transport.source.parents
        )
        if (found is None and agree) or all(dim is None for _, dim in sizes):
            raise CannotMove(
                site.node,
                f"the input size of `{kind}` could not be inferred",
                "annotate the shapes, run with --trace, or write the layer with its size by hand",
                unsized=True,
            )
        if found is None:
            raise CannotMove(
                site.node,
                f"`{kind}` is called with inputs of different sizes",
                "one layer cannot have both; check the calls",
            )
        return found

    def _argument(
        self, call: ast.Call, rule: Layer, name: str, node: ast.expr, use: Use, scope: Scope
    ) -> tuple[str, str] | None:
        """The target's name and text of an argument, None where it goes."""
        argument = rule.arguments.get(name, To(name))
        value = use.arguments.get(name)
        match argument:
            case Drop(only_if=only_if, message=message, help=help):
                if only_if is not None and not _is_one_of(value, only_if):
                    raise Declined(message or f"`{name}` has no counterpart", help)
                return None
            case Mode():
                return self._mode(call, argument, node, scope)
            case Refuse(message=message, help=help):
                if value is not None and _is_one_of(value, (rule.defaults.get(name),)):
                    return None
                raise Declined(message, help)
            case To(name=target, write=write):
                text = self.transport.expression(node, scope)
                if write is not None:
                    new = write(Written(text, value, use))
                    self._note_helper(new)
                    return None if new is None else (target, new)
                return target, text
        return None

    def _note_helper(self, text: str | None) -> None:
        from .helpers import helper_names

        if text is None:
            return
        for name in helper_names():
            if text == name or text.startswith(name + "(") or text.endswith(f" or {name}"):
                self.helpers.add(name)

    def _mode(
        self, call: ast.Call, mode: Mode, node: ast.expr, scope: Scope
    ) -> tuple[str, str] | None:
        if self.flags(node) or mode.target is None:
            return None
        if isinstance(node, ast.Constant) and node.value is None:
            return None
        if not self.transport.is_static(node, scope):
            self.at_call.setdefault(call, []).append(CallMode(mode, node))
            return None
        text = self.transport.expression(node, scope)
        return mode.target, f"not {text}" if mode.negated else text

    def refuse_handed_flags(self, tree: ast.AST) -> None:
        """Raises HandedFlag where a partial of a layer that was given a flag is handed to another module.

        The flag goes to the calls of the layers that are made here; those that the other makes would be without.
        """
        source, facts = self.transport.source, self.transport.facts
        held = {
            id(value): maker
            for maker in self.at_call
            if isinstance(value := facts.value(maker), Partial)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name | ast.Attribute) or isinstance(node.ctx, ast.Store):
                continue
            above = source.parents.get(node)
            is_called = isinstance(above, ast.Call) and above.func is node
            if not is_called and id(facts.value(node)) in held:
                raise HandedFlag(
                    held[id(facts.value(node))],
                    f"`{source.segment(node)}` has a flag, and is handed to another module",
                    "give the flag to the other module, or drop flags (--mode-flags drop)",
                )

    def _states(self, rule: Layer, name: str, given: Mapping[str, ast.expr]) -> bool:
        """Whether the source writes an argument that the target would otherwise state."""
        return any(
            self._target_name(rule, source) == name and not _is_none_default(node, rule, source)
            for source, node in given.items()
        )

    # ---- modules of the user's -------------------------------------------------------------------

    @staticmethod
    def _field_names(site: Site) -> list[str]:
        if isinstance(site.value, Object) and classes.framework(site.value.cls) == "linen":
            return [f.name for f in classes.fields(site.value.cls)]
        return []

    def _class_text(self, site: Site, scope: Scope) -> str:
        """The class of a module as its site names it; for a lifted class, the one that was lifted."""
        lift = self.interp.lifted.get(site.node)
        if isinstance(lift, Lifted) and lift.node is not None:
            if not isinstance(lift.target, Class):
                return self.transport.expression(lift.node.args[0], scope)
            return self.transport.source.segment(lift.node.args[0])
        func = site.node.func
        field = isinstance(func, ast.Attribute) and func.attr in self.transport.fields
        if isinstance(self.transport.facts.value(func), Class) and not field:
            return self.transport.source.segment(func)
        return self.transport.expression(site.node.func, scope)

    def _keep_static_flags(self, site: Site, child: ModuleModel) -> None:
        """`static_argnums` of nn.remat count the arguments of the call: none of them may go."""
        found = self.interp.derived.get(site.node)
        if isinstance(found, Rematerialized) and child.modes.get("__call__"):
            if any(keyword.arg == "static_argnums" for keyword in found.node.keywords):
                raise NeedsFlags(child.node, child.name)

    def _check_lift(self, site: Site) -> None:
        """A class that only one branch lifts has two names in Linen, but where an attribute names its module."""
        found = self.interp.derived.get(site.node)
        named = site.own_attribute is not None or site.explicit is not None
        if isinstance(found, Mapped) and not found.always and not named:
            raise CannotMove(
                site.node,
                "a branch decides whether this class is lifted, and so what Linen calls its variables",
                "give it a name with `name=`",
            )

    def _module(self, site: Site, child: ModuleModel, scope: Scope) -> Constructed:
        self._keep_static_flags(site, child)
        self._check_lift(site)
        args: list[str] = []
        named: list[str] = []
        keywords_only = bool(site.node.keywords) and not site.node.args
        for added in child.added:
            value = self.sizes_of(site, added)
            if value is None and added.optional and _leaves_out(site, added):
                continue
            text = self.transport.value_text(value, site.node)
            if text is None:
                raise CannotMove(
                    site.node,
                    f"the size `{added.name}` of `{child.name}` could not be inferred here",
                    "pass it by hand",
                    unsized=True,
                )
            text = bare(text)
            if added.keyword_only:
                named.append(f"{added.name}={text}")
            else:
                by_keyword = keywords_only and len(child.added) > 1
                args.append(f"{added.name}={text}" if by_keyword else text)
        fields = self._field_names(site)
        given = written_arguments(fields, site.node)
        called = self.transport.facts.value(site.node.func)
        while isinstance(called, Rematerialized):
            called = called.target
        if isinstance(called, Partial) and called.site is not None:
            given = {**written_arguments((), called.site), **given}
        for name in child.field_modes:
            if name not in given or not self.flags(given[name]):
                raise NeedsFlags(child.node, child.name)
        for place, arg in enumerate(site.node.args):
            if place < len(fields) and fields[place] in child.field_modes and self.flags(arg):
                continue
            args.append(self.transport.expression(arg, scope))
        args += named
        for keyword in site.node.keywords:
            if keyword.arg in FRAMEWORK_ARGUMENTS:
                continue
            if keyword.arg in child.field_modes and self.flags(keyword.value):
                continue
            text = self.transport.expression(keyword.value, scope)
            args.append(f"**{text}" if keyword.arg is None else f"{keyword.arg}={text}")
        head = self._class_text(site, scope)
        if child.new_name != child.name:
            head = child.new_name
        return Constructed(head, args, child.takes_rngs)


def _leaves_out(site: Site, added: AddedParameter) -> bool:
    """Whether no call of a module gives it the optional input whose size a parameter is."""
    name = added.source.split(".")[0].split("[")[0]
    for use in site.uses:
        if use.method != added.method or not isinstance(use.target, Object):
            continue
        method = classes.method(use.target.cls, use.method)
        names = [a.arg for a in method.node.args.args[1:]] if method is not None else []
        if name not in names:
            return False
        place = names.index(name)
        given = use.args[place] if place < len(use.args) else use.kwargs.get(name, NONE)
        if given != NONE:
            return False
    return True


def _entries(node: ast.expr) -> dict[str, ast.expr] | None:
    """The entries of a dict with constant keys, or of both that a condition chooses from."""
    if isinstance(node, ast.IfExp):
        one, other = _entries(node.body), _entries(node.orelse)
        return None if one is None or other is None else {**one, **other}
    return dict_entries(node)


def _parameter_names(function: ast.AST) -> set[str]:
    """The parameters of a function: those of a constructor are no longer in its scope."""
    spec = getattr(function, "args", None)
    return {n.arg for n in ast.walk(spec) if isinstance(n, ast.arg)} if spec is not None else set()


def _is_changed(name: str, function: ast.AST) -> bool:
    """Whether a function adds to a dict, or takes from it, after it is made."""
    for node in ast.walk(function):
        match node:
            case ast.Subscript(value=ast.Name(id=held), ctx=ast.Store() | ast.Del()):
                changed = held == name
            case ast.Attribute(value=ast.Name(id=held), attr=attr):
                changed = held == name and attr in _CHANGING
            case _:
                changed = False
        if changed:
            return True
    return False


def source_arguments(
    call: ast.Call,
    signature: tuple[str, ...],
    unpacked: Mapping[ast.keyword, dict[str, ast.expr] | None] | None = None,
) -> dict[str, ast.expr]:
    """The arguments that a call writes out, by parameter name, in order; `unpacked` are those behind `**`."""
    unpacked = unpacked or {}
    if any(isinstance(arg, ast.Starred) for arg in call.args) or any(
        k.arg is None and unpacked.get(k) is None for k in call.keywords
    ):
        raise CannotMove(
            call,
            "arguments are unpacked with * or **",
            "write the arguments out, or keep this layer as it is",
        )
    if len(call.args) > len(signature):
        raise CannotMove(call, "more arguments than the layer has", "check the call")
    given: dict[str, ast.expr] = dict(zip(signature, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg is not None:
            given[keyword.arg] = keyword.value
        else:
            given.update(unpacked.get(keyword) or {})
    return given


def _is_positional(call: ast.Call, node: ast.expr) -> bool:
    return any(arg is node for arg in call.args)


def _is_one_of(value: Value | None, options: tuple[object, ...]) -> bool:
    return isinstance(value, Constant) and any(
        value.value == option and type(value.value) is type(option) for option in options
    )


def _is_none_default(node: ast.expr, rule: Layer, name: str) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


@functools.cache
def target_signature(target: str) -> list[str]:
    """The positional parameters of an NNX class in order, for arguments that stay positional."""
    from ..shapes.real_calls import Unconvertible, resolve

    try:
        parameters = inspect.signature(resolve(target).__init__).parameters.values()
    except (Unconvertible, TypeError, ValueError, AttributeError):
        return []
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][1:]


def alternatives(site: Site) -> list[Site]:
    """A site for each class of modules that one makes, and for the layers that it may make instead, the last first."""
    kinds: dict[ast.AST | None, list[Made]] = {}
    for made in reversed(site.made):
        node = made.value.cls.node if isinstance(made.value, Object) else None
        kinds.setdefault(node, []).insert(0, made)
    if len(kinds) < 2:
        return [site]
    found = []
    for kind, all_made in kinds.items():
        uses = [
            use
            for use in site.uses
            if kind is (use.target.cls.node if isinstance(use.target, Object) else None)
        ]
        found.append(dataclasses.replace(site, made=all_made, uses=uses))
    return found


def _given_by_partial(node: ast.Call, rule: Layer) -> dict[str, ast.expr]:
    """The arguments that a partial of a layer holds, by parameter name."""
    call = ast.copy_location(ast.Call(node.func, node.args[1:], node.keywords), node)
    return source_arguments(call, (*rule.signature, *rule.keyword_only))


def _refuse_shifted(site: Site, called: Value | None) -> None:
    """Raises Declined where a call gives more by position to a partial that holds arguments by position."""
    if isinstance(called, Partial) and called.args and site.node.args:
        raise CannotMove(
            site.node,
            "a partial of a layer with positional arguments is called with more of them",
            "give them by keyword",
        )


def _handed(site: Site) -> Site:
    """A site that makes what it is handed, with the rules for layers whose classes are handed on."""
    layers: dict[int, LayerObject] = {}

    def as_handed(value: Any) -> Any:
        if isinstance(value, LayerObject) and value.rule.handed is not None:
            changed = dataclasses.replace(value, rule=value.rule.handed)
            return layers.setdefault(id(value), changed)
        return value

    made = [dataclasses.replace(each, value=as_handed(each.value)) for each in site.made]
    made.sort(key=_is_of_library)  # the last one's signature tells what is given by position
    uses = [dataclasses.replace(use, target=as_handed(use.target)) for use in site.uses]
    return dataclasses.replace(site, made=made, uses=uses)


def _is_of_library(made: Made) -> bool:
    return isinstance(made.value, LayerObject) and not made.value.rule.helper


def _refuse_mixture(site: Site) -> None:
    """Raises Declined where a variable makes layers of several kinds that want different sizes."""
    kinds = {
        made.value.rule.leading: made.value.rule
        for made in site.made
        if isinstance(made.value, LayerObject)
    }
    if len(kinds) > 1:
        first, second = sorted(rule.source.rsplit(".", 1)[-1] for rule in kinds.values())[:2]
        raise Declined(
            f"`{ast.unparse(site.node.func)}` makes {first} and {second}, which are given different sizes",
            "make the one or the other in an `if`",
        )
