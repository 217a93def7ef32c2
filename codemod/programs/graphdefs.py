"""What becomes of unbound models when parameters stay trees: where each graphdef is made and what it is called."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..shapes.values import LayerObject, Object, Value
from .kinds import Net, Transformed

Parents = Mapping[ast.AST, ast.AST]
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SAY_NOTHING = frozenset(("model", "net", "network", "module", "forward", "f", "fn", "apply"))


RNG_STATE, REST = "rng_state", "rest"  # what the state of random streams is called, and any other


@dataclass
class Definition:
    """One unbound model of a program: the expression, or decorated function, that makes it, and its nets.

    `name` is the variable of the graphdef. With `at_init` the graphdef comes from the split at the `init` call;
    otherwise it is made, without weights, where the model was, together with a function `maker` that `init` calls.
    `flat` says that the dict of collections is handled as one tree; `collections` are those besides `params` that the
    program keeps, in the order in which they are split off, and `closed` the name of state that it does not know of.
    """

    site: ast.AST
    model: Value
    nets: list[Net] = field(default_factory=list)
    references: list[ast.expr] = field(default_factory=list)
    name: str = "graphdef"
    maker: str = "make_model"
    module_name: str = "model"
    at_init: bool = True
    flat: bool = True
    collections: list[str] = field(default_factory=list)
    closed: str | None = None
    draws_alone: bool = False  # that state is of random streams
    state_names: dict[str, str] = field(default_factory=dict)  # by what `closed` may be
    mode: str | None = None  # the mode of all its calls, None where they differ

    @property
    def framework(self) -> str:
        return "haiku" if isinstance(self.model, Transformed) else "linen"

    @property
    def with_state(self) -> bool:
        return isinstance(self.model, Transformed) and self.model.with_state


def site_of(model: Value | None) -> ast.AST | None:
    """The expression, or decorated function, that makes an unbound model."""
    match model:
        case Object() | LayerObject():
            return model.site
        case Transformed(node=node, function=function):
            return node if node is not None else getattr(function, "node", None)
    return None


def outermost(node: ast.AST, values: Mapping[ast.AST, list[Value]], parents: Parents) -> ast.AST:
    """The whole expression that makes a model: `hk.without_apply_rng(hk.transform(f))`, not `hk.transform(f)`."""
    site = node
    while isinstance(above := parents.get(site), ast.Call) and site in above.args:
        if not any(site_of(value) is node for value in values.get(above, [])):
            break
        site = above
    return site


def scope_of(node: ast.AST, parents: Parents) -> ast.AST:
    """The function or module whose names an expression is evaluated with."""
    current = parents[node]
    while not isinstance(current, _SCOPES):
        current = parents[current]
    return current


def scopes_of(node: ast.AST, parents: Parents) -> Iterator[ast.AST]:
    """The functions around a node, innermost first, then the module."""
    while node in parents:
        node = scope_of(node, parents)
        yield node


def is_statement_level(node: ast.AST, parents: Parents) -> bool:
    """Whether an expression is evaluated exactly once, where its statement stands, so that lines may precede it."""
    current = node
    while not isinstance(current, ast.stmt):
        above = parents[current]
        if isinstance(above, ast.Lambda | ast.IfExp | ast.BoolOp | ast.Assert | _COMPREHENSIONS[0]):
            return False
        if isinstance(above, _COMPREHENSIONS):
            return False
        current = above
    return not isinstance(
        current, ast.While | ast.If | ast.For | ast.With | ast.FunctionDef | ast.ClassDef
    )


def is_first_parameter(name: str, *functions: ast.AST) -> bool:
    """Whether some methods all have their object under a name."""
    return all(
        isinstance(function, ast.FunctionDef)
        and bool(function.args.args)
        and function.args.args[0].arg == name
        for function in functions
    )


def names_in(tree: ast.AST) -> set[str]:
    """Every name that a file binds or reads, and the attributes that it sets."""
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    found |= {
        n.attr
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
    }
    found |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    found |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    found |= {
        (a.asname or a.name).split(".")[0]
        for n in ast.walk(tree)
        for a in getattr(n, "names", [])
        if isinstance(a, ast.alias)
    }
    return found


@functools.lru_cache(maxsize=4096)
def model_name(tree: ast.Module) -> str:
    """What a model without a name is called: `model`, if the file has no function, class or import of that name."""
    taken = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    taken |= {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return next(
        name for name in ("model", "net", "network", "module_", "model_") if name not in taken
    )


def name_definitions(definitions: Iterable[Definition], tree: ast.Module, parents: Parents) -> None:
    """Names the graphdefs: `graphdef` for the only one, else after the variable that held the model."""
    found, taken = list(definitions), names_in(tree)
    for definition in found:
        definition.module_name = _variable(definition, parents) or model_name(tree)
        stem = definition.module_name
        alone = len(found) == 1
        definition.name = free("graphdef" if alone else f"{stem}_graphdef", taken)
        definition.maker = free("make_model" if stem in _SAY_NOTHING else f"make_{stem}", taken)
        for kind in (RNG_STATE, REST):
            name = kind if alone else f"{stem}_{kind}"
            definition.state_names[kind] = free(name, taken)


def free(name: str, taken: set[str]) -> str:
    """The name itself, or with a number behind it; it is taken from then on."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}{number}", number + 1
    taken.add(candidate)
    return candidate


def is_variable(node: ast.Name, definition: Definition, parents: Parents) -> bool:
    """Whether a name is the variable that held the model where it was made."""
    if node.id != _variable(definition, parents):
        return False
    return scope_of(definition.site, parents) in scopes_of(node, parents)


def _variable(definition: Definition, parents: Parents) -> str | None:
    """The variable, attribute or function name that held the model."""
    if isinstance(definition.site, ast.FunctionDef):
        return definition.site.name
    match parents.get(definition.site):
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.Assign(targets=[ast.Attribute(attr=name)]):
            return name.lstrip("_")
        case ast.Tuple(elts=made) as values:
            match parents.get(values):
                case ast.Assign(targets=[ast.Tuple(elts=names)]) if len(names) == len(made):
                    target = names[made.index(definition.site)]  # type: ignore[arg-type]
                    return target.id if isinstance(target, ast.Name) else None
    return None
