"""Which functions of a project make layers and can be modules of their own."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..ancestry import argument_around, class_around
from ..project import Module
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import Function
from ..signatures import is_unpacked
from . import borrowed, maker_reasons
from .closure_uses import Uses
from .maker import (
    CONSTRUCTORS,
    Apart,
    Maker,
    calls_in,
    can_stay,
    is_self,
    kept_as,
    makes_on_self,
    names_written,
    naming,
    other_name,
    place_name,
    reads_name,
    takes_no_data,
)
from .maker_fields import FieldFinder
from .maker_lookup import TRANSFORMS, Lookup
from .prepared import Leave


class Finder:
    """Finds the functions that make layers and are only ever called from where layers may be made."""

    def __init__(
        self,
        interp: Interpreter,
        modules: Sequence[Module],
        leave: Leave,
        apart: frozenset[Apart] = frozenset(),
    ) -> None:
        self.interp = interp
        self.modules = modules
        self.leave = leave
        self.apart = apart
        self.lookup = Lookup(interp, modules)
        self.uses = Uses(self.lookup, {})
        self.unfit: dict[tuple[Path, str], str] = {}  # why functions that make layers stay

    @functools.cached_property
    def _bases(self) -> set[str | None]:
        """The last names of all that classes of the project inherit from."""
        return {base for module in self.modules for base in module.bases}

    def find(self) -> dict[ast.AST | None, Maker]:
        plain = [(module, node) for module in self.modules for node in self._plain(module)]
        found: dict[ast.AST | None, Maker] = {
            node: Maker(module, node, framework)
            for module, node in plain
            if (framework := self._framework(module, node)) is not None
        }
        while True:
            fresh = list(self._indirect(found, plain))
            if not fresh:
                break
            found.update({m.node: m for m in fresh})
        for node in self._named_elsewhere():
            found.pop(node, None)
        self._tell_of_others({node for _, node in plain})
        self._collect_uses(found)
        while True:
            bad = {m.node: why for m in found.values() if (why := self._unfit(m, found))}
            if not bad:
                break
            for node, why in bad.items():
                maker = found.pop(node)
                if self._is_root(maker):
                    continue
                self.unfit.setdefault(maker.place, why)
        FieldFinder(self.lookup, found).sort_all()
        self._leave_together(found)
        for maker in found.values():
            if maker.left:
                why = f"code that stays goes on calling `{maker.node.name}`"
                self.unfit.setdefault(maker.place, why)
        return found

    def _is_root(self, maker: Maker) -> bool:
        """Whether a transform is given a function: that is no reason for it to stay."""
        return self.lookup.is_transformed(maker.node, maker.module) or any(
            isinstance(above := module.source.parents[node], ast.Call)
            and self.lookup.names[module].qualified(above.func) in TRANSFORMS
            for module, node in maker.handed
        )

    def _tell_of_others(self, plain: Collection[ast.AST]) -> None:
        """Says of the functions at the top of files that make layers why their syntax keeps them."""
        for module in self.modules:
            for node in module.tree.body:
                if (
                    isinstance(node, ast.FunctionDef)
                    and node not in plain
                    and (module.path, node.name) not in self.leave
                    and self._framework(module, node) is not None
                ):
                    self.unfit[module.path, node.name] = maker_reasons.of_syntax(node)

    def _named_elsewhere(self) -> Iterator[ast.AST]:
        """The functions that files which stay as they are give other names."""
        for module in list(self.interp.project.modules.values()):
            names = self.interp.environment_of(module).names if module not in self.modules else {}
            for statement in module.tree.body if names else ():
                for target in statement.targets if isinstance(statement, ast.Assign) else ():
                    value = names.get(target.id) if isinstance(target, ast.Name) else None
                    if isinstance(value, Function):
                        yield value.node

    def _leave_together(self, found: Mapping[ast.AST | None, Maker]) -> None:
        """A function that stays goes on calling the functions that it calls."""
        pending = [maker for maker in found.values() if maker.left]
        while pending:
            maker = pending.pop()
            for call in calls_in(maker.node):
                called = found.get(self.lookup.target(call.func, maker.module))
                if called is not None and not called.left:
                    called.left = True
                    pending.append(called)

    def _plain(self, module: Module) -> Iterator[ast.FunctionDef]:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef) and self._is_plain(node, module):
                yield node

    def _framework(self, module: Module, node: ast.FunctionDef) -> str | None:
        """The framework of the layers and variables that a function makes itself, where it is one."""
        kinds = {k for call in calls_in(node) if (k := self.lookup.kind(call, module))}
        kinds |= {"haiku" for call in calls_in(node) if self.lookup.draws(call, module)}
        kinds |= {
            "haiku" for _ in borrowed.parameter_calls(node, self.lookup.names[module].qualified)
        }
        kinds |= {"linen" for call in calls_in(node) if makes_on_self(call, node)}
        return kinds.pop() if len(kinds) == 1 else None

    def _indirect(
        self,
        found: Mapping[ast.AST | None, Maker],
        plain: Iterable[tuple[Module, ast.FunctionDef]],
    ) -> Iterator[Maker]:
        """Functions that call a maker, from outside of any module."""
        for module, node in plain:
            if node not in found:
                kinds = {
                    found[target].framework
                    for call in calls_in(node)
                    if (target := self.lookup.target(call.func, module)) in found
                }
                if len(kinds) == 1:
                    yield Maker(module, node, kinds.pop())

    def _is_plain(self, node: ast.FunctionDef, module: Module) -> bool:
        if (module.path, place_name(node, module)) in self.leave or not self._is_bare(node, module):
            return False
        if node.args.vararg or node.args.kwarg:
            return False
        above = module.source.parents[node]
        while isinstance(above, ast.If | ast.With | ast.For):
            above = module.source.parents[above]
        if isinstance(above, ast.Module):
            return True
        if isinstance(above, ast.ClassDef):
            return self._is_helper_method(node, above, module)
        return (
            isinstance(above, ast.FunctionDef)
            and self.lookup.method_around(above, module) is not None
        )

    def _is_bare(self, node: ast.FunctionDef, module: Module) -> bool:
        """Whether no decorator changes what a function is; `hk.transparent` only changes names.

        Those of libraries that call it once are as well put around what is made of it.
        """
        return all(
            isinstance(decorator, ast.Name | ast.Attribute)
            and (
                self.lookup.names[module].qualified(decorator) == "haiku.transparent"
                or self.lookup.calls_once(decorator, module)
            )
            for decorator in node.decorator_list
        )

    def _is_helper_method(self, node: ast.FunctionDef, owner: ast.ClassDef, module: Module) -> bool:
        """Whether a method of a Haiku module makes new layers each time that another method calls it.

        A transparent one does. Haiku counts names anew in each call of any other, which so has the same layers, unless
        each call gives them a name of its own.
        """
        cls = self.lookup.method_around(node, module)
        if cls is None or classes.framework(cls) != "haiku" or node.name.startswith("__"):
            return False
        if not node.args.args or node.args.args[0].arg != "self":
            return False
        reads = [n for n in ast.walk(node) if isinstance(n, ast.Attribute) and is_self(n.value)]
        called = [
            n
            for n in reads
            if isinstance(above := module.source.parents[n], ast.Call) and above.func is n
        ]
        stored = any(not isinstance(n.ctx, ast.Load) for n in reads)
        calls = [
            n
            for n in ast.walk(owner)
            if isinstance(n, ast.Call)
            and isinstance(n.func, ast.Attribute)
            and is_self(n.func.value)
            and n.func.attr == node.name
        ]
        if not node.decorator_list and not self._each_has_a_name(node, calls, module):
            return False
        return owner.name not in self._bases and not called and not stored and len(calls) > 1

    def _each_has_a_name(
        self, node: ast.FunctionDef, calls: Sequence[ast.Call], module: Module
    ) -> bool:
        """Whether the calls of a method give different names, and all its layers have the name that they are given."""
        names = [a.arg for a in node.args.args[1:]]
        if "name" not in names:
            return False
        place = names.index("name")
        given = [
            next(
                (k.value for k in call.keywords if k.arg == "name"),
                call.args[place] if place < len(call.args) else None,
            )
            for call in calls
        ]
        texts = {g.value for g in given if isinstance(g, ast.Constant) and isinstance(g.value, str)}
        made = [call for call in calls_in(node) if self.lookup.kind(call, module) is not None]
        named = all(
            any(k.arg == "name" and ast.unparse(k.value) == "name" for k in call.keywords)
            for call in made
        )
        return len(texts) == len(calls) and named

    # ---- uses -------------------------------------------------------------------------------------------

    def _collect_uses(self, found: Mapping[ast.AST | None, Maker]) -> None:
        wanted = {m.node.name for m in found.values()}
        wanted |= {
            alias
            for module in self.modules
            for alias, value in self.interp.environment_of(module).names.items()
            if isinstance(value, Function) and value.node in found
        }
        for module in self.modules:
            for node in ast.walk(module.tree):
                named = (
                    node.id
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
                    else node.attr
                    if isinstance(node, ast.Attribute)
                    else None
                )
                if named is None or named not in wanted:
                    continue
                assert isinstance(node, ast.Name | ast.Attribute)
                target = self.lookup.target(node, module)
                if target not in found:
                    continue
                above = module.source.parents[node]
                if self._is_apart(found[target], node, module):
                    found[target].left = True
                elif (
                    isinstance(above, ast.Call)
                    and above.func is node
                    and not self._is_wrapped(found[target])
                ):
                    found[target].calls.append((module, above))
                elif self._is_handed_once(found[target], node, module):
                    found[target].handed_once.append((module, node))
                elif other_name(node, module) is not None:
                    found[target].aliases.append((module, node))
                else:
                    found[target].left = True
                    found[target].handed.append((module, node))

    def _is_wrapped(self, maker: Maker) -> bool:
        """Whether what a call gives a function is not what it gets: a library is put around it."""
        decorators = maker.node.decorator_list
        return any(self.lookup.calls_once(each, maker.module) for each in decorators)

    def _is_handed_once(self, maker: Maker, node: ast.expr, module: Module) -> bool:
        """Whether a library is given a function that it calls once, where its class can be made without arguments."""
        if maker.node.decorator_list and module is not maker.module:
            return False
        given, above = argument_around(node, module.source.parents)
        called = isinstance(above, ast.Call) and above.func is given
        if not (self._is_wrapped(maker) if called else isinstance(above, ast.Call | ast.List)):
            return False
        if not self.uses.called_once(node, module):
            return False
        fields = FieldFinder(self.lookup, {maker.node: maker})
        fields.sort(maker)
        # It gives what its class is called with by place.
        behind = maker.parameters[len(maker.parameters) - len(maker.fields) :]
        return {f.arg for f in maker.fields} == {p.arg for p in behind} and all(
            maker.default(field) is not None for field in maker.fields
        )

    def _is_apart(self, maker: Maker, node: ast.AST, module: Module) -> bool:
        """Whether a use stands in a class or function that goes on calling the function."""
        scope = module.source.parents.get(node)
        while scope is not None:
            if isinstance(scope, ast.ClassDef | ast.FunctionDef):
                if (*maker.place, module.path, scope.name) in self.apart:
                    return True
            scope = module.source.parents.get(scope)
        return False

    def _unfit(self, maker: Maker, found: Mapping[ast.AST | None, Maker]) -> str | None:
        """Why a function cannot be a module of its own; None where it can."""
        name = f"`{maker.node.name}`"
        if maker.left and not can_stay(maker):
            return maker_reasons.of_uses(maker)
        maker.returned = _returned_layers(maker, self.lookup)
        calls = list(maker.calls)
        self._leave_calls(maker, found)
        if not maker.calls and not maker.handed_once:
            return maker_reasons.of_no_calls(maker, calls, self.leave)
        if not maker.returned and _returns_maker(maker, self.lookup):
            return f"{name} hands back what it makes"
        named = any(p.arg == "name" for p in maker.parameters)
        if not self._keeps_its_own(maker, found):
            return f"the parameters of {name} are its caller's, which may ask for them elsewhere"
        for node in ast.walk(maker.node):
            if isinstance(node, ast.Yield | ast.Nonlocal | ast.Global):
                return f"{name} is no plain function of its arguments"
            if named and reads_name(node) and naming(node, maker) is None:
                return f"{name} does more with `name` than to name a layer"
        if any(is_unpacked(call) for _, call in maker.calls):
            return f"{name} is called with arguments that are unpacked"
        kept = [call for module, call in maker.calls if kept_as(call, module) is not None]
        if maker.returned or not kept or takes_no_data(maker):
            return None
        return f"a constructor keeps what {name} returns"

    def _keeps_its_own(self, maker: Maker, found: Mapping[ast.AST | None, Maker]) -> bool:
        """Whether parameters that a function makes for its caller are the same where it is a module of its own."""
        wanted = borrowed.names(maker.node, self.lookup.names[maker.module].qualified)
        if not wanted:
            return wanted is not None
        kept = [
            (module, call)
            for module, call in maker.calls
            if self._asks_alone(maker, wanted, call, module, found)
        ]
        if len(kept) < len(maker.calls):
            maker.left = True
            maker.calls = kept if can_stay(maker) else []
        return bool(maker.calls)

    def _asks_alone(
        self,
        maker: Maker,
        wanted: frozenset[str],
        call: ast.Call,
        module: Module,
        found: Mapping[ast.AST | None, Maker],
    ) -> bool:
        """Whether no run of the class around a call asks for the parameters of a function anywhere else."""
        owner = class_around(call, module.source.parents)
        if owner is None or self.lookup.method_around(call, module) is None:
            return False
        parents = module.source.parents
        inside = {id(node) for node in ast.walk(owner)}
        calls = [(each, c) for each in found.values() for _, c in each.calls if id(c) in inside]
        own = [c for each, c in calls if each is maker]
        others = [c for each, c in calls if each is not maker and self._asks(each, wanted)]
        qualified = self.lookup.names[module].qualified
        direct = [
            asking
            for asking in borrowed.parameter_calls(owner, qualified)
            if (asked := borrowed.names(asking, qualified)) is None or asked & wanted
        ]
        return borrowed.at_most_once(own, parents) and all(
            borrowed.exclusive(call, other, parents) for other in [*others, *direct]
        )

    def _asks(self, maker: Maker, wanted: frozenset[str]) -> bool:
        own = borrowed.names(maker.node, self.lookup.names[maker.module].qualified)
        return own is None or bool(own & wanted)

    def _leave_calls(self, maker: Maker, found: Mapping[ast.AST | None, Maker]) -> None:
        """Calls from where no layers can be made go on calling a function at the top of a file."""
        fit = [c for c in maker.calls if self._may_make(c[1], c[0], maker, found)]
        once = [c for c in maker.handed_once if self._may_make(c[1], c[0], maker, found)]
        if len(fit) < len(maker.calls) or len(once) < len(maker.handed_once):
            maker.left = True
            maker.calls = fit if can_stay(maker) else []
            maker.handed_once = once if can_stay(maker) else []

    def _may_make(
        self, call: ast.expr, module: Module, maker: Maker, found: Mapping[ast.AST | None, Maker]
    ) -> bool:
        """Whether a call stands in a method of a module, in another maker, or in a transformed function."""
        scope: ast.AST = call
        while scope in module.source.parents:
            scope = module.source.parents[scope]
            if isinstance(scope, ast.Lambda):
                return False
            if isinstance(scope, ast.FunctionDef):
                if scope in found and scope is not maker.node:
                    return True
                if self.lookup.method_around(scope, module) is not None:
                    if maker.returned:
                        return True
                    # What a constructor keeps of a module's call is no variable any more.
                    kept = kept_as(call, module) if isinstance(call, ast.Call) else None
                    return scope.name not in CONSTRUCTORS or kept is not None
                if self.lookup.is_transformed(scope, module):
                    return True
        return False


def _returned_layers(maker: Maker, lookup: Lookup) -> list[ast.expr]:
    """The layers that a function hands back uncalled; empty unless all that it returns are plain layers.

    A layer that it calls as well, and a name that is given more than one kind of thing, are not plain.
    """
    names: dict[str, list[ast.expr]] = {}
    for node in ast.walk(maker.node):
        if isinstance(node, ast.Assign):
            for name in names_written(node):
                names.setdefault(name, []).append(node.value)
    called = {ast.unparse(call.func) for call in calls_in(maker.node)}
    own = [n for n in ast.walk(maker.node) if isinstance(n, ast.FunctionDef | ast.Lambda)]
    found: list[ast.expr] = []
    for node in ast.walk(maker.node):
        if not isinstance(node, ast.Return):
            continue
        made = [node.value] if node.value is not None else []
        if isinstance(node.value, ast.Name) and node.value.id not in called:
            made = names.get(node.value.id, [])
        plain = [lookup.is_plain_layer(value, maker.module) for value in made]
        if not plain or not all(plain) or node.value is None or len(own) > 1:
            return []
        found.append(node.value)
    return found


def _returns_maker(maker: Maker, lookup: Lookup) -> bool:
    """Whether a function hands back what it makes, and not what that returns."""
    made = {
        name
        for node in ast.walk(maker.node)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and lookup.kind(node.value, maker.module)
        for name in names_written(node)
    }
    for node in ast.walk(maker.node):
        if isinstance(node, ast.Return):
            if node.value is None:
                return True
            if isinstance(node.value, ast.Call) and lookup.kind(node.value, maker.module):
                return True
            if isinstance(node.value, ast.Name) and node.value.id in made:
                return True
            if isinstance(node.value, ast.Lambda):
                return True
            if isinstance(node.value, ast.Name) and any(
                isinstance(f, ast.FunctionDef) and f.name == node.value.id
                for f in ast.walk(maker.node)
            ):
                return True
    return not any(isinstance(node, ast.Return) for node in ast.walk(maker.node))
