"""What a class may hold that no rewrite of it could keep: each is refused with its place and what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ..ancestry import lineage
from ..chains import constructs, is_own, last_name
from ..model.module import ModuleModel
from ..model.sites import Site, walk_own
from ..model.study import Study
from ..project import Project
from ..shapes import classes
from ..shapes.dims import Expression, Origin
from ..shapes.values import Class, Object
from . import inheritance, turns
from .init_body import InitBody
from .transport import CannotMove

_MAKING = ("__init__", "__post_init__", "__setstate__")
_DRAWING = ("haiku.next_rng_key", "haiku.maybe_next_rng_key", "haiku.next_rng_keys")


def refuse_changing_attributes(functions: Iterable[ast.FunctionDef]) -> None:
    """Haiku makes a module anew for each run: what a call makes of an attribute's old value starts over there."""
    for function in functions:
        if function.name in ("__init__", "__post_init__"):
            continue
        for node in ast.walk(function):
            if not isinstance(node, ast.Assign | ast.AugAssign):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            stored = {name for t in targets for name in inheritance.written_attributes(t)}
            known = stored & inheritance.self_attributes(node.value)
            changed = stored if isinstance(node, ast.AugAssign) else known
            if changed:
                raise CannotMove(
                    node,
                    f"each call changes `self.{min(changed)}`, which Haiku forgets between runs",
                    "keep it in a local of the method, or as state",
                )


def refuse_changing_objects(functions: Iterable[ast.FunctionDef], study: Study) -> None:
    """An object that keeps something for the next call: the original made it anew for each run of the module."""
    for function in functions:
        for node in ast.walk(function) if constructs(function) else ():
            if not isinstance(node, ast.Assign) or not any(is_own(t) for t in node.targets):
                continue
            made = study.facts.value(node.value)
            if not isinstance(made, Object) or classes.framework(made.cls) is not None:
                continue
            method = _changing_method(made.cls)
            if method is not None:
                raise CannotMove(
                    node,
                    f"`{made.cls.name}.{method.name}` keeps something in the object, which each run makes anew",
                    "make the object in the method that uses it, or have its methods return what they keep",
                )


def _changing_method(cls: Class) -> ast.FunctionDef | None:
    """A method of a plain class that changes an attribute, or what is in one, once the object is made."""
    for owner in classes.mro(cls):
        for method in owner.node.body:
            if not isinstance(method, ast.FunctionDef) or method.name in _MAKING:
                continue
            for node in ast.walk(method):
                targets = node.targets if isinstance(node, ast.Assign) else []
                if isinstance(node, ast.AugAssign | ast.AnnAssign) and node.value is not None:
                    targets = [node.target]
                if any(inheritance.written_attributes(target) for target in targets):
                    return method
    return None


def refuse_drawn_keys(
    functions: Iterable[ast.FunctionDef], qualified: Callable[[ast.AST], str | None]
) -> None:
    """Keys that a constructor draws: they are new in each run of Haiku, and would stay the same in a module of NNX."""
    for function in functions:
        for node in walk_own(function) if function.name == "__init__" else ():
            if isinstance(node, ast.Call) and qualified(node.func) in _DRAWING:
                raise CannotMove(
                    node,
                    "the constructor draws a key, which is new in each run of Haiku",
                    "draw it in the method that uses it",
                )


def refuse_sites(
    study: Study,
    sites: Sequence[Site],
    base: inheritance.Base | None,
    models: Mapping[ast.AST, ModuleModel],
    project: Project,
) -> None:
    """Layers that other code makes, that are of a class that stays, or that no attribute can hold."""
    cls = study.cls
    owned = set(ast.walk(cls.node))
    if base is not None:
        owned |= base.model.site_nodes
    for node in [*study.facts.made, *study.facts.variables]:
        if node not in owned:
            raise CannotMove(
                cls.node,
                f"`{cls.name}` makes layers in code outside of its own class ({_place(node, project)})",
                "make them in the class, or give that code a module of its own",
            )
    for site in sites:
        if site.node in study.ranked:
            raise CannotMove(
                site.node,
                "this parameter has as many axes as an input, and nothing tells how many that are",
                "assert the rank (`assert x.ndim == 3`), call the module in the code, or run with --trace",
            )
        _refuse_site(site, sites, models)
        _refuse_statement(site, cls.module.source.parents)
        _refuse_several_keys(site)
        if study.framework == "haiku":
            _refuse_repeated(site)


def _place(node: ast.AST, project: Project) -> str:
    """The function and the line that a node stands in."""
    home = project.home(node)
    line = getattr(node, "lineno", 0)
    if home is None:
        return f"line {line}"
    above = (each for each in lineage(node, home.source.parents))
    function = next((each.name for each in above if isinstance(each, ast.FunctionDef)), None)
    return f"{f'`{function}`, ' if function else ''}{home.path.name}:{line}"


def _refuse_site(site: Site, sites: Sequence[Site], models: Mapping[ast.AST, ModuleModel]) -> None:
    made = [each.value.cls for each in site.made]
    cls = next((c for c in reversed(made) if c is not None and c.node not in models), None)
    if cls is not None:
        raise CannotMove(
            site.node,
            f"`{cls.name}` is not rewritten",
            "it has a diagnostic of its own; this class follows once that is solved",
        )
    lost = _lost(site, sites)
    if lost is not None:
        raise CannotMove(
            site.node,
            f"`self.{lost}` is given layers in a way that is not handled",
            "assign the layer itself, or append it to a list that starts empty",
        )
    if site.variable is not None and site.built is None and _is_put_away(site):
        raise CannotMove(
            site.node,
            "a constructor puts a variable into a list or a dict",
            "make the list or the dict in one expression, or give the variable an attribute",
        )
    if isinstance(site.function, ast.Lambda):
        raise CannotMove(site.node, "a layer is made in a lambda", "make it in the method itself")
    if site.built is not None and site.built.kept and site.built.renewed:
        raise CannotMove(
            site.node,
            f"a loop starts the list `{site.built.name}` of layers again in each turn",
            "put each list into one that outlives the loop",
        )
    if any(isinstance(loop, ast.While) for loop in site.loops):
        raise CannotMove(
            site.node, "a layer is made in a while loop", "make the layers in a `for` loop"
        )


