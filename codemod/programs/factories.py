"""Functions outside of modules that make a model, or Haiku's transform of one, and hand it back.

Such a factory gets the sizes that the model's constructor needs, and `rngs`, as parameters of its own. A program that
calls it hands them over where it hands them to a class otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..edits import Edits
from ..emit.file_names import FileNames
from ..model.module import AddedParameter, ModuleModel
from ..project import Module
from ..rule import Declined
from ..shapes.interpreter import Interpreter
from ..shapes.named import Named
from ..shapes.values import Class, Function, Partial, Value
from . import transformed
from .kinds import Net


@dataclass
class Factory:
    """A function that makes models: its calls of constructors, and what it needs for them."""

    module: Module
    node: ast.FunctionDef
    makers: list[tuple[ast.Call, ast.AST]] = field(default_factory=list)  # call, class or factory
    model: ModuleModel | None = None
    behind: transformed.Behind | None = None  # the transform that it returns


def find(
    interp: Interpreter,
    modules: Iterable[Module],
    models: Mapping[ast.AST, ModuleModel],
    nets: Iterable[Net],
    kept: Collection[ast.AST] = (),
) -> dict[ast.AST, Factory]:
    """The factories of a project, those that call others after those; functions of `kept` stay what they are."""
    modules = list(modules)
    known: dict[ast.AST, ModuleModel] = dict(models)
    found: dict[ast.AST, Factory] = {}
    nets = list(nets)
    busy = {net.init for net in nets}
    run = {f.node for n in nets if isinstance(f := getattr(n.model, "function", None), Function)}
    pending = [
        Factory(module, node)
        for module in modules
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef)
        and node not in kept
        and not any(inner in busy for inner in ast.walk(node))
    ]
    changed = True
    while changed:
        changed = False
        for factory in list(pending):
            factory.makers = list(_makers(interp, factory, known))
            if factory.makers and (
                _returns_all(factory) or _returns_transform(interp, factory, modules, run)
            ):
                model = _model(factory, known)
                if model is not None:
                    factory.model = known[factory.node] = model
                    found[factory.node] = factory
                    pending.remove(factory)
                    changed = True
    return found


def _makers(
    interp: Interpreter, factory: Factory, known: Mapping[ast.AST, ModuleModel]
) -> Iterator[tuple[ast.Call, ast.AST]]:
    environment = interp.environment_of(factory.module)
    for node in ast.walk(factory.node):
        if not isinstance(node, ast.Call):
            continue
        value = _by_name(interp, node)
        if value is None and isinstance(node.func, ast.Name | ast.Attribute):
            value = interp.peek_name(node.func, environment)
        if isinstance(value, Class | Function) and value.node in known:
            yield node, value.node


def _by_name(interp: Interpreter, call: ast.Call) -> Value | None:
    """What a call runs that finds it by a name, if it finds nothing else: `getattr(models, name)(...)`."""
    values = interp.facts.values.get(call.func, ())
    if not values or not all(isinstance(value, Named) for value in values):
        return None
    value = values[-1]
    while isinstance(value, Partial) and not value.args:
        value = value.function
    return value


def _returns_all(factory: Factory) -> bool:
    """Whether all models that a function makes are what it returns."""
    parents = factory.module.source.parents
    returned = {
        n.value.id
        for n in ast.walk(factory.node)
        if isinstance(n, ast.Return) and isinstance(n.value, ast.Name)
    }
    for call, _ in factory.makers:
        above = parents[call]
        while isinstance(above, ast.IfExp):
            above = parents[above]
        match above:
            case ast.Return():
                continue
            case ast.Assign(targets=[ast.Name(id=name)]) if name in returned:
                continue
        return False
    return _can_take_sizes(factory.node)


def _can_take_sizes(node: ast.FunctionDef) -> bool:
    plain = all(isinstance(d, ast.Name | ast.Attribute) for d in node.decorator_list)
    return node.args.vararg is None and plain


def _returns_transform(
    interp: Interpreter, factory: Factory, modules: Iterable[Module], run: Collection[ast.AST]
) -> bool:
    """Whether a function returns the transform of the one model that it makes; notes what goes of it."""
    found = transformed.behind(interp, factory.module, factory.node, run)
    if found is None or [call for call, _ in factory.makers] != [found.maker]:
        return False
    if not _can_take_sizes(factory.node) or not transformed.only_called(factory.node.name, modules):
        return False
    factory.behind = found
    return True


def _model(factory: Factory, known: Mapping[ast.AST, ModuleModel]) -> ModuleModel | None:
    """What a factory looks like from outside: as the classes that it makes, with their sizes together."""
    first = known[factory.makers[0][1]]
    model = ModuleModel(
        first.cls, first.framework, factory.node.name, factory.node.name, rewritten=True
    )
    added: dict[str, AddedParameter] = {}
    for _, target in factory.makers:
        made = known[target]
        for parameter in made.added:
            same = added.setdefault(parameter.name, parameter)
            if same != parameter:
                return None
    names = {a.arg for a in [*factory.node.args.args, *factory.node.args.kwonlyargs]}
    if names & ({*added, "rngs"}):
        return None
    model.added = list(added.values())
    model.takes_rngs = any(known[target].takes_rngs for _, target in factory.makers)
    return model


def write(
    factories: Iterable[Factory],
    models: Mapping[ast.AST, ModuleModel],
    edits_of: Callable[[Module], Edits],
    names_of: Callable[[Module], FileNames],
    limit: int,
) -> None:
    """Records the new signatures, and the arguments of the constructors inside."""
    known = dict(models)
    listed = list(factories)
    known.update({f.node: f.model for f in listed if f.model is not None})
    for factory in listed:
        edits, names = edits_of(factory.module), names_of(factory.module)
        assert factory.model is not None
        _signature(factory, edits, names)
        if factory.behind is not None:
            ((call, target),) = factory.makers
            given = _given(call, known[target], names)
            transformed.write(factory.behind, factory.node, given, edits, names, limit)
            continue
        for call, target in factory.makers:
            _arguments(call, known[target], edits)


def _signature(factory: Factory, edits: Edits, names: FileNames) -> None:
    assert factory.model is not None
    spec = factory.node.args
    source = factory.module.source
    start = source.text.index("(", source.span(factory.node)[0]) + 1
    positional = [f"{a.name}: {a.annotation}" for a in factory.model.added if not a.keyword_only]
    tail = [f"{a.name}: int | None = None" for a in factory.model.added if a.keyword_only]
    if factory.model.takes_rngs:
        tail.append(f"rngs: {names.target('flax.nnx.Rngs')}")
    if positional:
        following = ", " if [*spec.posonlyargs, *spec.args, *spec.kwonlyargs] or spec.kwarg else ""
        edits.insert(start, ", ".join(positional) + following)
    if not tail:
        return
    text = ", ".join(tail)
    if not spec.kwonlyargs:
        text = f"*, {text}"
    everything = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
    if spec.kwarg is not None:
        edits.insert(source.span(spec.kwarg)[0] - 2, f"{text}, ")
        return
    ends = [source.span(d)[1] for d in [*spec.defaults, *[d for d in spec.kw_defaults if d]]]
    ends += [source.span(a)[1] for a in everything]
    if ends:
        edits.insert(max(ends), f", {text}")
    else:
        edits.insert(start, f", {text}" if positional else text)


def _arguments(call: ast.Call, model: ModuleModel, edits: Edits) -> None:
    """The sizes and `rngs`, handed on under the factory's own names."""
    by_keyword = bool(call.keywords) and not call.args
    source = edits.source
    leading = [a.name for a in model.added if not a.keyword_only]
    trailing = [f"{a.name}={a.name}" for a in model.added if a.keyword_only]
    if model.takes_rngs:
        trailing.append("rngs=rngs")
    if not call.args and not call.keywords:
        end = source.span(call)[1] - 1
        edits.insert(end, ", ".join([*leading, *trailing]))
        return
    if leading:
        text = ", ".join(f"{n}={n}" if by_keyword and len(leading) > 1 else n for n in leading)
        start = source.text.index("(", source.span(call.func)[1]) + 1
        edits.insert(start, f"{text}, ")
    named = next((k for k in call.keywords if k.arg == "name"), None)
    if named is not None:
        edits.remove_item(call, named)
    for item in trailing:
        edits.add_item(call, item)


