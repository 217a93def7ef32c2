"""Edits the methods that stay: sites become attributes, flags go, statements that only fed sites go."""

from __future__ import annotations

import ast

from ..ancestry import lineage
from ..chains import is_own
from ..model.module import ModuleModel
from ..model.sites import Comprehension, Site, only_made, statement_of
from ..shapes import classes
from ..shapes.lifts import Lifted, LiftedModule, Mapped, Scanned
from ..shapes.scanned_functions import ScannedBody, ScannedFunction
from ..shapes.values import Class, Either, External, Object
from .dead_code import drop_dead_statements, drop_emptied_blocks, drop_flags, settle_guards
from .joining import join_calls
from .method_calls import edit_calls
from .method_context import LiftedCall, MethodContext
from .method_inline import inline_site
from .method_loops import by_loop, edit_loop, flatten
from .method_variables import edit_own_variables, edit_set_states, edit_variable
from .names import singular
from .rebound import bound_otherwise, keep_local
from .transport import CannotMove, NeedsFlags


def edit_method(context: MethodContext, function: ast.FunctionDef) -> None:
    """Records the edits of one method of a class."""
    for fill in context.fills:
        if fill.function is function:
            context.edits.delete_statement(fill.statement, with_comments=True)
            context.gone.update(ast.walk(fill.statement))
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        if call in context.late:
            context.edits.replace(call.func, context.late[call])
            context.gone.update(ast.walk(call.func))
            context.helpers.add(context.late[call])
    _built_lists(context, function)
    own = [
        site
        for site in context.sites
        if site.function is function and site.built is None and not _inner(context, site)
    ]
    for loop, sites in by_loop(context, own).items():
        edit_loop(context, function, loop, sites)
    for site in own:
        if not any(isinstance(loop, ast.For) for loop in site.loops):
            _site(context, function, site)
    for site in context.sites:
        if (
            site.function in context.interp.stacked
            and statement_of(context.parents[site.function], context.parents) is function
        ):
            _stack(context, function, site)
    _lifted_attributes(context, function)
    edit_own_variables(context, function)
    edit_set_states(context, function)
    edit_calls(context, function)
    settle_guards(context, function)
    drop_flags(context, function)
    drop_dead_statements(context, function)
    for lifted in context.lifted:
        _write_lifted(context, lifted)
    context.lifted.clear()
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    join_calls(context.edits, [call for call in calls if call.func in context.gone], context.limit)
    for loop, (site, name) in context.flat.items():
        flatten(context, loop, site, name)
    context.flat.clear()


def _built_lists(context: MethodContext, function: ast.FunctionDef) -> None:
    """A list that was filled with layers is an attribute; what filled it has moved."""
    for built in context.built:
        if built.function is not function:
            continue
        for statement in built.statements:
            context.edits.delete_statement(statement, with_comments=True)
            context.gone.add(statement)
        drop_emptied_blocks(context, function)
        for read in built.reads if built.kept else ():
            if not context.is_gone(read):
                context.edits.replace(read, built.text)
                context.gone.add(read)


def _inner(context: MethodContext, site: Site) -> bool:
    """Whether a site is an argument of another's constructor."""
    node: ast.AST = site.node
    nodes = {
        other.node
        for other in context.sites
        if other is not site and not (_is_inline(other) and site.variable is None)
    }
    while node in context.parents and not isinstance(node, ast.stmt):
        below, node = node, context.parents[node]
        if node in nodes and below is not getattr(node, "func", None):
            return True
    return False


def _is_inline(site: Site) -> bool:
    return site.rule is not None and site.rule.inline


