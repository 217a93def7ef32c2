"""Which flags of a module only steer training and evaluation, and therefore go.

A flag goes if every use of it says a mode to a layer (`deterministic=not train`), hands it to a module whose own flag
goes, or guards nothing but such layers. `model.train()` and `model.eval()` take its place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..ancestry import argument_around, reads_around
from ..chains import is_own
from ..model.module import ModuleModel
from ..model.sites import Site
from ..model.study import Study
from ..model.symbolic import FLAGS, is_flag
from ..rule import Declined, Layer, Mode
from ..shapes import classes
from ..shapes.facts import Facts, Used
from ..shapes.values import Class, Function, LayerObject, Object, Partial
from . import rates


@dataclass
class Flags:
    """The flags that go: per method parameters, and fields, each with the mode that true stands for."""

    parameters: dict[ast.AST, dict[str, str]] = field(default_factory=dict)  # by function
    fields: dict[str, str] = field(default_factory=dict)
    dropped_loads: set[ast.AST] = field(default_factory=set)
    # what a true flag says, by its reads
    meanings: dict[ast.AST, str] = field(default_factory=dict)

    def is_mode(self, node: ast.AST) -> bool:
        """Whether an expression only says a mode that goes: `train`, `not train`, `self.deterministic`."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.is_mode(node.operand)
        if isinstance(node, ast.Call):
            return (
                bool(node.args)
                and ast.unparse(node.func).endswith("merge_param")
                and all(self.is_mode(arg) for arg in node.args[1:])
            )
        return node in self.dropped_loads

    def in_training(self, node: ast.AST) -> bool | None:
        """What an expression that says a mode is worth in training; None for any other expression."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.in_training(node.operand)
            return None if inner is None else not inner
        meaning = self.meanings.get(node)
        return None if meaning is None else meaning == "train"


@dataclass(frozen=True)
class _Load:
    node: ast.AST
    flag: str
    function: ast.AST | None  # None for a field


def decide(
    study: Study,
    sites: Iterable[Site],
    models: Mapping[ast.AST, ModuleModel],
    parents: Mapping[ast.AST, ast.AST],
) -> Flags:
    """The flags of a class that go. Either all flags of one meaning go from a class, or none does."""
    loads = _loads(study)
    meanings: dict[tuple[ast.AST | None, str], set[str]] = {}
    for load in loads:
        link = _own_parameter(load.node, study, parents)
        if link is not None:
            meanings.setdefault((load.function, load.flag), set()).add("pass")
            meanings.setdefault(link, set()).add("pass")
            continue
        meaning = _meaning(load.node, study.facts, models, parents, study)
        meanings.setdefault((load.function, load.flag), set()).add(meaning or "")
    flags = Flags()
    if any(found - {"train", "eval", "pass"} for found in meanings.values()):
        return flags
    for (function, name), found in meanings.items():
        mode = next(iter(found - {"pass"}), _usual(name))
        if len(found - {"pass"}) > 1:
            return Flags()
        if function is None:
            flags.fields[name] = mode
        else:
            flags.parameters.setdefault(function, {})[name] = mode
    flags.dropped_loads = {load.node for load in loads}
    for load in loads:
        flags.meanings[load.node] = (
            flags.fields[load.flag]
            if load.function is None
            else flags.parameters[load.function][load.flag]
        )
    return flags


def inherit(flags: Flags, study: Study, base: ModuleModel) -> None:
    """Agrees with a base class about the flags that go; raises Declined where they cannot agree."""
    loads = _loads(study)
    for name, mode in base.field_modes.items():
        if name not in flags.fields and any(
            load.function is None and load.flag == name for load in loads
        ):
            raise _disagreement(name, study.cls.name, base.name)
        flags.fields.setdefault(name, mode)
    for function in study.cls.node.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        own = flags.parameters.get(function, {})
        theirs = base.modes.get(function.name, {})
        for name, mode in theirs.items():
            read = any(load.function is function and load.flag == name for load in loads)
            if name not in own and read:
                raise _disagreement(name, study.cls.name, base.name)
            if name not in own and name in _parameter_names(function):
                flags.parameters.setdefault(function, {})[name] = mode
        inherited = next(
            (
                f
                for f in base.node.body  # type: ignore[attr-defined]
                if isinstance(f, ast.FunctionDef) and f.name == function.name
            ),
            None,
        )
        for name in own:
            if inherited is not None and name in _parameter_names(inherited) and name not in theirs:
                raise _disagreement(name, study.cls.name, base.name)


def _disagreement(flag: str, name: str, base: str) -> Declined:
    return Declined(
        f"`{flag}` only says a mode in one of `{name}` and `{base}`",
        "use it alike in both, or keep the flags with --mode-flags keep",
    )


def _parameter_names(function: ast.FunctionDef) -> set[str]:
    spec = function.args
    return {p.arg for p in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]}


def inherited_modes(
    call: ast.Call, cls: Class, models: Mapping[ast.AST, ModuleModel]
) -> tuple[list[str], dict[str, str]] | None:
    """The parameters of an inherited method that `self.m(...)` or `super().m(...)` calls, and the flags that went."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            owners = classes.mro(cls)
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name):
            owners = classes.mro(cls)[1:]
        case _:
            return None
    for owner in owners:
        found = owner.members.get(name)
        if isinstance(found, Function):
            model = models.get(owner.node)
            if owner is cls or model is None:
                return None
            return [a.arg for a in found.node.args.args][1:], model.modes.get(name, {})
    return None