def _given(call: ast.Call, model: ModuleModel, names: FileNames) -> list[str]:
    """What a constructor is given in the place of a call that a transform ran."""
    leading = [a.name for a in model.added if not a.keyword_only]
    if len(leading) > 1 and call.keywords and not call.args:
        leading = [f"{name}={name}" for name in leading]
    found = [*leading, *map(names.text, call.args)]
    for keyword in call.keywords:
        if keyword.arg != "name":
            stars = f"{keyword.arg}=" if keyword.arg else "**"
            found.append(f"{stars}{names.text(keyword.value)}")
    found += [f"{a.name}={a.name}" for a in model.added if a.keyword_only]
    return [*found, "rngs=rngs"] if model.takes_rngs else found


def unfollowed(
    interp: Interpreter,
    module: Module,
    edits: Edits,
    known: Mapping[ast.AST, ModuleModel],
    inside: Iterable[ast.AST],
) -> Iterator[tuple[ast.AST, ast.AST]]:
    """The calls of rewritten classes and factories that no rewrite touched, outside of what was rewritten itself.

    `inside` are the classes and factories of the module. Yields the class or function with the place.
    """
    own = {inner for node in inside for inner in ast.walk(node)}
    environment = interp.environment_of(module)
    names = {
        name
        for name, value in environment.names.items()
        if isinstance(value, Class | Function) and value.node in known
    }
    modules = {name for name in environment.names if name not in names}
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or node in own:
            continue
        match node.func:
            case ast.Name(id=name) if name in names:
                value = environment.names[name]
            case ast.Attribute(value=ast.Name(id=name)) if name in modules:
                value = interp.peek(node.func, environment)
            case _:
                continue
        if not isinstance(value, Class | Function) or value.node not in known:
            continue
        if node in module.source.parents and edits.keeps(node):
            yield node, value.node


def needs_nothing(model: ModuleModel) -> bool:
    """Whether a constructor is called as it was."""
    return not model.added and not model.takes_rngs


def declined(name: str) -> Declined:
    return Declined(
        f"`{name}` is made here by code that could not be followed",
        "make the model where its parameters are initialised, or rewrite this code by hand",
    )
