"""Layers that a constructor makes as locals, written where they are put away first; others where they are run in turn.

`layer = hk.Linear(8)` and `self.layers.append(layer)`; or `conv` and `norm` one by one, `layers = ((conv, norm),)`,
`layers = layers + (...)` under a test, and in the end `self.layers = layers`: the layers are written into the calls and
displays that hold them, and such tuples into one list on `self`. So are the layers that any method makes for an
`hk.Sequential([conv, jax.nn.relu, norm])` of its own. A local is only written elsewhere if nothing in between
changes what its call reads, and if the order of making, which names layers in Haiku, stays the same.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ..ancestry import lineage
from ..chains import constructs, is_own, root_name
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class, External
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class

_PLAIN = frozenset(("haiku.Flatten", "haiku.Reshape"))  # modules that have rules as functions
_RUN_THEM = frozenset(("haiku.Sequential", "flax.linen.Sequential"))
# What may be done with a tuple of layers that can be done with a list of them, too.
_READERS = ("enumerate", "zip", "len", "reversed", "list", "tuple", "iter")


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such layers in the module classes of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return any(word in source.text for word in ("__init__", "setup", "Sequential"))


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) is None:
        return False
    methods = [n for n in cls.node.body if isinstance(n, ast.FunctionDef)]
    constructor = next((m for m in methods if constructs(m)), None)
    found = {method: _gathered(draft, method, method is constructor) for method in methods}
    layers = [layer for each in found.values() for layer in each]
    for layer in layers:
        draft.edits.replace(layer.read, draft.source.segment(layer.call))
        draft.edits.delete_statement(layer.made)
    if constructor is not None and found[constructor]:
        for tuples in _tuples(cls, constructor):
            _write_as_list(draft, tuples)
    return bool(layers)


# ---- layers that locals hold -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Gathered:
    """A local that holds a layer for the one statement that puts it where it stays."""

    made: ast.Assign
    call: ast.Call
    read: ast.Name
    user: ast.stmt
    between: Sequence[ast.stmt]


def _gathered(draft: Draft, method: ast.FunctionDef, constructs: bool) -> list[_Gathered]:
    found = [layer for block in _blocks(method) for layer in _of_block(draft, block, constructs)]
    made = {layer.made for layer in found}
    found = [layer for layer in found if layer.user not in made]
    found = [layer for layer in found if len(list(_mentions(method, layer.read.id))) == 2]
    while True:  # Haiku names by their order those that have no name
        kept = [layer for layer in found if _has_name(layer.call) or _keeps_order(layer, found)]
        if len(kept) == len(found):
            return kept
        found = kept


def _of_block(draft: Draft, block: Sequence[ast.stmt], constructs: bool) -> Iterator[_Gathered]:
    put_away = _is_put_away if constructs else _is_run_in_turn
    for place, made in enumerate(block):
        match made:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call) if _makes_layer(
                draft, call
            ):
                for after in range(place + 1, len(block)):
                    reads = list(_mentions(block[after], name))
                    if not reads:
                        continue
                    between = block[place + 1 : after]
                    moves = not any(_changes(draft, each, call) for each in between)
                    if len(reads) == 1 and moves and put_away(draft, reads[0], block[after]):
                        yield _Gathered(made, call, reads[0], block[after], between)
                    break


def _mentions(tree: ast.AST, name: str) -> Iterator[ast.Name]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name)


def _blocks(function: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    """The bodies of a function, and of the tests and loops in it."""
    pending = [function.body]
    while pending:
        block = pending.pop()
        yield block
        for statement in block:
            if isinstance(statement, ast.If | ast.For):
                pending += [statement.body, statement.orelse]


def _makes_layer(draft: Draft, call: ast.Call) -> bool:
    made = draft.interp.peek(call.func, draft.interp.environment_of(draft.module))
    match made:
        case External(name=qualified):
            return draft.interp.rules.layer(qualified) is not None or qualified in _PLAIN
        case Class():
            return classes.framework(made) is not None
    return False


def _has_name(call: ast.Call) -> bool:
    return any(keyword.arg == "name" for keyword in call.keywords)


def _keeps_order(layer: _Gathered, others: Collection[_Gathered]) -> bool:
    """Whether a layer is made after the same layers where it is read, and before the same."""
    along = {each.call: each for each in others if each.user is layer.user}
    for statement in layer.between:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and not _stands_in(node, along):
                return False
    for node in ast.walk(layer.user):
        if isinstance(node, ast.Call) and _end(node) < _place(layer.read):
            return False
    before = [each for each in along.values() if _place(each.read) < _place(layer.read)]
    return all(_place(each.made) < _place(layer.made) for each in before)


def _stands_in(node: ast.Call, calls: Collection[ast.Call]) -> bool:
    return any(inner is node for call in calls for inner in ast.walk(call))


def _place(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def _is_put_away(draft: Draft, read: ast.Name, statement: ast.stmt) -> bool:
    """Whether a statement puts a local into a tuple, a list or a layer, which it assigns, adds or appends."""
    parents = draft.source.parents
    held = False
    for above in lineage(parents[read], parents):
        match above:
            case ast.Tuple() | ast.List() | ast.Dict():
                held = True
            case ast.keyword() | ast.BinOp(op=ast.Add()):
                continue  # a layer that alone is given to another is a local of the new constructor, too
            case ast.Call(func=ast.Attribute(attr="append" | "extend"), args=[_], keywords=[]):
                return parents[above] is statement and isinstance(statement, ast.Expr)
            case ast.Call() if held and _makes_layer(draft, above):
                continue
            case ast.Assign() | ast.AugAssign():
                return held and above is statement
            case _:
                return False
    return False


def _is_run_in_turn(draft: Draft, read: ast.Name, statement: ast.stmt) -> bool:
    """Whether a statement gives a local in a list to what calls the layers of a list one after the other."""
    parents = draft.source.parents
    display = parents[read]
    call = parents.get(display)
    if not isinstance(display, ast.List | ast.Tuple) or not isinstance(call, ast.Call):
        return False
    made = draft.interp.peek(call.func, draft.interp.environment_of(draft.module))
    return (
        isinstance(statement, ast.Assign | ast.Return)
        and isinstance(made, External)
        and made.name in _RUN_THEM
        and call.args == [display]
    )


def _changes(draft: Draft, statement: ast.stmt, call: ast.Call) -> bool:
    """Whether a statement may change what a call reads: it assigns it, or does more with it than make a layer."""
    read = {n.id for n in ast.walk(call) if isinstance(n, ast.Name)}
    own = {n.attr for n in ast.walk(call) if is_own(n)}
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in read:
                return True
            case ast.Attribute(attr=name, ctx=ast.Store()) if name in own:
                return True
            case ast.Subscript(ctx=ast.Store()) if root_name(node.value) in read:
                return True
            case ast.Call() if not _makes_layer(draft, node):
                touched = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                if touched & (read - {root_name(call.func)}):
                    return True
    return False


# ---- the list that they end in -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Tuples:
    """A local tuple that grows before an attribute takes it."""

    start: ast.Assign
    grown: list[ast.Assign | ast.AugAssign]
    kept: ast.Assign


def _tuples(cls: Class, constructor: ast.FunctionDef) -> Iterator[_Tuples]:
    for start in constructor.body:
        match start:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Tuple()):
                found = _grown(cls, constructor, start, name)
                if found is not None:
                    yield found


def _grown(
    cls: Class, constructor: ast.FunctionDef, start: ast.Assign, name: str
) -> _Tuples | None:
    """A tuple of which each mention is its start, an addition to it, or the attribute that takes it in the end."""
    grown: list[ast.Assign | ast.AugAssign] = []
    kept: list[ast.Assign] = []
    known = 1
    for block in _blocks(constructor):
        for statement in block:
            match statement:
                case ast.Assign(
                    targets=[ast.Name(id=target)],
                    value=ast.BinOp(left=ast.Name(id=left), op=ast.Add(), right=ast.Tuple()),
                ) if target == left == name:
                    grown.append(statement)
                    known += 2
                case ast.AugAssign(target=ast.Name(id=target), op=ast.Add(), value=ast.Tuple()) if (
                    target == name
                ):
                    grown.append(statement)
                    known += 1
                case ast.Assign(
                    targets=[ast.Attribute() as attribute], value=ast.Name(id=value)
                ) if value == name and is_own(attribute) and block is constructor.body:
                    kept.append(statement)
                    known += 1
    mentions = list(_mentions(constructor, name))
    if len(kept) != 1 or len(mentions) != known or not _is_read_as_list(cls, kept[0]):
        return None
    if any(each.lineno > kept[0].lineno for each in grown):
        return None
    return _Tuples(start, grown, kept[0])


def _is_read_as_list(cls: Class, kept: ast.Assign) -> bool:
    """Whether the class does nothing with an attribute that a list in the place of a tuple would not do."""
    target = kept.targets[0]
    parents = cls.module.source.parents
    for node in ast.walk(cls.node):
        if node is target or not is_own(node) or not _same_attribute(node, target):
            continue
        match parents[node]:
            case ast.For(iter=each) | ast.comprehension(iter=each) if each is node:
                continue
            case ast.Call(func=ast.Name(id=function)) if function in _READERS:
                continue
            case ast.Subscript(value=value, slice=index) if value is node and not isinstance(
                index, ast.Slice
            ):
                continue
        return False
    return True


def _same_attribute(node: ast.Attribute, target: ast.expr) -> bool:
    return isinstance(target, ast.Attribute) and node.attr == target.attr


def _write_as_list(draft: Draft, tuples: _Tuples) -> None:
    """Has the attribute take a list where the local took the tuple."""
    edits, source = draft.edits, draft.source
    attribute = source.segment(tuples.kept.targets[0])
    edits.replace(tuples.start.targets[0], attribute)
    _bracket(draft, tuples.start.value)
    for statement in tuples.grown:
        value = statement.value
        value = value.right if isinstance(value, ast.BinOp) else value
        head = (source.span(statement)[0], source.span(value)[0])
        edits.replace(head, f"{attribute} += ")
        _bracket(draft, value)
    edits.delete_statement(tuples.kept)


def _bracket(draft: Draft, display: ast.expr) -> None:
    """Square brackets in the place of a tuple's parentheses."""
    start, end = draft.source.span(display)
    if draft.source.text[start] == "(":
        draft.edits.replace((start, start + 1), "[")
        draft.edits.replace((end - 1, end), "]")
    else:
        draft.edits.insert(start, "[")
        draft.edits.insert(end, "]")