def _usual(name: str) -> str:
    return "eval" if name in ("deterministic", "use_running_average", "eval", "test") else "train"


def _loads(study: Study) -> list[_Load]:
    """Every read of a boolean parameter or field in the class."""
    found: list[_Load] = []
    for function in study.cls.node.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        spec = function.args
        parameters = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
        defaults = dict(
            zip(
                [p.arg for p in spec.args[len(spec.args) - len(spec.defaults) :]],
                spec.defaults,
                strict=True,
            )
        )
        names = {p.arg for p in parameters if is_flag(p.arg, p.annotation, defaults.get(p.arg))}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
                found.append(_Load(node, node.id, function))
        if function.name == "__init__":
            found = [load for load in found if load.function is not function]
    fields = {
        f.name
        for f in classes.fields(study.cls)
        if f.name in FLAGS and is_flag(f.name, f.annotation, f.default)
    }
    if study.framework == "linen":
        for node in ast.walk(study.cls.node):
            if is_own(node) and node.attr in fields and isinstance(node.ctx, ast.Load):
                found.append(_Load(node, node.attr, None))
    return found


def _own_parameter(
    node: ast.AST, study: Study, parents: Mapping[ast.AST, ast.AST]
) -> tuple[ast.AST | None, str] | None:
    """The method of the same class, and its parameter, that a flag is handed on to."""
    below, above = argument_around(node, parents)
    match above:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
            method = next(
                (
                    f
                    for f in study.cls.node.body
                    if isinstance(f, ast.FunctionDef) and f.name == name
                ),
                None,
            )
            where = _position(above, below)
            if method is None or where is None:
                return None
            names = [a.arg for a in method.args.args][1:]
            parameter = names[where] if isinstance(where, int) and where < len(names) else where
            return method, str(parameter)
    return None


def _meaning(
    node: ast.AST,
    facts: Facts,
    models: Mapping[ast.AST, ModuleModel],
    parents: Mapping[ast.AST, ast.AST],
    study: Study,
) -> str | None:
    """'train' or 'eval', what a true flag says here; 'pass' where it says nothing; None where it is really used."""
    negated = False
    below, above = node, parents[node]
    while isinstance(above, ast.UnaryOp) and isinstance(above.op, ast.Not):
        negated = not negated
        below, above = above, parents[above]
    below, above = argument_around(below, parents)
    if isinstance(above, ast.Call) and ast.unparse(above.func).endswith("merge_param"):
        return "pass"
    if isinstance(above, ast.IfExp | ast.If) and below is above.test:
        meaning = _guarding(above, facts, parents, models)
        return _opposite(meaning) if negated and meaning is not None else meaning
    if not isinstance(above, ast.Call):
        return None
    inherited = inherited_modes(above, study.cls, models)
    if inherited is not None:
        parameters, modes = inherited
        where = _position(above, below)
        name = parameters[where] if isinstance(where, int) and where < len(parameters) else where
        said = modes.get(str(name))
        return _opposite(said) if negated and said is not None else said
    meaning = _said_to_call(above, below, facts, models, study)
    return _opposite(meaning) if negated and meaning in ("train", "eval") else meaning


