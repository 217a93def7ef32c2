"""What only a configuration holds, `jnp.einsum(config.equation, a, b)`: the constants that the tree writes under that name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..project import Project


def texts(project: Project, asked: ast.expr) -> list[str]:
    """The texts that an attribute may be, by all that the tree says of its name; none where some of it is no text."""
    found = _constants(project, asked.attr) if isinstance(asked, ast.Attribute) else []
    told = [each for each in found if isinstance(each, str)]
    return told if len(told) == len(found) else []


def is_count(project: Project, name: str, known: dict[str, bool]) -> bool:
    """Whether an attribute is a size, by all that the tree says of its name; what was found out before is in `known`."""
    if name not in known:
        found = _constants(project, name)
        known[name] = bool(found) and all(type(each) is int and each > 0 for each in found)
    return known[name]


def _constants(project: Project, name: str) -> list[object]:
    """The constants that the tree gives to a name; none where it gives something else, too."""
    found: list[object] = []
    for module in project.modules.values():
        if name not in module.source.text:
            continue
        for node in ast.walk(module.tree):
            for value in _given(node, name):
                match value:
                    case ast.Constant(value=constant):
                        found.append(constant)
                    case ast.Attribute(attr=attr) | ast.Name(id=attr) if attr == name:
                        pass  # it is handed on
                    case _:
                        return []
    return list(dict.fromkeys(found))


def _given(node: ast.AST, name: str) -> Iterator[ast.expr]:
    """What a node gives to a name: as the entry of a dict, an argument, an attribute or a field."""
    match node:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value == name:
                    yield value
        case ast.keyword(arg=arg, value=value) if arg == name:
            yield value
        case ast.Assign(targets=[ast.Attribute(attr=attr)], value=value) if attr == name:
            yield value
        case ast.AnnAssign(target=target, value=ast.expr() as value) if _is(target, name):
            yield value
        case ast.AnnAssign(target=target, annotation=annotation) if _is(target, name):
            yield from _choices(annotation)


def _is(target: ast.expr, name: str) -> bool:
    """Whether a target is a name, or an attribute of that name."""
    return getattr(target, "id", getattr(target, "attr", None)) == name


def _choices(annotation: ast.expr) -> Iterator[ast.expr]:
    """The values that a `Literal` allows; of other types a field alone tells nothing."""
    match annotation:
        case ast.Subscript(
            value=ast.Name(id="Literal") | ast.Attribute(attr="Literal"), slice=inner
        ):
            yield from inner.elts if isinstance(inner, ast.Tuple) else [inner]