def _refuse_statement(site: Site, parents: Mapping[ast.AST, ast.AST]) -> None:
    """Layers in statements that are not carried into the constructor."""
    for above in lineage(site.node, parents):
        if isinstance(above, ast.Match | ast.Try):
            kind = type(above).__name__.lower()
            raise CannotMove(
                site.node, f"a layer is made in a `{kind}` statement", "choose with `if` and `elif`"
            )


def _refuse_several_keys(site: Site) -> None:
    """Several keys at once, where no pass has written that as one key which is split."""
    if site.variable is not None and site.variable.kind == "rng":
        if last_name(site.node.func) == "next_rng_keys":
            raise CannotMove(
                site.node,
                "`hk.next_rng_keys` draws several keys at once",
                "split one: `jax.random.split(hk.next_rng_key(), count)`",
            )


def _refuse_repeated(site: Site) -> None:
    """Parameters that a loop asks for by a name which may come twice: Haiku has one for each name."""
    if site.variable is None or site.variable.kind == "rng":
        return
    named = [*site.node.args[:1], *[k.value for k in site.node.keywords if k.arg == "name"]]
    read = {n.id for each in named for n in ast.walk(each) if isinstance(n, ast.Name)}
    for loop in site.loops:
        if not read & _counters(loop):
            raise CannotMove(
                site.node,
                "a loop asks for a parameter by a name that may come twice, and Haiku has one for both",
                "ask for it before the loop, or count the names with `enumerate`",
            )


def _counters(loop: ast.AST) -> set[str]:
    """The names that have another value in each turn of a loop."""
    found: set[str] = set()
    for target, sequence in turns.clauses(loop):
        match target, sequence:
            case ast.Name(id=name), ast.Call(func=ast.Name(id="range")):
                found.add(name)
            case ast.Tuple(elts=[ast.Name(id=name), *_]), ast.Call(func=ast.Name(id="enumerate")):
                found.add(name)
    return found


def _lost(site: Site, sites: Sequence[Site]) -> str | None:
    """The attribute that a statement of the constructor gives a layer, where no attribute takes its place."""
    if site.variable is not None or site.built is not None:
        return None
    beside = [s for s in sites if s.statement is site.statement]
    if any(s.own_attribute is not None or s.built is not None for s in beside):
        return None
    match site.statement:
        case (
            ast.Assign(targets=[target])
            | ast.AugAssign(target=target)
            | ast.AnnAssign(target=target)
            | ast.Expr(value=ast.Call(func=ast.Attribute(value=target)))
        ):
            owner = target.value if isinstance(target, ast.Subscript) else target
            if is_own(owner):
                return owner.attr if constructs(site.function) else None
    return None


def _is_put_away(site: Site) -> bool:
    """Whether a statement of the constructor only puts what it makes into a container that was there before."""
    if not constructs(site.function):
        return False
    match site.statement:
        case ast.Assign(targets=[ast.Subscript()]) | ast.AnnAssign(target=ast.Subscript()):
            return True
        case ast.AugAssign() | ast.Expr(value=ast.Call(func=ast.Attribute())):
            return True
    return False


def refuse_foreign_sizes(
    study: Study, fields: Collection[str], needed: Mapping[str, Origin]
) -> None:
    """A base class whose sizes come from fields that only a subclass has cannot make its layers itself."""
    foreign = set(study.root.arguments) - set(fields)
    for origin in needed.values():
        if isinstance(origin, Expression) and re.split(r"\W", origin.text)[0] in foreign:
            raise CannotMove(
                study.cls.node,
                f"a layer of `{study.cls.name}` has a size that only its subclasses know",
                "pass the size to the constructor by hand",
            )


def refuse_early_reads(cls: ast.ClassDef, sites: Sequence[Site], body: Sequence[str]) -> None:
    """A layer that tells its size has to be made before the layer that asks for it."""
    text = "\n".join(body)
    for found in re.finditer(r"\bself\.(\w+)\.out_features\b", text):
        made = re.search(rf"\bself\.{found[1]} = ", text)
        own = any(site.attribute == found[1] for site in sites)
        if own and (made is None or made.start() > found.start()):
            raise CannotMove(
                cls,
                f"a layer has the size of what `{found[1]}` returns, which is made after it",
                f"make `{found[1]}` first",
            )


def refuse_unmoved_counters(body: InitBody) -> None:
    """What the turns of a loop change, and a size needs, has to be changed in the constructor, under its own name."""
    renamed = body.transport.renamed
    for origin in body.transport.needs.symbols.values():
        if not isinstance(origin, Expression):
            continue
        for node in turns.changes(origin):
            if node not in body.moved or origin.text in renamed:
                raise CannotMove(
                    node,
                    f"`{origin.text}` changes here, and decides a size that the constructor needs",
                    "compute the size in the constructor by hand",
                )


def refuse_stale_sizes(body: InitBody) -> None:
    """A size that a loop of a method changes has to be changed by a loop of the constructor as well."""
    for symbol, fact in body.needed_running():
        if symbol not in body.carried and str(fact.update) != symbol:
            raise CannotMove(
                fact.loop,
                f"a size of `{fact.name}` that this loop changes is needed by a layer behind it",
                "compute the size in the constructor by hand",
            )
