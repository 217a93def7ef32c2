"""`self.make_rng` that a module hands to a function, written as a function that draws from the stream that is asked for.

`noisy(x, self.make_rng)` becomes `noisy(x, lambda _: self.make_rng("noise"))`, if all that `noisy` does with what it is
handed is to ask for keys of that one stream: the streams of a module of NNX are attributes, and have no names to ask by.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..chains import is_own
from ..project import Module, Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class, Function
from ..signatures import is_unpacked, parameters, written_arguments
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such arguments in the module classes of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return "self.make_rng" in source.text.replace("self.make_rng(", "")


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) != "linen":
        return False
    found = False
    for call, handed in _handed(cls.node):
        stream = _stream(draft, cls, call, handed)
        if stream is not None:
            draft.edits.replace(handed, f"lambda _: self.make_rng({stream})")
            found = True
    return found


def _handed(cls: ast.ClassDef) -> Iterator[tuple[ast.Call, ast.expr]]:
    """The calls that are given `self.make_rng` itself."""
    for call in ast.walk(cls):
        if isinstance(call, ast.Call) and not is_unpacked(call):
            for given in [*call.args, *(k.value for k in call.keywords)]:
                if is_own(given) and given.attr == "make_rng":
                    yield call, given


def _stream(draft: Draft, cls: Class, call: ast.Call, handed: ast.expr) -> str | None:
    """The name of the one stream that a function asks for by what a call hands it, as it is written there."""
    if not isinstance(call.func, ast.Name | ast.Attribute):
        return None
    function = draft.interp.peek_name(call.func, cls.around)
    if not isinstance(function, Function) or function.owner is not None:
        return None
    names = [parameter.name for parameter in parameters(function.node.args)]
    given = written_arguments(names, call)
    name = next((name for name in names if given.get(name) is handed), None)
    home = draft.interp.project.home(function.node)
    if name is None or home is None:
        return None
    asked = list(_asked(function, name, home))
    texts = {home.source.segment(stream) if stream is not None else None for stream in asked}
    return texts.pop() if len(texts) == 1 else None


def _asked(function: Function, name: str, home: Module) -> Iterator[ast.expr | None]:
    """What a function asks for by a parameter, None wherever it does something else with it."""
    for node in ast.walk(function.node):
        if isinstance(node, ast.arg) and node.arg == name and node not in _own(function):
            yield None  # another parameter of that name, of a function within
        if not isinstance(node, ast.Name) or node.id != name:
            continue
        match home.source.parents[node]:
            case ast.Call(func=head, args=[ast.Constant(value=str()) as stream], keywords=[]) if (
                head is node
            ):
                yield stream
            case _:
                yield None


def _own(function: Function) -> list[ast.arg]:
    return [parameter.arg for parameter in parameters(function.node.args)]