def _site(context: MethodContext, function: ast.FunctionDef, site: Site) -> None:
    text = f"self.{site.attribute}"
    if site.variable is not None:
        edit_variable(context, function, site)
        return
    if site.alias is not None:
        _alias(context, function, site, text)
        return
    comprehension = next((loop for loop in site.loops if isinstance(loop, Comprehension)), None)
    if comprehension is not None:
        context.edits.replace(comprehension, text)
        context.gone.add(comprehension)
        return
    rule = site.rule
    if rule is not None and rule.inline:
        inline_site(context, site, text)
        return
    lift = context.interp.lifted.get(site.node)
    above = context.parents[site.node]
    if isinstance(lift, ScannedBody):
        _scanned_function(context, site, above, site.node, text)
        return
    if isinstance(lift, Lifted):
        if not (isinstance(above, ast.Call) and above.func is site.node):
            raise CannotMove(
                site.node,
                "a scanned or mapped module that is not called where it is made",
                "call it there",
            )
        local = singular(site.attribute) if lift.stacked else site.attribute
        context.lifted.append(LiftedCall(site, above, lift, local, text))
        context.gone.add(site.node)
        return
    context.edits.replace(site.node, text)
    context.gone.add(site.node)


def _alias(context: MethodContext, function: ast.FunctionDef, site: Site, text: str) -> None:
    """A local that held the layer, or a list of layers, goes; its uses read the attribute."""
    if site.statement in context.gone:
        return
    if bound_otherwise(context, function, site) or _is_either(context, function, site):
        keep_local(context, site, text)
        return
    context.edits.delete_statement(
        site.statement,
        with_comments=site.statement in context.moved or only_made(site),
    )
    context.gone.add(site.statement)
    others = [
        s for s in context.sites if s.alias == site.alias and s.statement is not site.statement
    ]
    for name in ast.walk(function):
        if (
            isinstance(name, ast.Name) and name.id == site.alias and isinstance(name.ctx, ast.Load)
        ) and not context.is_gone(name):
            if (others and not _reads(context, name, site)) or _is_another(context, name, function):
                continue
            if not _scan_call(context, site, name, text):
                context.edits.replace(name, text)


def _is_another(context: MethodContext, name: ast.Name, function: ast.FunctionDef) -> bool:
    """Whether a name is a parameter of a function or lambda within a method."""
    for above in lineage(name, context.parents):
        if above is function:
            return False
        if isinstance(above, ast.Lambda | ast.FunctionDef) and any(
            isinstance(each, ast.arg) and each.arg == name.id for each in ast.walk(above.args)
        ):
            return True
    return False


def _is_either(context: MethodContext, function: ast.FunctionDef, site: Site) -> bool:
    """Whether a read of a site's local may be of this layer, or of another that has another attribute."""
    others = [
        each
        for each in context.sites
        if each.alias == site.alias and each.attribute != site.attribute
    ]
    reads = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == site.alias and isinstance(node.ctx, ast.Load)
    ]
    return any(
        _reads(context, name, site) and any(_reads(context, name, each) for each in others)
        for name in reads
        if others
    )


def _reads(context: MethodContext, name: ast.Name, site: Site) -> bool:
    """Whether what a site makes is what a name stands for at some place."""
    values = context.facts.values.get(name, [])
    made = [each.value for each in site.made]
    return any(
        option is value
        for each in values
        for option in (each.values if isinstance(each, Either) else (each,))
        for value in made
    )


def _stack(context: MethodContext, function: ast.FunctionDef, site: Site) -> None:
    """A nested function of stacked layers: it scans over them, and its calls hand them over."""
    inner = site.function
    assert isinstance(inner, ast.FunctionDef)
    local = singular(site.attribute)
    context.scans().stack(inner, inner.decorator_list[0], local)
    context.gone.add(inner.decorator_list[0])
    context.edits.replace(site.node, local)
    context.gone.add(site.node)
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == inner.name
        ):
            context.edits.add_item(node, f"self.{site.attribute}")