def _guarding(
    node: ast.IfExp | ast.If,
    facts: Facts,
    parents: Mapping[ast.AST, ast.AST],
    models: Mapping[ast.AST, ModuleModel],
) -> str | None:
    """The mode that a test stands for, where it guards dropout or chooses its rate and nothing else."""
    if isinstance(node, ast.If):
        if not node.orelse and all(_is_dropout(s, facts) for s in node.body):
            return "train"
        return "eval" if node.orelse and all(isinstance(s, ast.Pass) for s in node.body) else None
    if rates.is_zero(node.orelse) and _is_rate(node, facts, parents, models):
        return "train"
    if rates.is_zero(node.body) and _is_rate(node, facts, parents, models):
        return "eval"
    if _makes_dropout(node.body, facts) and not _makes_dropout(node.orelse, facts):
        return "train" if _is_dropped(node.body, node.orelse, facts) else None
    if _makes_dropout(node.orelse, facts) and _is_dropped(node.orelse, node.body, facts):
        return "eval"
    return None


def _is_dropout(statement: ast.stmt, facts: Facts) -> bool:
    """Whether a statement drops from what it assigns, `x = dropout(x)`: it changes nothing in evaluation."""
    return (
        isinstance(statement, ast.Assign)
        and len(statement.targets) == 1
        and _makes_dropout(statement.value, facts)
        and _is_dropped(statement.value, statement.targets[0], facts)
    )


def _is_dropped(dropout: ast.expr, other: ast.expr, facts: Facts) -> bool:
    """Whether an expression, a name, is what a dropout is applied to, in whatever mode it is in."""
    if not isinstance(dropout, ast.Call) or not isinstance(other, ast.Name):
        return False
    targets = [u.target for u in facts.used.get(dropout, [])]
    rule = next((t.rule for t in targets if isinstance(t, LayerObject)), None)
    if (rule is None or not rule.inline) and _says_mode(dropout):
        return False
    place = rule.signature.index(rule.inputs[0]) if rule is not None and rule.inline else 0
    name = rule.inputs[0] if rule is not None and rule.inputs else None
    given = next((k.value for k in dropout.keywords if k.arg == name), None)
    if given is None and place < len(dropout.args):
        given = dropout.args[place]
    return isinstance(given, ast.Name) and given.id == other.id


def _says_mode(call: ast.AST) -> bool:
    """Whether a call of a dropout says itself that it drops, which goes before the mode."""
    return isinstance(call, ast.Call) and (
        len(call.args) > 1 or any(k.arg == "deterministic" for k in call.keywords)
    )


def _makes_dropout(node: ast.expr, facts: Facts) -> bool:
    """Whether an expression applies dropout to a name."""
    if not isinstance(node, ast.Call):
        return False
    layers = [m.value for m in facts.made.get(node, [])] + [
        u.target for u in facts.used.get(node, [])
    ]
    return bool(layers) and all(
        isinstance(v, LayerObject) and "RngState" in v.rule.holds for v in layers
    )


def _is_rate(
    node: ast.IfExp,
    facts: Facts,
    parents: Mapping[ast.AST, ast.AST],
    models: Mapping[ast.AST, ModuleModel],
) -> bool:
    """Whether an expression is the rate of a dropout, perhaps within a module, or a local that is nothing else."""
    _, above = argument_around(node, parents)
    if isinstance(above, ast.Call):
        return _drops(node, facts, parents, models)
    if isinstance(above, ast.Assign) and isinstance(above.targets[0], ast.Name):
        reads = reads_around(above, above.targets[0].id, parents)
        return bool(reads) and all(_drops(n, facts, parents, models) for n in reads)
    return False


