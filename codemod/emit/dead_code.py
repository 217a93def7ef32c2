"""Tests whose outcome is known, flags that go, and statements that only fed what has moved."""

from __future__ import annotations

import ast
import re

from ..edits import move
from ..model.sites import walk_own
from .guards import simplify
from .method_context import MethodContext
from .transport import changed

# How a block opens, from its colon on.
_AFTER_TEST = re.compile(r"\A(?:[^:#]|#[^\n]*\n)*(:.*)", re.DOTALL)
_ELSE = re.compile(r"^[ \t]*else[ \t]*(:.*)", re.DOTALL | re.MULTILINE)


def settle_guards(context: MethodContext, function: ast.FunctionDef) -> None:
    """Tests whose outcome is now known, or that only asked for a mode that goes."""
    for node in list(walk_own(function))[::-1]:  # the innermost first
        if isinstance(node, ast.If) and not context.is_gone(node):
            outcome = simplify(node.test, context.known, context.edits)
            if isinstance(outcome, bool):
                _unwrap(context, node, outcome)
            elif isinstance(outcome, str):
                context.edits.replace(node.test, outcome)
                context.gone.update(_left_out(node.test, outcome))
        elif isinstance(node, ast.IfExp) and not context.is_gone(node):
            outcome = simplify(node.test, context.known, context.edits)
            if isinstance(outcome, bool):
                stays = node.body if outcome else node.orelse
                context.rename(stays)
                context.edits.replace(node, context.edits.render(stays))
                context.gone.add(node.orelse if outcome else node.body)
                context.gone.add(node.test)


def _left_out(test: ast.expr, text: str) -> list[ast.Name]:
    """The names of a test that its shorter text does not read any more."""
    read = {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}
    return [n for n in ast.walk(test) if isinstance(n, ast.Name) and n.id not in read]


def _unwrap(context: MethodContext, node: ast.If, outcome: bool) -> None:
    """Replaces an `if` by one of its branches."""
    body, other = (node.body, node.orelse) if outcome else (node.orelse, node.body)
    context.gone.add(node.test)
    context.gone.update(other)
    if not body:
        context.edits.delete_statement(node)
        context.gone.add(node)
        return

    source = context.edits.source
    whole, (start, end) = source.span(node), (source.span(body[0])[0], source.span(body[-1])[1])
    for statement in body:
        context.rename(statement)
    text = context.edits.render((start, end))
    arm, chain = (source.text.startswith("elif", at) for at in (whole[0], start))
    if arm and not chain:
        between = source.text[source.span(node.test if outcome else node.body[-1])[1] : start]
        opening = (_AFTER_TEST if outcome else _ELSE).search(between)
        after = opening[1] if opening is not None else f":\n{source.line_indent(start)}"
        text = f"else{after}{text}"
    elif not arm:
        text = move(text, source.line_indent(start), source.line_indent(whole[0])).lstrip()
        text = text.removeprefix("el" if chain else "")
    context.edits.replace(node, text)


def drop_flags(context: MethodContext, function: ast.FunctionDef) -> None:
    names = context.flags.parameters.get(function, {})
    spec = function.args
    for parameter in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]:
        if parameter.arg in names:
            context.edits.remove_item(function, parameter)
            context.gone.add(parameter)
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Assign)
            and not context.is_gone(node)
            and _settled(context, function, node)
        ):
            context.edits.delete_statement(node)
            context.gone.add(node)


def _settled(context: MethodContext, function: ast.FunctionDef, node: ast.Assign) -> bool:
    """A local that held a mode that goes, or the answer of `is_initializing()` for tests that have gone."""
    if not isinstance(node.value, ast.Call):
        return False
    if context.flags.is_mode(node.value):
        return True
    known = context.known(node.value) is not None
    return known and not _bound_names(node) & _loads(context, function)


def drop_dead_statements(context: MethodContext, function: ast.FunctionDef) -> None:
    """Assignments that only fed what has moved to the constructor go."""
    again = True
    while again:
        again = _dead_chain(context, function)
        loads = _loads(context, function)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and not context.is_gone(
                node
            ):
                names = _bound_names(node)
                if (
                    names
                    and not names & loads
                    and _fed_only_moved(context, function, names)
                    and _pure(context, node)
                ):
                    context.edits.delete_statement(node, with_comments=node in context.moved)
                    context.gone.add(node)
                    again = True
            elif isinstance(node, ast.If) and not context.is_gone(node) and _emptied(context, node):
                context.edits.delete_statement(node)
                context.gone.add(node)
                again = True
    drop_emptied_blocks(context, function)


def drop_emptied_blocks(context: MethodContext, function: ast.FunctionDef) -> None:
    """Loops and branches whose statements have all gone, innermost first."""
    blocks = [n for n in ast.walk(function) if isinstance(n, ast.For | ast.If)]
    for node in blocks[::-1]:
        if all(s in context.gone for s in [*node.body, *node.orelse]):
            context.edits.delete_statement(node)
            context.gone.add(node)


def _dead_chain(context: MethodContext, function: ast.FunctionDef) -> bool:
    """What moved and makes a name anew of itself (`block = nn.remat(block)`), or changes it, read by nothing else."""
    chains: dict[str, list[ast.stmt]] = {}
    for node in ast.walk(function):
        if not isinstance(node, ast.stmt) or node not in context.moved or context.is_gone(node):
            continue
        name = changed(node)
        if name is None and isinstance(node, ast.Assign) and len(_bound_names(node)) == 1:
            name = min(_bound_names(node))
        if name is not None:
            chains.setdefault(name, []).append(node)
    for name, statements in chains.items():
        inside = {inner for statement in statements for inner in ast.walk(statement)}
        reads = [
            node
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and node.id == name and not context.is_gone(node)
        ]
        if len(statements) > 1 and all(node in inside for node in reads):
            for statement in statements:
                context.edits.delete_statement(statement, with_comments=True)
                context.gone.add(statement)
            return True
    return False


def _emptied(context: MethodContext, node: ast.If) -> bool:
    """Whether all that an `if` did has moved to the constructor, which refuses in its place what it refused."""
    statements = [*node.body, *node.orelse]
    left = [s for s in statements if s not in context.gone]
    refuses = all(isinstance(s, ast.Raise) for s in left) and {
        n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)
    } == {"self"}
    return len(left) < len(statements) and (not left or refuses)


def _pure(context: MethodContext, node: ast.stmt) -> bool:
    """Whether a statement does nothing but bind names."""
    value = getattr(node, "value", None)
    return value is not None and not any(
        isinstance(inner, ast.Await | ast.Yield | ast.NamedExpr) for inner in ast.walk(value)
    )


def _loads(context: MethodContext, function: ast.FunctionDef) -> set[str]:
    return {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Load)
        and not context.is_gone(node)
    }


def _fed_only_moved(context: MethodContext, function: ast.FunctionDef, names: set[str]) -> bool:
    """Whether the names were read before, by something that is gone: unused names of the user's own stay."""
    return any(
        isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
        for node in ast.walk(function)
    )


def _bound_names(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if any(
        isinstance(inner, ast.Attribute | ast.Subscript)
        for target in targets
        for inner in ast.walk(target)
    ):
        return set()
    return {
        inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)
    } - {"_"}
