"""Interprets one module class, or Haiku function, for its own sake.

Its fields and inputs are symbols. What its inputs are like (rank, dtype, structure) comes from the places that call
it; where none is known, ranks are tried and only those kept that raise no trouble.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from ..chains import is_own, stored_names
from ..shapes import classes
from ..shapes.binding import bind_signature
from ..shapes.calls import call_function, call_method, spatial_axes
from ..shapes.dims import names
from ..shapes.dtypes import anywhere, either
from ..shapes.facts import Facts, Used
from ..shapes.interpreter import Interpreter
from ..shapes.scopes import OutOfBudget, OutOfPatience, Trouble
from ..shapes.values import (
    NONE,
    UNKNOWN,
    Array,
    Class,
    Constant,
    Either,
    Function,
    Items,
    LayerObject,
    Object,
    Repeated,
    Table,
    Unknown,
    Value,
)
from ..signatures import parameters
from ..strangers import makers
from . import composites, library_records
from .module import ModuleModel
from .partials import Given
from .symbolic import (
    argument_value,
    array_of_rank,
    field_value,
    is_flag,
    looks_like_array,
    without_aliases,
)

RANKS = (2, 3, 4, 1, 5)
WIDE = 4  # the rank of an image
_OTHERS = (2, 3, 4)  # ranks that an input of unknown rank may have as well
_SCANS = ("scan", "dynamic_unroll", "static_unroll")
_FLATTENS = re.compile("flatten|ravel|reshape|rearrange", re.IGNORECASE)
MAX_TRIES = 24
MANY_STEPS = 100_000  # of one search: a model of models is not read two dozen times
# So many parameters are tried with these ranks among vectors before anything else.
_FIRST = 3
_LIKELY = (3, 4)


def as_base(heir: Study, cls: Class, models: Mapping[ast.AST, ModuleModel]) -> Study:
    """What the study of a subclass shows about a class that it inherits from."""
    inside = set(ast.walk(cls.node))
    for owner in classes.mro(cls)[1:]:
        model = models.get(owner.node)
        inside |= model.site_nodes if model is not None else set()
    facts = dataclasses.replace(
        heir.facts,
        made=defaultdict(list, {n: v for n, v in heir.facts.made.items() if n in inside}),
        variables=defaultdict(list, {n: v for n, v in heir.facts.variables.items() if n in inside}),
    )
    return dataclasses.replace(heir, cls=cls, facts=facts)


@dataclass(frozen=True)
class Context:
    """One call of a module seen elsewhere."""

    owner: Object
    method: str
    args: tuple[Value, ...]
    kwargs: Mapping[str, Value]


class Contexts:
    """Every call of every module class, as the interpreter meets them."""

    def __init__(self) -> None:
        self.calls: dict[ast.AST, list[Context]] = defaultdict(list)
        self.given: Given = {}  # by partials of the class

    def __call__(
        self, owner: Object, method: str, args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> None:
        for cls in classes.mro(owner.cls):
            self.calls[cls.node].append(Context(owner, method, tuple(args), dict(kwargs)))

    def taken(self, start: Mapping[ast.AST, int]) -> dict[ast.AST, list[Context]]:
        """The calls met since there were `start` of each class; they are forgotten."""
        found = {node: calls[start.get(node, 0) :] for node, calls in self.calls.items()}
        for node in found:
            del self.calls[node][start.get(node, 0) :]
        return found

    def arguments(self, cls: Class, name: str) -> list[Value]:
        """What was given to a parameter of the constructor."""
        given = [c.owner.arguments.get(name) for c in self.calls[cls.node]]
        return _distinct([*given, *(g.get(name) for g in self.given.get(cls.node, ()))])

    def of(self, cls: Class, method: str) -> list[Context]:
        return [context for context in self.calls[cls.node] if context.method == method]


@dataclass
class Study:
    """What interpreting a module by itself showed."""

    cls: Class
    framework: str
    root: Object
    facts: Facts
    arguments: dict[str, dict[str, Value]]  # by method, by parameter
    results: dict[str, Value]
    troubles: list[Trouble]
    # functions, in the order in which they were first entered
    reached: list[ast.AST] = field(default_factory=list)
    ambiguous: bool = False
    guessed: frozenset[str] = frozenset()  # the inputs whose ranks no call tells
    ranked: frozenset[ast.AST] = frozenset()  # parameters with other axes where these ranks differ

    @functools.cached_property
    def _uses(self) -> list[Used]:
        return [use for uses in self.facts.uses_of.values() for use in uses]

    @functools.cached_property
    def alone(self) -> bool:
        """Whether the class takes one example at a time: whoever flattens all axes of it has none for a batch."""
        given = self.arguments.get("__call__", {}).items()
        inputs = [v for name, v in given if name in self.guessed and isinstance(v, Array)]
        first = set().union(*(names(each.shape[0]) for each in inputs if each.shape))
        layers = [use for use in self._uses if isinstance(use.target, LayerObject)]
        return any(_is_whole(use) or _sees_in_width(use, first) for use in layers)

    @functools.cached_property
    def doubts(self) -> int:
        """How much speaks against the inputs that were tried: calls that raise, layers that are given no shape."""
        uses = self._uses
        blind = sum(
            _is_blind(use, bool(self.guessed) and self.alone) or self._flattens_nothing(use)
            for use in uses
            if isinstance(use.target, LayerObject)
        )
        if self.guessed and _scans(self.cls):
            blind += sum(map(_is_one_vector, uses))
        return sum(trouble.weight for trouble in self.troubles) + blind

    def _flattens_nothing(self, use: Used) -> bool:
        """Whether an input that was taken to be flat is flattened: it is likely to have more axes."""
        first = next(iter([*use.args, *use.kwargs.values()]), None)
        rule = use.target.rule if isinstance(use.target, LayerObject) else None
        if rule is None or rule.source != "haiku.Flatten" or not isinstance(first, Array):
            return False
        guessed = [
            value
            for name, value in self.arguments.get("__call__", {}).items()
            if name in self.guessed and isinstance(value, Array)
        ]
        return any(a.shape and a.shape == first.shape and len(a.shape) == 2 for a in guessed)


def _is_whole(use: Used) -> bool:
    """Whether a layer is given a vector of several axes."""
    first = next(iter([*use.args, *use.kwargs.values()]), None)
    return (
        isinstance(first, Array)
        and first.shape is not None
        and len(first.shape) == 1
        and len(names(first.shape[0])) > 1
    )


def _sees_in_width(use: Used, symbols: set[str]) -> bool:
    """Whether the last axis of what a layer is given, one of several, depends on any of these."""
    first = next(iter([*use.args, *use.kwargs.values()]), None)
    shape = first.shape if isinstance(first, Array) else None
    return shape is not None and len(shape) > 1 and not symbols.isdisjoint(names(shape[-1]))


def _is_blind(use: Used, alone: bool) -> bool:
    """Whether a layer is called on something whose shape is not known, or without a batch axis.

    `alone` says that there is no such axis: then a convolution that has one speaks against it.
    """
    first = next(iter([*use.args, *use.kwargs.values()]), None)
    if isinstance(first, Array) and first.shape == ():
        return isinstance(use.target, LayerObject) and bool(use.target.rule.sizes)
    if isinstance(first, Array) and first.shape is not None:
        axes = spatial_axes(use.target)
        return len(first.shape) != axes + 1 if alone and axes > 0 else len(first.shape) < axes + 2
    return isinstance(first, Unknown | Array)


def _scans(cls: Class) -> bool:
    """Whether a class scans over something: it sees one step of its inputs, which were taken for more."""
    return any(isinstance(n, ast.Attribute) and n.attr in _SCANS for n in ast.walk(cls.node))


def _is_one_vector(use: Used) -> bool:
    """Whether a layer that has an input size, or a module, is given one vector, with no axis for a batch."""
    given = [*use.args, *use.kwargs.values()]
    if isinstance(use.target, LayerObject):
        if not use.target.rule.sizes:
            return False
        carry = use.target.rule.inputs[:1] == ("carry",)
    else:
        carry = len(given) > 1
    first = next(iter(given[carry:]), None)
    return isinstance(first, Array) and first.shape is not None and len(first.shape) == 1


def study(interp: Interpreter, cls: Class, contexts: Contexts) -> Study:
    """Interprets a class with the most likely inputs."""
    search = _Search(interp, cls, contexts)
    plain, shaped = _choices(interp, cls, contexts)
    for choices in (plain, shaped):
        for choice in choices:
            search.try_ranks(choice)
        search.vary(choices[-1].keys() if choices else ())
    search.widen([*plain[0], *(shaped[0] if shaped else ())])
    return search.finish()


class _Search:
    """Interprets a class with one choice of ranks after another, until nothing speaks against one."""

    def __init__(self, interp: Interpreter, cls: Class, contexts: Contexts) -> None:
        self.interp = interp
        self.cls = cls
        self.contexts = contexts
        self.start = {node: len(calls) for node, calls in contexts.calls.items()}
        self.spent = interp.spent
        self.tried: list[Choice] = []
        self.best: Study | None = None
        self.choice: Choice = {}
        self.met: dict[ast.AST, list[Context]] = {}
        self.asserted = _asserted_ranks(classes.method(cls, "__call__"))

    def try_ranks(self, choice: Choice) -> None:
        """Interprets the class, unless the search is over."""
        choice = {name: self.asserted.get(name, rank) for name, rank in choice.items()}
        if (self.best is not None and not self.best.doubts) or choice in self.tried:
            return
        if len(self.tried) >= MAX_TRIES or self.interp.spent - self.spent > MANY_STEPS:
            return
        self.tried.append(choice)
        most = self.best.doubts if self.best is not None else None
        attempt = _interpret(self.interp, self.cls, self.contexts, choice, most)
        met = self.contexts.taken(self.start)
        if self.best is None or attempt.doubts < self.best.doubts:
            self.best, self.choice, self.met = attempt, choice, met

    def vary(self, parameters: Iterable[str]) -> None:
        """Goes on from the best choice, one parameter at a time."""
        names = list(parameters)
        for first, rank in itertools.product(names[:_FIRST], _LIKELY):  # a way on may lead astray
            self.try_ranks({**dict.fromkeys(names, RANKS[0]), first: rank})
        before: Choice | None = None
        while before != self.choice and len(names) > 1:
            before = self.choice
            for name in names:
                for rank in RANKS:
                    self.try_ranks({**dict.fromkeys(names, RANKS[0]), **self.choice, name: rank})
        for first, rank in itertools.product(names, RANKS):  # one image, say, among vectors
            self.try_ranks({**dict.fromkeys(names, RANKS[0]), first: rank})

    def widen(self, guessed: Iterable[str]) -> None:
        """Takes an input of unknown rank that is flattened for an image: its size is then right for any rank."""
        if self.best is None or self.best.doubts or not _FLATTENS.search(_text(self.cls)):
            return
        for name in guessed:
            if self.choice.get(name, WIDE) >= WIDE:
                continue
            choice = {**self.choice, name: WIDE}
            attempt = _interpret(self.interp, self.cls, self.contexts, choice)
            met = self.contexts.taken(self.start)
            if not attempt.doubts and _is_flattened(attempt, name):
                self.best, self.choice, self.met = attempt, choice, met

    def finish(self) -> Study:
        """The best of the studies; what was tried in vain tells other classes nothing."""
        if self.best is not None:
            self.best.ranked = frozenset(self._ranked(self.best))
        for node, calls in self.met.items():
            self.contexts.calls[node] += calls
        assert self.best is not None
        return self.best

    def _ranked(self, best: Study) -> set[ast.AST]:
        """The parameters that have as many axes as an input of which nothing tells how many it has.

        What adds such a parameter to its input would broadcast one of another rank, and nobody would hear of it.
        """
        made = _axes_of_parameters(best)
        if not made or not _reads_shapes(self.cls):
            return set()
        found: set[ast.AST] = set()
        for name, chosen in self.choice.items():
            for rank in _OTHERS:
                choice = {**self.choice, name: self.asserted.get(name, rank)}
                if choice[name] == chosen or found:
                    continue
                other = _interpret(self.interp, self.cls, self.contexts, choice, best.doubts + 1)
                self.contexts.taken(self.start)
                if other.doubts <= best.doubts:
                    axes = _axes_of_parameters(other)
                    found |= {n for n, count in made.items() if axes.get(n, count) != count}
        return found


Choice = Mapping[str, int]  # parameter -> rank


def _axes_of_parameters(study: Study) -> dict[ast.AST, int]:
    """How many axes each parameter has that the study saw made."""
    return {
        node: len(one.result.shape)
        for node, made in study.facts.variables.items()
        for one in made
        if one.kind == "param" and isinstance(one.result, Array) and one.result.shape is not None
    }


def _reads_shapes(cls: Class) -> bool:
    """Whether a class reads shapes as a whole or in slices: only then has what it makes as many axes as an input."""
    for owner in classes.mro(cls):
        parents = owner.module.source.parents
        for node in ast.walk(owner.node):
            if isinstance(node, ast.Attribute) and node.attr == "shape":
                around = parents.get(node)
                if not isinstance(around, ast.Subscript) or isinstance(around.slice, ast.Slice):
                    return True
    return False


def _text(cls: Class) -> str:
    return "".join(module.source.text for module in {c.module for c in classes.mro(cls)})


def _is_flattened(study: Study, parameter: str) -> bool:
    """Whether layers see the last axes of an input, two or more, all together and in no other way.

    Where no layer sees any of them, but a module is given the input as it is, that module's layers decide.
    """
    value = _argument(study, parameter)
    if not isinstance(value, Array) or value.shape is None:
        return False
    axes = set().union(*map(names, value.shape))
    uses = [use for uses in study.facts.uses_of.values() for use in uses]
    seen = {
        frozenset(names(array.shape[-1]) & axes)
        for use in uses
        if isinstance(use.target, LayerObject) and not _is_container(use.target)
        for array in _arrays(use)
        if array.shape
    } - {frozenset()}
    if not seen:
        return any(isinstance(u.target, Object) and value in _arrays(u) for u in uses)
    ends = [set().union(*map(names, value.shape[at:])) for at in range(len(value.shape) - 1)]
    return len(seen) == 1 and set(seen.pop()) in ends


def _argument(study: Study, path: str) -> Value | None:
    """What `__call__` is given at a path: an argument, or a part of one."""
    known = study.arguments.get("__call__", {})
    if path in known:
        return known[path]
    root, _, rest = path.partition("." if "." in path else "[")
    match known.get(root):
        case Items(names=names, items=items) if rest in names:
            return items[names.index(rest)]
        case Items(items=items) if rest.endswith("]"):
            return items[int(rest[:-1])]
        case Object(attributes=attributes):
            return attributes.get(rest)
        case Table(items=table) if rest.endswith("]"):
            return table.get(ast.literal_eval(rest[:-1]))
    return None


def _is_container(layer: LayerObject) -> bool:
    return layer.rule.runs is not None or layer.rule.source.endswith(".Sequential")


def _arrays(use: Used) -> list[Array]:
    return [value for value in [*use.args, *use.kwargs.values()] if isinstance(value, Array)]


def _choices(
    interp: Interpreter, cls: Class, contexts: Contexts
) -> tuple[list[Choice], list[Choice]]:
    """Equal ranks to try: for the inputs that no call tells about, then for all of them."""
    entry = classes.method(cls, "__call__")
    if entry is None:
        return [{}], []
    seen = contexts.of(cls, "__call__")
    known = [
        p.arg
        for p, _ in _parameters(entry)
        if library_records.example(interp, p, entry, _examples(p, entry, seen)) is not None
    ]
    arrays = [
        p
        for p, default in _parameters(entry)
        if p.arg not in known and _is_array_parameter(p, default)
    ]
    unknown = [p.arg for p in arrays if not _is_told(p, entry, seen)]
    shaped = [p.arg for p in arrays if p.arg in unknown or _is_shaped(p, entry, seen)]
    read = [
        path
        for p, default in _parameters(entry)
        if p.arg not in known
        for path in composites.untold(interp, p, default, entry, _examples(p, entry, seen))
    ]
    whole = {path.partition(".")[0].partition("[")[0] for path in read}
    unknown = [*(name for name in unknown if name not in whole), *read]
    shaped = [*(name for name in shaped if name not in whole), *read]
    told: list[Choice] = [dict.fromkeys(unknown, rank) for rank in RANKS] if unknown else [{}]
    if shaped == unknown:
        return told, []
    return told, [dict.fromkeys(shaped, rank) for rank in RANKS]


def _asserted_ranks(entry: Function | None) -> dict[str, int]:
    """The ranks that a method asserts of its arguments, before they can have changed: `assert x.ndim == 3`."""
    found: dict[str, int] = {}
    stored: set[str] = set()
    body = entry.node.body if entry is not None else []
    for statement in body if isinstance(body, list) else []:
        for test in _conjuncts(statement.test) if isinstance(statement, ast.Assert) else []:
            match test:
                case ast.Compare(
                    left=ast.Attribute(value=ast.Name(id=name), attr="ndim")
                    | ast.Call(
                        func=ast.Name(id="len"),
                        args=[ast.Attribute(value=ast.Name(id=name), attr="shape")],
                    ),
                    ops=[ast.Eq()],
                    comparators=[ast.Constant(value=int(rank))],
                ) if name not in stored:
                    found[name] = rank
        stored |= stored_names(statement)
    return found


def _conjuncts(test: ast.expr) -> list[ast.expr]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return [part for value in test.values for part in _conjuncts(value)]
    return [test]


def _is_told(parameter: ast.arg, function: Function, seen: Sequence[Context]) -> bool:
    """Whether a call shows what a parameter is: an array of known rank, or something else than an array."""
    return any(
        value.shape is not None if isinstance(value, Array) else value != NONE
        for value in _examples(parameter, function, seen)
    )


def _is_shaped(parameter: ast.arg, function: Function, seen: Sequence[Context]) -> bool:
    """Whether all that calls give a parameter are arrays whose ranks may have been guessed where they were made.

    An array that a program makes, with a number for each axis, is no guess.
    """
    return all(
        isinstance(value, Array) and (value.shape is None or any(map(names, value.shape)))
        for value in _examples(parameter, function, seen)
    )


def _examples(parameter: ast.arg, function: Function, seen: Sequence[Context]) -> list[Value]:
    """The distinct values that calls give a parameter, unknown ones left out."""
    names = [p.arg for p, _ in _parameters(function)]
    given = [bind_signature(names, c.args, c.kwargs).get(parameter.arg) for c in seen]
    return _fitting(parameter, _distinct(given))


def _fitting(parameter: ast.arg, values: list[Value]) -> list[Value]:
    """Values without those that tell less than an annotation which says array: containers of nothing known."""
    plain = isinstance(parameter.annotation, ast.Name | ast.Attribute)
    if not plain or not looks_like_array(parameter.annotation):
        return values
    return [v for v in values if not isinstance(v, Items | Repeated | Either) or _holds_known(v)]


def _holds_known(value: Value) -> bool:
    match value:
        case Items(items=inner) | Either(values=inner):
            return any(map(_holds_known, inner))
        case Repeated(item=item):
            return _holds_known(item)
    return not isinstance(value, Unknown)


def _parameters(function: Function) -> list[tuple[ast.arg, ast.expr | None]]:
    spec = function.node.args
    scope = function.environment
    found = [(without_aliases(each.arg, scope), each.default) for each in parameters(spec)]
    bound = function.owner is not None and bool(spec.posonlyargs or spec.args)
    return found[1:] if bound else found


def _is_array_parameter(parameter: ast.arg, default: ast.expr | None) -> bool:
    if is_flag(parameter.arg, parameter.annotation, default):
        return False
    if default is not None and not (isinstance(default, ast.Constant) and default.value is None):
        return False
    return looks_like_array(parameter.annotation)


def _interpret(
    interp: Interpreter,
    cls: Class,
    contexts: Contexts,
    choice: Choice,
    most_troubles: int | None = None,
) -> Study:
    """Runs all methods of a class; gives up on inputs of which `most_troubles` were met before the end of `__call__`."""
    kind = classes.framework(cls) or "linen"
    root = Object(cls)
    facts = Facts()
    saved = (interp.root, interp.root_object, interp.troubles, interp.recording)
    guesses, interp.guesses_ranks = interp.guesses_ranks, bool(choice)
    interp.root, interp.root_object, interp.troubles, interp.recording = cls.node, root, [], True
    bound = interp.symbols.snapshot()
    result = Study(cls, kind, root, facts, {}, {}, interp.troubles)
    result.guessed = frozenset(choice)
    try:
        with interp.fresh(facts):
            with interp.patient(most_troubles):
                _build(interp, root, kind, contexts)
            for name in _methods(cls):
                with interp.patient(most_troubles if name == "__call__" else None):
                    _run_method(interp, result, name, contexts, choice)
            _resolve(interp, result)
    except OutOfPatience:
        pass  # other inputs do better
    except OutOfBudget:
        interp.trouble(cls.node, f"class {cls.name} takes too many steps to follow")
    finally:
        interp.symbols.restore(bound)
        interp.root, interp.root_object, interp.troubles, interp.recording = saved
        interp.guesses_ranks = guesses
    return result


def _build(interp: Interpreter, root: Object, kind: str, contexts: Contexts) -> None:
    """Gives the root object its fields."""
    if kind == "linen":
        made = {head.attr for head in makers(root.cls.node) if is_own(head)}
        for declared in classes.fields(root.cls):
            examples = contexts.arguments(root.cls, declared.name)
            annotation = declared.annotation
            if declared.name in made and isinstance(annotation, ast.Name | ast.Attribute):
                # What it is called for is called: it makes what its annotation says.
                annotation = ast.Subscript(ast.Name("type", ast.Load()), annotation, ast.Load())
            root.arguments[declared.name] = field_value(
                interp,
                declared.name,
                annotation,
                declared.plain_default,
                declared.owner.environment,
                examples,
            )
        return
    initialiser = classes.method(root.cls, "__init__")
    if initialiser is None:
        return
    kwargs: dict[str, Value] = {}
    for parameter, default in _parameters(initialiser):
        keys = (parameter.arg, f"<{parameter.arg}>")
        examples = [value for key in keys for value in contexts.arguments(root.cls, key)]
        kwargs[parameter.arg] = field_value(
            interp, parameter.arg, parameter.annotation, default, initialiser.environment, examples
        )
    if "name" in kwargs:
        kwargs["name"] = NONE
    call_function(interp, initialiser, [root], kwargs, None, root)


def _distinct(values: Iterable[Value | None]) -> list[Value]:
    """Values but for None, unknown ones and equal ones: to compare sizes is dear, so values of two hashes are not."""
    found: list[Value] = []
    seen: set[Value] = set()
    for value in values:
        if value is None or value is UNKNOWN:
            continue
        try:
            known = value in seen
            seen.add(value)
        except TypeError:  # a constant that is a list, say
            known = value in found
        if not known:
            found.append(value)
    return found


def _methods(cls: Class) -> list[str]:
    """The entry method, then the other methods that are no part of the machinery."""
    names = [
        name
        for owner in classes.mro(cls)
        for name, value in owner.members.items()
        if isinstance(value, Function)
    ]
    others = [
        n
        for n in dict.fromkeys(names)
        if n not in ("__call__", "setup", "__init__", "__post_init__")
    ]
    return [
        *(["__call__"] if "__call__" in names else []),
        *[n for n in others if not n.startswith("__")],
    ]


def _run_method(
    interp: Interpreter, study: Study, name: str, contexts: Contexts, choice: Choice
) -> None:
    function = classes.method(study.cls, name)
    if function is None or classes.has_decorator(
        function.node, "staticmethod", "classmethod", "property", "nowrap"
    ):
        return
    if name != "__call__" and any(function.node is frame for frame in _entered(study)):
        return
    seen = contexts.of(study.cls, name)
    values: dict[str, Value] = {}
    for parameter, default in _parameters(function):
        example = _example(interp, parameter, default, function, seen, choice)
        value = argument_value(interp, name, parameter.arg, example)
        values[parameter.arg] = library_records.with_shared_axes(value)
        if is_flag(parameter.arg, parameter.annotation, default):
            values[parameter.arg] = Unknown(parameter.arg, "flag")
    study.arguments[name] = values
    troubles = len(interp.troubles)
    study.results[name] = call_method(interp, study.root, name, [], values, None)
    if name != "__call__":
        del interp.troubles[troubles:]  # ranks are chosen by the entry method alone


def _entered(study: Study) -> list[ast.AST]:
    """The functions whose parameters have values: those that were run."""
    return list(study.facts.functions)


def _example(
    interp: Interpreter,
    parameter: ast.arg,
    default: ast.expr | None,
    function: Function,
    seen: Sequence[Context],
    choice: Choice,
) -> Value:
    names = [p.arg for p, _ in _parameters(function)]
    given = [bind_signature(names, c.args, c.kwargs).get(parameter.arg) for c in seen]
    examples = _fitting(parameter, _distinct(given))
    record = library_records.example(interp, parameter, function, examples)
    if record is not None:
        return record
    arrays = [e for e in examples if isinstance(e, Array)]
    if arrays:
        array = next((a for a in arrays if a.shape is not None), arrays[0])
        dtype = anywhere(functools.reduce(either, [a.dtype for a in arrays], array.dtype))
        optional = any(g == NONE or (g is None and default is not None) for g in given) or any(
            a.optional for a in arrays
        )
        optional = optional or _decides_layers(parameter, default, function)
        if parameter.arg in choice:
            return array_of_rank(choice[parameter.arg], dtype or "float32", optional)
        return Array(array.shape, dtype, optional)
    composite = composites.example(interp, parameter, function, choice, examples)
    if composite is not None:
        return composite
    if examples and examples != [NONE]:
        return examples[0]
    if parameter.arg in choice:
        is_none = isinstance(default, ast.Constant) and default.value is None
        asked = default is None and _decides_layers(parameter, default, function)
        return array_of_rank(choice[parameter.arg], optional=is_none or asked)
    if default is None and not seen and _is_array_parameter(parameter, default):
        return array_of_rank(2)
    if isinstance(default, ast.Constant) and default.value is None:
        return Array(None, optional=True) if looks_like_array(parameter.annotation) else UNKNOWN
    if isinstance(default, ast.Constant) and not isinstance(default.value, bool):
        return Constant(default.value)
    return UNKNOWN


def _decides_layers(parameter: ast.arg, default: ast.expr | None, function: Function) -> bool:
    """Whether layers are made where an input that may be None is given, here or where it is only handed on.

    Such an input is optional, though all calls in sight give it.
    """
    may_be_left_out = isinstance(default, ast.Constant) and default.value is None
    if default is not None and not may_be_left_out:
        return False
    asked = {f"{parameter.arg} is None", f"{parameter.arg} is not None"}
    tests = [
        node
        for node in ast.walk(function.node)
        if isinstance(node, ast.If | ast.IfExp)
        and any(ast.unparse(part) in asked for part in _parts(node.test))
    ]
    if any(_calls_new(inner) for node in tests for inner in ast.walk(node)):
        return True
    reads = {
        n for n in ast.walk(function.node) if isinstance(n, ast.Name) and n.id == parameter.arg
    }
    given = {
        argument
        for node in ast.walk(function.node)
        if _calls_new(node)
        for argument in [*node.args, *(k.value for k in node.keywords)]
    }
    return may_be_left_out and not tests and bool(reads) and reads <= given


def _parts(test: ast.expr) -> Iterator[ast.expr]:
    """What a test joins by `and`, `or` and `not`."""
    match test:
        case ast.BoolOp(values=values):
            for value in values:
                yield from _parts(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _parts(operand)
        case _:
            yield test


def _calls_new(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether a node calls what was made in the same expression: `Block(4)(x)`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Call)


def _resolve(interp: Interpreter, study: Study) -> None:
    """Replaces bound symbols in the recorded facts, as the bindings end with the study."""
    from ..shapes.resolution import resolve_facts

    resolve_facts(interp.symbols, study.facts)
