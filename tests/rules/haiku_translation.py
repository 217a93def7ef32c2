"""Carries one use of a Haiku layer to NNX by what its rule says, and its variables by the rule's table.

The engine does the same within whole programs; here the expressions stand alone and all sizes are known, so that a
wrong entry in a table shows as another number.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from nnx_codemod import helpers, rules
from nnx_codemod.codemod.rule import (
    Call,
    Declined,
    Drop,
    Layer,
    Mode,
    Refuse,
    Renames,
    To,
    Use,
    Written,
)
from nnx_codemod.codemod.shapes.values import (
    UNKNOWN,
    Array,
    Constant,
    External,
    Function,
    Items,
    Value,
)

UNTOLD = -1  # stands for sizes that a rule could not tell

SOURCE_NAMES = {"hk": hk, "jax": jax, "jnp": jnp, "np": np}
TARGET_NAMES: dict[str, Any] = {"nnx": nnx, "jax": jax, "jnp": jnp, "np": np}
for _info in pkgutil.iter_modules(helpers.__path__):
    TARGET_NAMES |= vars(importlib.import_module(f"{helpers.__name__}.{_info.name}"))

_RULES = [
    rule
    for info in pkgutil.iter_modules(rules.__path__)
    if info.name.startswith("haiku_")
    for rule in importlib.import_module(f"{rules.__name__}.{info.name}").RULES
]
LAYERS = {rule.source: rule for rule in _RULES if isinstance(rule, Layer)}
CALLS = {rule.source: rule for rule in _RULES if isinstance(rule, Call)}
RENAMES = {
    name: to for rule in _RULES if isinstance(rule, Renames) for name, to in rule.names.items()
}


# ---- expressions ---------------------------------------------------------------------------------------


def qualified(node: ast.expr) -> str:
    """The qualified name that `hk.nets.MLP` or `jnp.zeros` stands for, empty for what is no name."""
    match node:
        case ast.Name(id=name):
            return {"hk": "haiku", "jnp": "jax.numpy", "np": "numpy"}.get(name, name)
        case ast.Attribute(value=value, attr=attr):
            return f"{qualified(value)}.{attr}"
    return ""


def rewritten(node: ast.expr) -> str:
    """An expression with the calls and names in it that rules change."""
    if isinstance(node, ast.Call) and qualified(node.func) in CALLS:
        return called(CALLS[qualified(node.func)], node)
    if isinstance(node, ast.Name | ast.Attribute) and qualified(node) in RENAMES:
        return written_name(RENAMES[qualified(node)])
    return ast.unparse(node)


def written_name(name: str) -> str:
    return name.removeprefix("flax.")


def value_of(node: ast.expr) -> Value:
    """What the interpreter would know of an expression."""
    if isinstance(node, ast.Call):
        rule = CALLS.get(qualified(node.func))
        if rule is not None and rule.result is not None:
            return rule.result(Use({}, {})) or UNKNOWN
        if qualified(node.func) == "haiku.next_rng_key":
            return UNKNOWN
    if isinstance(node, ast.Name | ast.Attribute):
        return External(qualified(node))
    if isinstance(node, ast.Lambda):
        return Function(node, environment=None)  # type: ignore[arg-type]
    if isinstance(node, ast.Tuple | ast.List):
        return Items(
            [value_of(e) for e in node.elts], "tuple" if isinstance(node, ast.Tuple) else "list"
        )
    try:
        return as_value(eval(ast.unparse(node), SOURCE_NAMES))
    except NameError:
        return UNKNOWN


def as_value(known: Any) -> Value:
    """A Python object as the interpreter has it."""
    match known:
        case None | bool() | int() | float() | str():
            return Constant(known)
        case tuple() | list():
            return Items([as_value(item) for item in known], type(known).__name__)
        case slice(start=start, stop=stop, step=step):
            return Items([Constant(start), Constant(stop), Constant(step)], "slice")
    if hasattr(known, "shape"):
        return Array(tuple(known.shape), str(known.dtype))
    return UNKNOWN


def given(node: ast.Call, signature: Sequence[str]) -> dict[str, ast.expr]:
    """The arguments that a call writes out, by parameter."""
    found = dict(zip(signature, node.args, strict=False))
    return {**found, **{k.arg: k.value for k in node.keywords if k.arg is not None}}


def called(rule: Call, node: ast.Call, values: Mapping[str, Value] | None = None) -> str:
    """A call of a function as its rule writes it; `values` are what is known of its arguments."""
    expressions = given(node, rule.signature)
    values = values or {name: value_of(expression) for name, expression in expressions.items()}
    use = Use(values, {}, frozenset(values))
    written = {name: Written(rewritten(e), values[name], use) for name, e in expressions.items()}
    if rule.write is not None:
        return rule.write(written)
    args: list[str] = []
    by_place = True
    for name, each in written.items():
        target = target_of(rule.arguments.get(name, To(name)), each)
        if target is None:
            by_place = False
            continue
        here = expressions[name] in node.args and target[0] not in rule.keyword_only
        by_place = by_place and here
        args.append(target[1] if by_place else f"{target[0]}={target[1]}")
    args += [f"{name}={text}" for name, text in rule.stated.items() if name not in written]
    return f"{written_name(rule.target)}({', '.join(args)})"


def target_of(argument: Any, written: Written) -> tuple[str, str] | None:
    """The target's parameter and text for an argument; None where it goes. Raises Declined."""
    match argument:
        case To(name=name, write=write):
            text = written.text if write is None else write(written)
            return None if text is None else (name, text)
        case Drop(only_if=only_if, message=message, help=help):
            if only_if is not None and not (
                isinstance(written.value, Constant) and written.value.value in only_if
            ):
                raise Declined(message, help)
        case Refuse(message=message, help=help):
            raise Declined(message, help)
    return None


