"""`hk.next_rng_keys(n)`, written as one key that is split: `jax.random.split(hk.next_rng_key(), n)`."""

from __future__ import annotations

import ast

from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such calls in the module classes of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return ".next_rng_keys(" in source.text


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) != "haiku":
        return False
    found = False
    for node in ast.walk(cls.node):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="next_rng_keys") as called,
                args=[ast.expr() as count],
                keywords=[],
            ) if draft.names.qualified(called) == "haiku.next_rng_keys" and not isinstance(
                count, ast.Starred
            ):
                key = draft.source.segment(called).removesuffix("s")
                draft.edits.replace(called, draft.names.target("jax.random.split"))
                draft.edits.insert(draft.source.span(count)[0], f"{key}(), ")
                found = True
    return found