def _write_lifted(context: MethodContext, lifted: LiftedCall) -> None:
    """The call of a lifted module, with the transform and the module as its argument."""
    site, call, lift = lifted.site, lifted.call, lifted.lift
    statement = statement_of(call, context.parents)
    for argument in call.args:
        context.rename(argument)
    child = context.models.get(site.value.cls.node) if isinstance(site.value, Object) else None
    if not isinstance(lift, ScannedBody):
        _refuse_flags(context, call, child)
    if isinstance(lift, ScannedBody):
        context.scans().function(call, lift, lifted.attribute)
    elif isinstance(lift, Scanned):
        context.scans().call(statement, call, lift, lifted.local, lifted.attribute)
    elif isinstance(lift, Mapped):
        if not lift.stacked and child is not None and child.holds:
            raise CannotMove(
                call, "a mapped module with state that all indices share", "map it by hand"
            )
        context.scans().mapped(statement, call, lift, lifted.local, lifted.attribute)


def _refuse_flags(context: MethodContext, call: ast.Call, child: ModuleModel | None) -> None:
    """Has a lifted class keep its flags where its call is still given them: no mode is seen through a transform."""
    if child is None or not isinstance(child.cls, Class):
        return
    method = classes.method(child.cls, "__call__")
    names = [a.arg for a in method.node.args.args][1:] if method is not None else []
    gone = context.edits.only_removes(call) or set()
    given = {name for name, arg in zip(names, call.args, strict=False) if arg not in gone}
    if given & child.modes.get("__call__", {}).keys():
        raise NeedsFlags(child.cls.node, child.name)


def _lifted_attributes(context: MethodContext, function: ast.FunctionDef) -> None:
    """Calls of lifted modules that the constructor keeps: each is a transform of the module, which it gets."""
    for site in context.sites:
        lift = context.interp.lifted.get(site.node)
        if not isinstance(lift, Lifted) or site.alias is not None or site.function is function:
            continue
        for node in ast.walk(function):
            if not (is_own(node) and isinstance(node.ctx, ast.Load)):
                continue
            value = context.facts.value(node)
            if not isinstance(value, LiftedModule) or value.module.site is not site.node:
                continue
            call = context.parents[node]
            if not isinstance(call, ast.Call) or call.func is not node:
                raise CannotMove(
                    node,
                    "a lifted module is handed on, or asked for more than a call",
                    "call it in the method itself",
                )
            text = f"self.{site.attribute}"
            context.lifted.append(LiftedCall(site, call, lift, singular(site.attribute), text))
            context.gone.add(node)


def _scanned_function(
    context: MethodContext, site: Site, call: ast.AST, module: ast.expr, text: str
) -> None:
    """The module that a scanned function is given, and nothing else: `nn.scan(function, ...)(module, carry, xs)`."""
    lift = context.interp.lifted[site.node]
    assert isinstance(lift, ScannedBody)
    scanned = context.facts.value(call.func) if isinstance(call, ast.Call) else None
    if (
        not isinstance(call, ast.Call)
        or not isinstance(call.func, ast.Call)
        or not isinstance(scanned, ScannedFunction)
        or scanned.lift is not lift
        or call.args[0] is not module
    ):
        raise CannotMove(
            module,
            "layers that a scan stacks have other uses, too, or the scan a name",
            "make the scan where it is called, and other layers for other uses",
        )
    context.lifted.append(LiftedCall(site, call, lift, singular(site.attribute), text))
    context.gone.add(call.func.func)


def _scan_call(context: MethodContext, site: Site, name: ast.Name, text: str) -> bool:
    """A call of a scanned module, or `hk.scan` of a module: the transform moves to the call."""
    above = context.parents[name]
    if not isinstance(above, ast.Call):
        return False
    lift = context.interp.lifted.get(site.node)
    if isinstance(lift, ScannedBody):
        _scanned_function(context, site, above, name, text)
        return True
    if isinstance(lift, Lifted) and above.func is name:
        context.lifted.append(LiftedCall(site, above, lift, str(site.alias), text))
        return True
    if (
        len(above.args) == 3
        and above.args[0] is name
        and context.facts.value(above.func) == External("haiku.scan")
    ):
        context.scans().haiku(statement_of(above, context.parents), above, str(site.alias), text)
        return True
    return False
