"""The attributes that sites become: named by the source where it names them, by their kind where it does not."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from ..chains import is_own
from ..model.built import BuiltList
from ..model.sites import Comprehension, Site, literal_name
from ..model.study import Study
from ..shapes.interpreter import Interpreter
from ..shapes.lifts import Lifted
from ..shapes.values import Class, Either, LayerObject, Object, Partial
from . import names
from .names import singular
from .places import Places
from .transport import scope_of


@dataclass(frozen=True)
class SiteNames:
    """Chooses the attributes of one class's sites, and of the lists that they are put into.

    `fields` are the names of its fields, `methods` those of its methods, `inherited` what its base has.
    """

    interp: Interpreter
    study: Study
    sites: Sequence[Site]
    built: Sequence[BuiltList]
    functions: Sequence[ast.FunctionDef]
    fields: Collection[str]
    inherited: Collection[str]

    def choose(self) -> None:
        """Sets the attribute of each site."""
        taken = self._taken()
        self._name_lists(taken)
        groups: dict[str, list[Site]] = {}
        chosen: list[tuple[Site, str, bool]] = []
        for site in self.sites:
            base, fixed = self._base_name(site)
            chosen.append((site, base, fixed))
        fixed_names = {base for _, base, fixed in chosen if fixed}
        fields = set(self.fields) - fixed_names
        for site, base, fixed in chosen:
            if not fixed:
                groups.setdefault(base, []).append(site)
        clashing = self._read_fields()
        for base in sorted(fixed_names):
            same = [site for site, name, fixed in chosen if fixed and name == base]
            if base in clashing and not any(site.own_attribute for site in same):
                variable = any(site.variable is not None for site in same)
                base = f"{base}_{'param' if variable else 'layer'}"
            self._name_alike(base, same, (taken | fixed_names | fields) - {base})
        taken |= {site.attribute for site in self.sites}
        for base, sites in groups.items():
            numbered = names.numbered([base] * len(sites), taken | fixed_names | fields)
            for site, name in zip(sites, numbered, strict=True):
                site.attribute = name

    def keep(self, places: Places) -> None:
        """Gives sites the names that Linen gives them, where it counts them out and no branch decides."""
        found = [(s, name) for s in self.sites if (name := places.automatic(s)) is not None]
        kept = {site.node for site, _ in found}
        others = {site.attribute for site in self.sites if site.node not in kept}
        others |= self._taken()
        for site, name in found:
            if name not in others:
                site.attribute = name

    def _taken(self) -> set[str]:
        return {f.name for f in self.functions} | set(self.fields) | set(self.inherited)

    def _read_fields(self) -> set[str]:
        """The fields that a method other than the constructor reads: they keep their attribute."""
        return {
            node.attr
            for function in self.functions
            if function.name not in ("setup", "__init__", "__post_init__")
            for node in ast.walk(function)
            if is_own(node) and isinstance(node.ctx, ast.Load)
        } & set(self.fields)

    def _name_alike(self, base: str, sites: Sequence[Site], taken: set[str]) -> None:
        """Sites that the source names alike: one attribute if they are one thing made in different ways."""
        things: list[list[Site]] = []
        for site in sites:
            for thing in things:
                if any(_is_same_thing(site, other, self.study.framework) for other in thing):
                    thing.append(site)
                    break
            else:
                things.append([site])
        looped = [thing for thing in things if thing[0].loops]
        bases = [
            base if len(looped) in (0, len(things)) or thing in looped else singular(base)
            for thing in things
        ]
        chosen = names.numbered(bases, taken) if len(things) > 1 else bases
        for thing, name in zip(things, chosen, strict=True):
            for site in thing:
                site.attribute = name

    def _name_lists(self, taken: set[str]) -> None:
        for each in self.built:
            while each.attribute in taken:
                each.attribute += "_"

    def _base_name(self, site: Site) -> tuple[str, bool]:
        """The attribute name of a site and whether it is given by the source."""
        if site.built is not None:
            return site.built.outermost.attribute, True
        if site.own_attribute is not None:
            return site.own_attribute, True
        literal = literal_name(site)
        many = bool(site.loops)
        if site.variable is not None and site.variable.kind == "rng":
            haiku = self.study.framework == "haiku"
            own = f"{site.variable.name}_rng" if site.variable.name is not None else "rng"
            return "rngs" if haiku else own, True
        if literal is not None and literal.isidentifier():
            if iskeyword(literal):
                literal = f"{literal}_"
            return (names.plural(literal) if many else literal), True
        if isinstance(site.explicit, ast.JoinedStr):
            parts = [
                str(p.value) if isinstance(p, ast.Constant) else None for p in site.explicit.values
            ]
            stem = names.stem(parts)
            if stem:
                return stem, True
        if self._is_stacked(site) and site.alias is None:
            return names.plural(self._kind_name(site)), False
        if site.alias is not None:
            listed = many and not _holds_list(site)
            return (names.plural(site.alias) if listed else site.alias), True
        kind = self._kind_name(site)
        return (names.plural(kind) if many else kind), False

    def _is_stacked(self, site: Site) -> bool:
        lift = self.interp.lifted.get(site.node)
        return (isinstance(lift, Lifted) and lift.stacked) or site.function in self.interp.stacked

    def _kind_name(self, site: Site) -> str:
        holder = self._holder(site)
        if holder is not None:
            return names.snake(names.made_by(holder))
        if isinstance(site.value, LayerObject) and site.value.cls is not None:
            return names.snake(site.value.cls.name)
        if site.rule is not None:
            return site.rule.attribute
        if isinstance(site.value, Object):
            return names.snake(self._name_here(site.value.cls))
        return "variable"

    def _name_here(self, cls: Class) -> str:
        """The name of a module's class, without that of this class where one was put before a function's."""
        own, name = self.study.cls.name, cls.name
        of_function = (cls.module.path, name) in self.interp.project.functions
        return name.removeprefix(own) or name if of_function else name

    def _holder(self, site: Site) -> str | None:
        """The field or local that holds the class which a site makes something of."""
        match site.node.func:
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in self.fields:
                return name
            case ast.Name(id=name) as func if isinstance(
                self.study.facts.value(func), Partial | Either
            ) or (name in scope_of(site.function).assignments):
                return name
        return None


def _holds_list(site: Site) -> bool:
    return any(isinstance(loop, Comprehension) for loop in site.loops)


def _is_same_thing(one: Site, other: Site, framework: str) -> bool:
    """Whether two sites of one name make what the same calls use: in two branches, say."""
    if one.own_attribute is not None or one.variable is not None or one.built is not None:
        return True
    if list(map(id, one.loops[:1])) != list(map(id, other.loops[:1])):
        return False
    if one.explicit is not None and other.explicit is not None and framework == "linen":
        return True  # Linen would not have two of one name; Haiku counts on
    calls = {use.call for use in one.uses}
    return not calls or any(use.call in calls for use in other.uses)
