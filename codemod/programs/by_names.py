"""Models that a name finds, in programs that stay: the name finds what runs the rewritten model for them.

`getattr(models, name)` becomes `getattr(models, f'Linen{name}', getattr(models, name))`: the second name of a class, where
it has one. What a decorator puts into a dict is what runs the model.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection

from ..edits import EditConflict, Edits
from ..emit import layout
from ..emit.reexports import Link, second_name, way
from ..project import Module
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.named import Lookup, Named, module_class
from ..shapes.values import Class, External
from ..source import Source

_PLAIN = (
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.JoinedStr, ast.FormattedValue),
    *(ast.Load, ast.BinOp, ast.Add, ast.Mod),
)


def lookups_of(interp: Interpreter, cls: Class) -> list[Lookup]:
    """The places that may find a class, or a partial of it, by a name."""
    met = interp.choices.met.values() if interp.choices is not None else ()
    return [lookup for lookup in met if any(each is cls for each in lookup.definitions())]


def family(interp: Interpreter, cls: Class) -> set[Class]:
    """The classes that may come in the place of one."""
    found = {cls}
    for lookup in lookups_of(interp, cls):
        found |= {each for each in lookup.definitions() if isinstance(each, Class)}
    return found


def home(interp: Interpreter, lookup: Lookup) -> Module:
    """The file that asks."""
    found = interp.project.home(lookup.node)
    assert found is not None
    return found


def links(interp: Interpreter, cls: Class, name: str) -> list[Link] | None:
    """The imports by which a class gets its second `name` where names are looked for; None where one finds another."""
    found: list[Link] = []
    for lookup in lookups_of(interp, cls):
        if not _is_only_called(interp, lookup):
            return None
        if lookup.holder is None:
            continue
        if len(prefixes(lookup)) > 1 or not _may_be_asked_twice(lookup):
            return None
        for known in (n for n, value in lookup.found.items() if value is cls):
            if known != cls.name:
                if second_name(lookup.holder, str(known)) is None:
                    return None
                continue
            imports = way(interp.project, lookup.holder, cls.name, cls)
            taken = interp.environment_of(lookup.holder).names
            if imports is None or name in taken:
                return None
            found += imports
    return found


def _may_be_asked_twice(lookup: Lookup) -> bool:
    """Whether an expression that asks may be written a second time."""
    return isinstance(lookup.node, ast.Call) and all(
        isinstance(node, _PLAIN) for arg in lookup.node.args for node in ast.walk(arg)
    )


def _is_only_called(interp: Interpreter, lookup: Lookup) -> bool:
    """Whether what a name finds is called, or handed on to code of the tree, and nothing else is asked of it."""
    for node, values in interp.facts.values.items():
        if not any(isinstance(v, Named) and v.node is lookup.node for v in values):
            continue
        module = interp.project.home(node)
        above = module.source.parents.get(node) if module is not None else None
        if isinstance(above, ast.Attribute):
            return False
        if isinstance(above, ast.Call) and above.func is not node:
            head = interp.facts.value(above.func)
            if isinstance(head, External) and head.name != "functools.partial":
                return False
    return True


def write(
    interp: Interpreter,
    bridged: Collection[ast.AST],
    edits_of: Callable[[Module], Edits],
    limit: int,
) -> set[ast.AST]:
    """Lets names find the second names of the classes that are `bridged`; those classes for which some edit is in the
    way."""
    blocked: set[ast.AST] = set()
    for lookup in interp.choices.met.values() if interp.choices is not None else ():
        own = {v.node for v in lookup.found.values() if isinstance(v, Class)} & set(bridged)
        if lookup.holder is None or not own:
            continue
        edits = edits_of(home(interp, lookup))
        try:
            edits.replace(lookup.node, _text(lookup, edits.source, limit))
        except EditConflict:
            blocked |= own
    return blocked


def _text(lookup: Lookup, source: Source, limit: int) -> str:
    """`getattr` for the second name, with the first one where there is none; broken where its line would be too long."""
    assert isinstance(lookup.node, ast.Call)
    owner, key, *_ = lookup.node.args
    asked = _with_prefix(prefixes(lookup).pop(), key, source.segment(key), source.text)
    start, end = source.span(lookup.node)
    first = source.line_start(start)
    indent = source.line_indent(start)
    before, after = source.text[first + len(indent) : start], source.text[end:].split("\n", 1)[0]
    text = layout.call(
        "getattr",
        [source.segment(owner), asked, source.segment(lookup.node)],
        indent=indent,
        unit=source.hanging_indent,
        limit=limit,
        prefix=before,
        suffix=after,
    )
    return text.removeprefix(before).removesuffix(after)


def prefixes(lookup: Lookup) -> set[str]:
    """What the second names of its classes begin with."""
    modules = filter(None, map(module_class, lookup.found.values()))
    return {(classes.framework(cls) or "").capitalize() for cls in modules}


def _with_prefix(prefix: str, key: ast.expr, text: str, file: str) -> str:
    """The text of a key with a prefix before what it says."""
    file = file.replace('"""', "")
    quote = "'" if file.count("'") > file.count('"') else '"'
    match key:
        case ast.JoinedStr() | ast.Constant() if text.lstrip("fF")[:1] in ("'", '"'):
            start = len(text) - len(text.lstrip("fF")) + 1
            return f"{text[:start]}{prefix}{text[start:]}"
        case ast.Name() | ast.Attribute():
            return f"f{quote}{prefix}{{{text}}}{quote}"
    return f"{quote}{prefix}{quote} + {text}"