# ---- layers --------------------------------------------------------------------------------------------


@dataclass
class Translated:
    """One use of a layer in NNX: its rule, the text of its construction, and what the rule says of the result."""

    rule: Layer
    text: str
    use: Use
    node: ast.Call
    keywords: dict[str, str] = field(default_factory=dict)

    def build(self, seed: int = 0) -> Any:
        return eval(self.text, {**TARGET_NAMES, "rngs": nnx.Rngs(seed)})

    def result(self) -> Value | None:
        return self.rule.output(self.use)

    def call(self, layer: Any, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """Calls the NNX layer with what Haiku's is called with; modes are set on the layer."""
        for name, mode in self.rule.call.items():
            if isinstance(mode, Mode) and name in keywords:
                (layer.train if keywords[name] == (mode.when_true == "train") else layer.eval)()
        renamed = {}
        for name, value in keywords.items():
            argument = self.rule.call.get(name, To(name))
            if isinstance(argument, To):
                renamed[argument.name] = value
        return layer(*inputs, **renamed)


def translated(
    source: str, inputs: Sequence[Any], keywords: Mapping[str, Any] | None = None
) -> Translated:
    """What the rules make of `hk.Layer(...)` that is called with these inputs; raises Declined."""
    node = ast.parse(source.strip(), mode="eval").body
    assert isinstance(node, ast.Call)
    rule = LAYERS[qualified(node.func)]
    expressions = given(node, (*rule.signature, *rule.keyword_only))
    if rule.inline:
        expressions = {name: e for name, e in expressions.items() if name not in rule.inputs}
    defaults = {name: as_value(value) for name, value in rule.defaults.items()}
    values = {name: value_of(expression) for name, expression in expressions.items()}
    by_name = dict(zip(rule.inputs, map(as_value, inputs), strict=False))
    by_name |= {name: as_value(value) for name, value in (keywords or {}).items()}
    use = Use({**defaults, **values}, by_name, frozenset(values), unknown=lambda why: UNTOLD)
    if rule.check is not None:
        rule.check(use)
    arguments = dict(_arguments(rule, expressions, values, use))
    for name, size in [*rule.sizes.items(), *rule.told.items()]:
        told = size(use)
        if told is not None:
            arguments.setdefault(name, str(told))
    for name, text in rule.stated.items():
        arguments.setdefault(name, text)
    leading = [arguments.pop(name) for name in rule.leading if name in arguments]
    rest = [f"{name}={text}" for name, text in arguments.items()]
    text = f"{written_name(rule.target)}({', '.join([*leading, *rest, *(['rngs=rngs'] if rule.rngs else [])])})"
    return Translated(rule, text, use, node)


def _arguments(
    rule: Layer, expressions: Mapping[str, ast.expr], values: Mapping[str, Value], use: Use
) -> Iterator[tuple[str, str]]:
    seen = set()
    for name, expression in expressions.items():
        if name == "name":
            continue
        found = target_of(
            rule.arguments.get(name, To(name)), Written(rewritten(expression), values[name], use)
        )
        if found is not None:
            assert found[0] not in seen, f"{found[0]} is written twice"
            seen.add(found[0])
            yield found
    for name, argument in rule.arguments.items():
        if (
            isinstance(argument, To)
            and argument.write
            and name in rule.defaults
            and argument.name not in seen
        ):
            text = argument.write(Written("", use.arguments.get(name), use))
            if text is not None and argument.name in rule.leading:
                yield argument.name, text


# ---- variables -----------------------------------------------------------------------------------------


def flat(tree: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Haiku's parameters by the names that tables of variables use: without the layer's own name and `~`."""
    found = {}
    for path, leaves in tree.items():
        parts = [part for part in path.split("/")[1:] if not part.startswith("~")]
        found |= {"/".join([*parts, name]): value for name, value in leaves.items()}
    return found


def pairs(
    rule: Layer, source: Mapping[str, Any], collection: str
) -> Iterator[tuple[str, str, str]]:
    """Source name, target name and layout of each variable; `{i}` and the like stand for any number."""
    for entry in rule.variables:
        if entry.collection == collection:
            pattern = re.sub(r"\\\{(\w)\\\}", r"(?P<\1>\\d+)", re.escape(entry.source))
            for name in source:
                found = re.fullmatch(pattern, name)
                if found is not None:
                    yield name, entry.target.format(**found.groupdict()), entry.layout


def variable(layer: Any, path: str) -> nnx.Variable[Any]:
    """A variable of a layer by its path: `linears[0]/kernel`."""
    for part in re.findall(r"[^/\[\]]+", path):
        layer = layer[int(part)] if part.isdigit() else getattr(layer, part)
    assert isinstance(layer, nnx.Variable)
    return layer


def carried(rule: Layer, source: Mapping[str, Any], layer: Any, collection: str) -> dict[str, Any]:
    """Haiku's variables by NNX's names, in NNX's layout; every variable must have its place."""
    found: dict[str, Any] = {}
    taken = set()
    for name, target, layout in pairs(rule, source, collection):
        shape = variable(layer, target)[...].shape
        value = np.asarray(source[name])
        value = eval(layout, {"v": value, "shape": shape, "np": np}) if layout else value
        found[target] = value if target not in found else np.concatenate([found[target], value], -1)
        taken.add(name)
    assert taken == set(source), f"no place for {set(source) - taken}"
    for target, value in found.items():
        assert variable(layer, target)[...].shape == value.shape, target
    return found


def fill(layer: Any, values: Mapping[str, Any]) -> None:
    for path, value in values.items():
        variable(layer, path)[...] = jnp.asarray(value)


def paths(layer: Any, kind: type[nnx.Variable[Any]]) -> set[str]:
    """The paths of a layer's variables of one kind, as tables write them."""
    state = nnx.to_flat_state(nnx.state(layer, kind))
    return {re.sub(r"/(\d+)", r"[\1]", "/".join(map(str, path))) for path, _ in state}


def randomised(tree: Any, seed: int = 1) -> Any:
    """A tree of the same shapes with other numbers, none of them special."""
    draws = np.random.RandomState(seed)
    return jax.tree.map(
        lambda x: (
            x
            if jnp.issubdtype(x.dtype, jnp.integer)
            else jnp.asarray(draws.uniform(0.1, 1.0, x.shape), x.dtype)
        ),
        tree,
    )


def haiku_layer(source: str) -> Callable[..., Any]:
    """A function that makes the layer of `source` and calls it."""
    return lambda *args, **kwargs: eval(source, SOURCE_NAMES)(*args, **kwargs)
