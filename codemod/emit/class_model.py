"""Describes a class that was rewritten for those who use it: parameters, flags, where its variables are."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..ancestry import lineage
from ..chains import is_own
from ..model.module import AddedParameter, ModuleModel
from ..model.sites import Site
from ..model.study import Study
from ..shapes import classes
from ..shapes.values import FALSE, NONE, LayerObject, Object
from ..signatures import defaults
from . import constructors, inheritance
from .arms import only_asked_outside
from .flags import Flags
from .known_tests import KnownTests
from .places import Places
from .variables import KNOWN_COLLECTIONS


@dataclass(frozen=True)
class Describer:
    """Reads the model of one class off its sites. `kinds` names the variable classes of collections."""

    study: Study
    sites: Sequence[Site]
    flags: Flags
    base: inheritance.Base | None
    models: Mapping[ast.AST, ModuleModel]
    places: Places
    known: KnownTests
    kinds: Mapping[str, str]
    parents: Mapping[ast.AST, ast.AST]

    def model(self, added: list[AddedParameter]) -> ModuleModel:
        """What callers see of the class; `added` are the sizes that its constructor takes."""
        cls = self.study.cls
        model = ModuleModel(cls, self.study.framework, cls.name, cls.name, rewritten=True)
        model.added = added
        for function, flags in self.flags.parameters.items():
            assert isinstance(function, ast.FunctionDef)
            model.modes[function.name] = dict(flags)
            model.mode_defaults[function.name] = {
                name: _flag_default(function, name) for name in flags
            }
        model.field_modes = dict(self.flags.fields)
        if self.base is not None:
            _inherit(model, self.base)
        model.totals = self.places.totals
        for site in self.sites:
            self._describe_site(model, site)
        made = self.study.facts.variables.values()
        sows = any(v.kind == "sow" for variables in made for v in variables)
        children = model.children.values()
        model.sows = sows or any(child.sows for child in children)
        model.sows |= self.base is not None and self.base.model.sows
        model.quiet = self._quiet() if model.sows else set()
        model.makes_in_calls = any(child.makes_in_calls for child in children) or (
            self.base is not None and self.base.model.makes_in_calls
        )
        model.writes_at_init = (
            model.makes_in_calls
            or self._writes_at_init()
            or any(child.writes_at_init for child in children)
        )
        return model

    def _quiet(self) -> set[str]:
        """The methods of the class that sow nothing, and call nothing that does."""
        if self.base is not None:
            return set()
        sown = [v for made in self.study.facts.variables.values() for v in made if v.kind == "sow"]
        loud: set[ast.AST | None] = {node for v in sown for node in (v.node, *v.stack)}
        for site in self.sites:
            child = self.models.get(site.value.cls.node) if isinstance(site.value, Object) else None
            if child is not None and child.sows:
                if not site.uses:
                    return set()
                loud |= {node for use in site.uses for node in (use.call, *use.stack)}
        return {
            function.name
            for function in self.study.cls.node.body
            if isinstance(function, ast.FunctionDef) and not loud & set(ast.walk(function))
        }

    def constructor(
        self, model: ModuleModel, stored: Mapping[str, str], takes_rngs: bool, constructs: bool
    ) -> None:
        """Adds what a subclass has to know; `stored` is the text of each attribute that holds a parameter."""
        inherited = self.base.model if self.base is not None and self.base.reached else None
        cls = self.study.cls
        found = constructors.initialiser(cls) if self.study.framework == "haiku" else None
        if found is not None:
            taken = constructors.parameters(found[1])
            model.constructor = [(p.arg.arg, p.keyword_only) for p in taken]
        else:
            model.constructor = [
                (f.name, f.keyword_only)
                for f in classes.fields(cls)
                if f.name not in self.flags.fields and f.name not in ("name", "parent")
            ]
        model.takes_rngs = takes_rngs
        model.constructs = constructs or (inherited is not None and inherited.constructs)
        model.stored = set(stored) | (inherited.stored if inherited else set())
        model.names = model.stored | {site.attribute for site in self.sites}
        model.names |= inherited.names if inherited else set()
        model.site_nodes = {site.node for site in self.sites}
        model.site_nodes |= inherited.site_nodes if inherited else set()

    def _writes_at_init(self) -> bool:
        """Whether Linen's `init`, which runs the model, changes a variable of the user's own."""
        return any(
            isinstance(node, ast.Attribute)
            and node.attr == "value"
            and isinstance(node.ctx, ast.Store)
            and not is_own(node)
            and not self._guarded_at_init(node)
            for node in ast.walk(self.study.cls.node)
        )

    def _guarded_at_init(self, node: ast.AST) -> bool:
        for above in lineage(node, self.parents):
            if above is self.study.cls.node:
                return False
            if isinstance(above, ast.If) and (
                "initializing" in ast.unparse(above.test)
                or self.known.in_method(above.test) is not None
            ):
                return True
        return False

    def _describe_site(self, model: ModuleModel, site: Site) -> None:
        if site.variable is not None:
            self._describe_variable(model, site)
            return
        source_name = self.places.source_name(site)
        model.attributes[source_name] = site.attribute + ("[{i}]" if site.loops else "")
        model.variables += [v for v in self.places.variables(site) if v not in model.variables]
        self._note_unused(model, site)
        if site.rule is not None:
            _note_cache(model, site)
            model.holds |= site.rule.holds
            if "RngState" in site.rule.holds:
                model.streams.add("dropout")
        elif isinstance(site.value, Object) and site.value.cls.node in self.models:
            child = self.models[site.value.cls.node]
            model.children[source_name] = child
            model.holds |= child.holds
            model.streams |= child.streams

    def _note_unused(self, model: ModuleModel, site: Site) -> None:
        """Says of a cell that is there for its first state alone where a choice goes the other way."""
        child = self.models.get(site.value.cls.node) if isinstance(site.value, Object) else None
        arm = only_asked_outside(site, child, self.parents)
        if arm is not None:
            test = ast.unparse(arm.node.test)
            what = f"this is made whatever `{test}` says, as its first state is asked for: its parameters are new there"
            how = f"make it under `{test}`, if its first state is not needed otherwise"
            model.notes.append((site.node, what, how))

    def _describe_variable(self, model: ModuleModel, site: Site) -> None:
        variable = site.variable
        assert variable is not None
        if variable.kind == "rng":
            model.holds.add("RngState")
            model.streams.add(variable.name or "default")
            return
        collection = variable.collection
        if variable.kind != "param":
            key = variable.name or "" if variable.kind == "state" else collection
            kind = KNOWN_COLLECTIONS.get(collection) or self.kinds.get(key, "Variable")
            model.holds.add(kind.removeprefix("nnx."))
            model.collections[collection] = kind
        path = self.places.variable(site)
        model.attributes[variable.name or site.attribute] = path.target[0]
        model.variables.append(path)


def _inherit(model: ModuleModel, base: inheritance.Base) -> None:
    """What the base has and its subclass keeps."""
    for name, modes in base.model.modes.items():
        model.modes.setdefault(name, dict(modes))
        model.mode_defaults.setdefault(name, dict(base.model.mode_defaults.get(name, {})))
    if not base.reached:
        return
    model.holds |= base.model.holds
    model.streams |= base.model.streams
    model.collections.update(base.model.collections)
    model.attributes.update(base.model.attributes)
    model.children.update(base.model.children)
    model.variables += base.model.variables


def _note_cache(model: ModuleModel, site: Site) -> None:
    if isinstance(site.value, LayerObject) and _may_decode(site.value):
        model.holds.add("Cache")
        model.collections["cache"] = "nnx.Cache"
        model.notes.append(
            (
                site.node,
                "the cache of this attention is made by hand: Linen's `init` makes it from its inputs",
                "call `init_cache(shape)` with the full length before decoding, then `decode` works as before",
            )
        )


def _may_decode(layer: LayerObject) -> bool:
    """Whether an attention layer may be one with a cache."""
    given = layer.arguments.get("decode", FALSE)
    return layer.rule.target == "flax.nnx.MultiHeadAttention" and given not in (FALSE, NONE)


def _flag_default(function: ast.FunctionDef, name: str) -> bool | None:
    match defaults(function.args).get(name):
        case ast.Constant(value=bool(value)):
            return value
    return None
