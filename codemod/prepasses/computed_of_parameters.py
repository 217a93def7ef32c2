"""What `setup` computes of parameters, written as properties: `self.rate = jnp.exp(self.log_rate)`.

`setup` runs again with each call of the module, a constructor runs once: the value would be that of the first parameters,
and no gradient would go through it. A property is computed anew for who reads it, from the parameters as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..chains import is_own
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from .parts_of_blocks import Part
from .prepared import Draft, Leave, Prepared, class_by_class
from .setup_values import NotPlain, SetupValues, key, keys_stored


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such properties in the modules of a project, but for those named in `leave`."""
    return class_by_class(
        project,
        rules,
        leave,
        lambda source: "def setup" in source.text and "self.param(" in source.text,
        _prepare_class,
    )


def _prepare_class(draft: Draft, cls: Class) -> bool:
    setup = next(
        (n for n in cls.node.body if isinstance(n, ast.FunctionDef) and n.name == "setup"), None
    )
    if classes.framework(cls) != "linen" or setup is None:
        return False
    try:
        values = SetupValues(setup, cls.node)
    except NotPlain:
        return False
    attributes = values.attributes()
    if not attributes or not all(_is_free(draft, cls, setup, each, values) for each in attributes):
        return False
    writer = _Writer(draft, setup, values)
    try:
        written = [line for group in values.groups() for line in writer.properties(group)]
    except NotPlain:
        return False
    rest = writer.rest()
    text = "\n".join([*rest, *written]).strip()
    draft.edits.replace(setup, text)
    return True


def _is_free(
    draft: Draft, cls: Class, setup: ast.FunctionDef, attribute: str, values: SetupValues
) -> bool:
    """Whether nothing but `setup` gives an attribute a value, here or in any class of the family."""
    family = list(classes.family(draft.interp, cls))
    if any(attribute in each.members for each in family):
        return False
    own = set(ast.walk(setup))
    return all(
        node in own
        for each in family
        for node in ast.walk(each.node)
        if is_own(node) and node.attr == attribute and not isinstance(node.ctx, ast.Load)
    ) and not any(f.name == attribute for each in family for f in classes.fields(each))


class _Writer:
    """Writes the properties of a class, and what is left of its `setup`."""

    def __init__(self, draft: Draft, setup: ast.FunctionDef, values: SetupValues) -> None:
        self.source = draft.source
        self.setup = setup
        self.values = values
        self.indent = self.source.line_indent(self.source.span(setup)[0])
        self.inner = self.indent + self.source.indent_unit

    def properties(self, group: list[str]) -> Iterator[str]:
        """The properties of attributes that the same statements set."""
        wanted = self.values.needed(group)
        if len(group) == 1:
            yield from self._property(group[0], self._body(group, wanted))
            return
        method = "_" + "_and_".join(group)
        yield from ["", f"{self.indent}def {method}(self):", *self._body(group, wanted)]
        for place, attribute in enumerate(group):
            yield from self._property(attribute, [f"{self.inner}return self.{method}()[{place}]"])

    def _property(self, attribute: str, body: list[str]) -> list[str]:
        return ["", f"{self.indent}@property", f"{self.indent}def {attribute}(self):", *body]

    def _body(self, group: list[str], wanted: set[ast.stmt]) -> list[str]:
        instead = dict(self.values.instead)
        if self._ends_with(group, wanted):
            written = self._returned(group, wanted)
            return Part(self.source, wanted, instead, written).lines(self.setup.body, self.inner)
        names = {each: self.values.spare(each) for each in group}
        for statement in wanted:
            for node in ast.walk(statement):
                if is_own(node) and node.attr in names and node not in instead:
                    instead[node] = names[node.attr]
        lines = Part(self.source, wanted, instead).lines(self.setup.body, self.inner)
        return [*lines, f"{self.inner}return {', '.join(names.values())}"]

    def _ends_with(self, group: list[str], wanted: set[ast.stmt]) -> bool:
        """Whether attributes only get values, all at once, as the last thing that is done, and are not read then."""
        names = [f"self.{each}" for each in group]
        stored = {s for s in wanted if set(names) & set(keys_stored(s))}
        reads = any(
            key(n) in names and not isinstance(getattr(n, "ctx", None), ast.Store)
            for s in wanted
            for n in ast.walk(s)
            if n not in self.values.instead
        )
        last = set(_last(Part(self.source, wanted), self.setup.body))
        return stored <= last and not reads and all(_targets(s) == names for s in stored)

    def _returned(self, group: list[str], wanted: set[ast.stmt]) -> dict[ast.stmt, str]:
        """The statements that set attributes as such that return the values."""
        part = Part(self.source, wanted, self.values.instead)
        found: dict[ast.stmt, str] = {}
        for statement in wanted:
            if isinstance(statement, ast.Assign) and _targets(statement) == [
                f"self.{each}" for each in group
            ]:
                target, value = (
                    self.source.span(n) for n in (statement.targets[0], statement.value)
                )
                opening = self.source.text[target[1] : value[0]].partition("=")[2].strip()
                closing = self.source.text[value[1] : self.source.span(statement)[1]]
                found[statement] = f"return {opening}{part.text(statement.value)}{closing}"
        return found

    def rest(self) -> list[str]:
        """What is left of `setup`, without a line break at its start."""
        values = self.values
        hoisted = values.hoisted(self.source)
        part = Part(self.source, {*values.kept(), *hoisted}, values.instead, hoisted)
        head = self.source.text[
            self.source.span(self.setup)[0] : self.source.span(self.setup.body[0])[0]
        ].rstrip()
        lines = part.lines(self.setup.body, self.inner) or [f"{self.inner}pass"]
        return [head, *lines]


def _last(part: Part, block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a part after which nothing else of it runs."""
    present = [statement for statement in block if part.has(statement)]
    for statement in present[-1:]:
        if isinstance(statement, ast.If):
            yield from _last(part, statement.body)
            yield from _last(part, statement.orelse)
        else:
            yield statement


def _targets(statement: ast.stmt) -> list[str | None]:
    """What an assignment sets, in order."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)]):
            return [key(target) for target in targets]
        case ast.Assign(targets=[target]):
            return [key(target)]
    return []
