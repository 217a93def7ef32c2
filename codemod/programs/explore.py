"""Runs the programs of a project abstractly and records what they do with models."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..culprit import working_on
from ..project import Module
from ..shapes import classes
from ..shapes.calls import call_function
from ..shapes.interpreter import MAX_STEPS, Interpreter
from ..shapes.scopes import OutOfBudget
from ..shapes.values import UNKNOWN, Bound, Class, Constant, Function, Items, Partial, Table, Value
from . import haiku, transforms
from .graphdefs import site_of
from .kinds import (
    Applied,
    GradOf,
    Net,
    OptState,
    TrainState,
    Transformation,
    Transformed,
    Tree,
    TreeMethod,
    Updates,
)
from .linen import Linen

# A repository of thousands of functions is explored as far as these steps go; what is left counts as not followed.
MANY_STEPS = 300_000

Args = Sequence[Value]
Kwargs = Mapping[str, Value]

_MAKERS = frozenset(
    "adabelief adadelta adafactor adagrad adam adamax adamaxw adamw add_decayed_weights add_noise amsgrad apply_if_finite"
    " centralize chain clip clip_by_block_rms clip_by_global_norm ema flatten fromage identity inject_hyperparams lamb lars"
    " lbfgs lion lookahead masked MultiSteps multi_transform nadam nadamw noisy_sgd novograd optimistic_gradient_descent"
    " radam rmsprop rprop scale scale_by_adam scale_by_learning_rate scale_by_schedule sgd sign_sgd sm3 trace yogi"
    " zero_nans".split()
)
_TRANSPARENT = (
    "jax.jit",
    "jax.pmap",
    "jax.checkpoint",
    "jax.remat",
    "jax.named_call",
    "jax.disable_jit",
)


class Explorer:
    """What happened to models, by `ast` node."""

    def __init__(self, interp: Interpreter) -> None:
        self.interp = interp
        self.nets: dict[tuple[ast.AST, int], Net] = {}
        self.applied: dict[ast.AST, list[Applied]] = {}
        self.bound: dict[ast.AST, list[Net]] = {}
        self.jitted: set[ast.AST] = set()
        self.discarded: set[ast.stmt] = set()
        self.unknown: list[tuple[ast.AST, Value]] = []
        self.mixed: set[ast.AST] = set()  # calls with trees of a net, and with what is not known
        self.transformed: dict[ast.AST, Transformed] = {}
        self.without_parameters: dict[ast.Call, haiku.Call] = {}
        self._install()

    # ---- records ------------------------------------------------------------------------------------

    @functools.cached_property
    def tree_reads(self) -> Mapping[Net, Sequence[ast.expr]]:
        """Where code looks into the trees of each net, once all programs are explored."""
        found: dict[Net, list[ast.expr]] = defaultdict(list)
        for node, values in self.interp.facts.values.items():
            if isinstance(node, ast.Subscript | ast.Attribute):
                for value in values:
                    match value:
                        case Tree(net=net) | TreeMethod(tree=Tree(net=net)):
                            found[net].append(node)
        return found

    @functools.cached_property
    def methods_read(self) -> Mapping[ast.AST, Sequence[ast.Attribute]]:
        """Where code reads `model.apply` or `model.init` of a model made at a place, once all programs are explored."""
        found: dict[ast.AST, list[ast.Attribute]] = defaultdict(list)
        values = self.interp.facts.values
        for node in values:
            if isinstance(node, ast.Attribute) and node.attr in ("apply", "init"):
                for value in values.get(node.value, ()):
                    site = site_of(value)
                    if site is not None:
                        found[site].append(node)
        return found

    def net(
        self,
        node: ast.Call,
        model: Value,
        framework: str,
        key: ast.expr | None,
        args: list[Value],
        kwargs: Kwargs,
    ) -> Net:
        """The net of one init call of one model; a second run of the same call starts it anew."""
        known = self.nets.get((node, id(model)))
        if known is None:
            known = self.nets[node, id(model)] = Net(
                model, framework, node, key, args, dict(kwargs)
            )
        known.args, known.kwargs = args, dict(kwargs)
        known.current = known.advance()
        return known

    def net_of(self, value: Value | None) -> Net | None:
        """The net that variables are of; None for those of several nets, of which no one model has all."""
        match value:
            case Tree(net=net):
                return net
            case Table(items=items):
                nets = {self.net_of(item) for item in items.values()} - {None}
                return nets.pop() if len(nets) == 1 else None
        return None

    def is_whole(self, value: Value | None) -> bool:
        """Whether all that a call is given as variables is known to come from a net."""
        if isinstance(value, Table):
            return all(self.is_whole(item) for item in value.items.values())
        return isinstance(value, Tree)

    def read(self, value: Value | None, node: ast.AST) -> None:
        """A tree is used: is it the newest of its net?"""
        match value:
            case Tree(net=net, version=version, collections=collections) if version != net.current:
                if collections & frozenset(("*", "params")) or not collections:
                    net.stale.append(node)
            case Table(items=items):
                for item in items.values():
                    self.read(item, node)

    def unknown_apply(self, node: ast.AST, model: Value) -> None:
        """A call with parameters from nowhere, unless somebody only asks what it would be."""
        if self.interp.recording:
            self.unknown.append((node, model))

    # ---- handlers -----------------------------------------------------------------------------------

    def _install(self) -> None:
        linen = Linen(self)
        add = self.interp.handlers
        add["flax.linen.Module.init"] = linen.init
        add["flax.linen.Module.apply"] = linen.apply
        add["flax.linen.apply"] = linen.apply_function
        add["flax.linen.Module.bind"] = linen.bind
        add["flax.linen.Module.init_with_output"] = linen.init_with_output
        add["jax.grad"] = self._grad(False)
        add["jax.value_and_grad"] = self._grad(True)
        for name in _TRANSPARENT:
            add[name] = self._jit
        add["optax.apply_updates"] = self._apply_updates
        for name in _MAKERS:
            add[f"optax.{name}"] = lambda interp, node, args, kwargs: Transformation(node)
        add["flax.core.freeze"] = add["flax.core.unfreeze"] = lambda interp, node, args, kwargs: (
            args[0] if args else UNKNOWN
        )
        add["flax.core.pop"] = lambda interp, node, args, kwargs: (
            TreeMethod(args[0], "pop").call(interp, list(args[1:]), {}, node)
            if args and isinstance(args[0], Tree)
            else UNKNOWN
        )
        add["flax.training.train_state.TrainState.create"] = _create_state
        haiku.install(self)
        transforms.install(self)
        self.interp.before_discard = self._before_discard
        self.interp.before_trial = self._before_trial

    def _before_trial(self) -> Callable[[], None]:
        before = {net: (net.current, len(net.stale)) for net in self.nets.values()}

        def forget() -> None:
            for net, (version, stale) in before.items():
                net.current = version
                del net.stale[stale:]

        return forget

    def _before_discard(self) -> Callable[[ast.stmt, Value], None]:
        before = {net: net.current for net in self.nets.values()}

        def after(node: ast.stmt, value: Value) -> None:
            returned = set(_nets_in(value))
            if isinstance(node, ast.Assign) and returned:
                self.discarded.add(node)  # updates that are never merged
            for net, version in before.items():
                if net.current != version and net in returned:
                    self.discarded.add(node)
                    net.current = version

        return after

    def _grad(self, with_value: bool) -> Callable[..., Value]:
        def make(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
            function = args[0] if args else kwargs.get("fun", UNKNOWN)
            aux = kwargs.get("has_aux")
            argnums = kwargs.get("argnums", args[1] if len(args) > 1 else Constant(0))
            places = (
                tuple(i.value for i in argnums.items if isinstance(i, Constant))
                if isinstance(argnums, Items)
                else ((argnums.value,) if isinstance(argnums, Constant) else (0,))
            )
            has_aux = isinstance(aux, Constant) and bool(aux.value)
            return GradOf(
                function, with_value, has_aux, places, node, not isinstance(argnums, Items)
            )

        return make

    def _jit(self, interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
        function = args[0] if args else kwargs.get("fun", UNKNOWN)
        inner = function
        while isinstance(inner, Partial):
            inner = inner.function
        if isinstance(inner, Bound):
            inner = inner.function
        if isinstance(inner, Function):
            self.jitted.add(inner.node)
        return function

    def _apply_updates(
        self, interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
    ) -> Value:
        params = args[0] if args else UNKNOWN
        if isinstance(params, Tree) and len(args) > 1 and isinstance(args[1], Updates):
            self.read(params, node or ast.Pass())
            return Tree(params.net, params.collections, params.path, params.net.advance())
        return UNKNOWN

    # ---- running --------------------------------------------------------------------------------------

    def run_rest(self, modules: Iterable[Module]) -> None:
        """Functions that nothing calls are run with unknown arguments, as a library's are."""
        for module in modules:
            with working_on(module.path):
                self._run_module(module)
        haiku.find_nets(self)

    def _run_module(self, module: Module) -> None:
        for value in list(self.interp.environment_of(module).names.values()):
            if isinstance(value, Function) and value.environment.module is module:
                self._run_uncalled(value)
            elif (
                isinstance(value, Class)
                and value.module is module
                and classes.framework(value) is None
            ):
                for member in value.members.values():
                    if isinstance(member, Function):
                        self._run_uncalled(member)
        self._run_inner(module)

    def _run_inner(self, module: Module) -> None:
        """Functions within functions that were made, but handed to something that is not known."""
        for node in ast.walk(module.tree):
            if (
                isinstance(node, ast.FunctionDef | ast.Lambda)
                and node not in self.interp.facts.functions
            ):
                made = [
                    v
                    for v in self.interp.facts.values.get(node, [])
                    if isinstance(v, Function) and v.node is node
                ]
                if made:
                    self._run_uncalled(made[-1])

    def _run_uncalled(self, function: Function) -> None:
        if function.node in self.interp.facts.functions:
            return
        try:
            if self.interp.spent >= MANY_STEPS:
                raise OutOfBudget
            with self.interp.fresh(self.interp.facts, MAX_STEPS // 8):
                call_function(self.interp, function, [], {}, None, None)
        except OutOfBudget:
            self.interp.trouble(function.node, f"`{function.name}` takes too many steps to follow")


def _create_state(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    """`TrainState.create(apply_fn=..., params=..., tx=..., ...)`."""
    params = kwargs.get("params")
    if not isinstance(params, Tree):
        return UNKNOWN
    return TrainState(params.net, kwargs.get("tx", UNKNOWN), dict(kwargs), params.net.current)


def _nets_in(value: Value) -> set[Net]:
    match value:
        case Tree(net=net) | OptState(net=net) | TrainState(net=net):
            return {net}
        case Items(items=items):
            return {net for item in items for net in _nets_in(item)}
        case Table(items=table):
            return {net for item in table.values() for net in _nets_in(item)}
    return set()