def _drops(
    rate: ast.expr,
    facts: Facts,
    parents: Mapping[ast.AST, ast.AST],
    models: Mapping[ast.AST, ModuleModel],
) -> bool:
    """Whether an expression is an argument that says how much is dropped."""
    argument, above = argument_around(rate, parents)
    if not isinstance(above, ast.Call):
        return False
    if not _makes_dropout(above, facts):
        return rates.is_told_to_module(above, argument, facts, models)
    called = parents.get(above)
    says_mode = isinstance(called, ast.Call) and called.func is above and _says_mode(called)
    return not says_mode


def _opposite(mode: str | None) -> str | None:
    return {"train": "eval", "eval": "train"}.get(mode or "")


def _said_to_call(
    call: ast.Call,
    argument: ast.AST,
    facts: Facts,
    models: Mapping[ast.AST, ModuleModel],
    study: Study,
) -> str | None:
    answers = {_said_to(value, call, argument, models) for value in _layers_made(call, facts)}
    answers |= {
        _said_in_use(use, call, argument, models, study) for use in facts.used.get(call, [])
    }
    return answers.pop() if len(answers) == 1 else None


def _layers_made(call: ast.Call, facts: Facts) -> list[LayerObject | Partial | Object]:
    values = [made.value for made in facts.made.get(call, [])]
    partials = [v for v in facts.values.get(call, []) if isinstance(v, Partial)]
    return [*values, *partials]


def _position(call: ast.Call, argument: ast.AST) -> int | str | None:
    if isinstance(argument, ast.keyword):
        return argument.arg
    return next((i for i, arg in enumerate(call.args) if arg is argument), None)


def _said_to(
    value: LayerObject | Partial | Object,
    call: ast.Call,
    argument: ast.AST,
    models: Mapping[ast.AST, ModuleModel],
) -> str | None:
    where = _position(call, argument)
    if isinstance(value, Object):
        return _field_mode(value, where, models)
    if isinstance(value, Partial):
        return _partial_mode(value, where, models)
    if isinstance(value, LayerObject):
        return _mode_of(
            value.rule,
            value.rule.arguments,
            (*value.rule.signature, *value.rule.keyword_only),
            where,
        )
    return None


def _field_mode(
    value: Object, where: int | str | None, models: Mapping[ast.AST, ModuleModel]
) -> str | None:
    """What a constructor's field says, where the child gives it up for its mode."""
    child = models.get(value.cls.node)
    names = [f.name for f in classes.fields(value.cls)]
    name = names[where] if isinstance(where, int) and where < len(names) else where
    return child.field_modes.get(str(name)) if child is not None else None


def _partial_mode(
    value: Partial, where: int | str | None, models: Mapping[ast.AST, ModuleModel]
) -> str | None:
    from ..shapes.values import External

    if isinstance(where, str) and isinstance(value.function, Class):
        child = models.get(value.function.node)
        return child.field_modes.get(where) if child is not None else None
    if isinstance(where, str) and isinstance(value.function, External):
        return {"use_running_average": "eval", "deterministic": "eval"}.get(where)
    return None


def _mode_of(
    rule: Layer, table: Mapping[str, object], names: tuple[str, ...], where: int | str | None
) -> str | None:
    name = names[where] if isinstance(where, int) and where < len(names) else where
    argument = table.get(str(name))
    return argument.when_true if isinstance(argument, Mode) else None


def _said_in_use(
    use: Used,
    call: ast.Call,
    argument: ast.AST,
    models: Mapping[ast.AST, ModuleModel],
    study: Study,
) -> str | None:
    where = _position(call, argument)
    if isinstance(use.target, LayerObject):
        return _mode_of(use.target.rule, use.target.rule.call, use.target.rule.inputs, where)
    child = models.get(use.target.cls.node)
    if child is None:
        return None
    function = classes.method(use.target.cls, use.method)
    names = [p.arg for p in function.node.args.args][1:] if function is not None else []
    name = names[where] if isinstance(where, int) and where < len(names) else where
    return child.modes.get(use.method, {}).get(str(name))
