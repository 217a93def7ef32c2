"""The rewrite as a subject: built from the report alone, as a program that cannot read it would."""

from __future__ import annotations

import inspect
import types
from typing import Any

from .calls import Call
from .case import Values
from .failure import Failure, describe
from .modes import Flag
from .subject import Flat, Subject, numeric

# By layers of the library, which subclasses of them are made like.
_RENAMED = {"features": "out_features"}


def build(cls: Any, values: Values, job: dict[str, Any], facts: dict[str, Any]) -> Subject:
    """The rewritten module; `facts` are what the original's side tells. Raises Failure."""
    import jax
    from flax import nnx

    moved = _moved(cls, values, job, facts)
    call = Call(values, facts["names"], [Flag(*flag) for flag in facts["flags"]], moved)
    method = job["case"].get("method", "__call__")

    def made(seed: Any, mode: str = "eval") -> Any:
        rngs = nnx.Rngs(jax.random.key(seed))
        return _constructed(cls, call, job["class"]["added_parameters"], facts, rngs, mode)

    try:
        parts = {mode: _split(_switched(made(0, mode), mode, call)) for mode in ("eval", "train")}
    except Failure:
        raise
    except Exception as error:
        raise Failure("builds", describe(error)) from error
    _, params, _, rest = parts["eval"]

    def apply(
        flat_params: Flat, flat_state: Flat, arrays: list[Any], mode: str
    ) -> tuple[list[Any], Flat]:
        graph, its_params, keys, its_rest = parts[mode]  # only one mode may have streams
        restored = [_filled(its_params, flat_params), keys, _filled(its_rest, flat_state)]
        running = nnx.merge(graph, *restored, copy=True)
        args, kwargs = call.arguments(arrays, mode, rewritten=True)
        out = numeric(getattr(running, method)(*args, **kwargs))
        new = _flat(_split(running)[3])
        return out, {name: new.get(name, value) for name, value in flat_state.items()}

    return Subject(
        _flat(params),
        _flat(rest),
        apply,
        call.arrays,
        lambda seed: _flat(_split(made(seed))[1]),
        modes=bool(call.flags),
        partitioning=_partitioning(params),
    )


# ---- construction --------------------------------------------------------------------------------------


def _constructed(
    cls: Any, call: Call, added: list[dict[str, str]], facts: dict[str, Any], rngs: Any, mode: str
) -> Any:
    values = call.values
    known = _accepted(cls)
    given = {**dict(zip(facts["constructor"], values.args, strict=False)), **values.kwargs}
    extra = values.args[len(facts["constructor"]) :]
    dropped = {flag.name for flag in call.flags if flag.dropped}
    kwargs = {name: value for name, value in given.items() if name not in dropped}
    if known is not None:
        kwargs = {
            name: v for name, v in kwargs.items() if name in known or name not in ("name", "parent")
        }
        for old, new in _RENAMED.items():
            if old in kwargs and old not in known and new in known:
                kwargs[new] = kwargs.pop(old)
    kwargs |= {name: call.given(name) for name in call.moved}
    kwargs |= {flag.name: flag.value(mode) for flag in call.flags if _is_kept(flag, known)}
    for parameter in added:
        if parameter["name"] in kwargs:
            continue
        try:
            kwargs[parameter["name"]] = _size(parameter, call, given, facts, cls)
        except Failure:
            if not _is_optional(cls, parameter["name"]):  # of an input that a case may leave out
                raise
    if known is None or "rngs" in known:
        kwargs["rngs"] = rngs
    return cls(*extra, **kwargs)


def _is_kept(flag: Flag, known: set[str] | None) -> bool:
    """Whether a flag is an argument of the constructor, as it was: each mode is a module of its own."""
    return flag.field and not flag.dropped and (known is None or flag.name in known)


def _is_optional(cls: Any, name: str) -> bool:
    found = inspect.signature(cls.__init__).parameters.get(name)
    return found is not None and found.default is None


def _moved(cls: Any, values: Values, job: dict[str, Any], facts: dict[str, Any]) -> frozenset[str]:
    """The arguments of a function that are the constructor's of the class that it became: they tell what is made."""
    if job["class"]["source"] == "haiku" or facts["constructor"]:
        return frozenset()
    known = (_accepted(cls) or set()) - {"self", "rngs"}
    known -= {added["name"] for added in job["class"]["added_parameters"]}
    given = {*facts["names"][: len(values.inputs)], *values.call}
    return frozenset(known & given)


def _accepted(cls: Any) -> set[str] | None:
    """The names of a constructor's parameters; None if it takes any."""
    if cls.__init__ is object.__init__:
        return set()
    parameters = inspect.signature(cls.__init__).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def _size(
    parameter: dict[str, str], call: Call, given: dict[str, Any], facts: dict[str, Any], cls: Any
) -> Any:
    """The value of an added parameter, by its expression over the original's arguments; raises Failure."""
    inputs = dict(zip(call.names, call.values.inputs, strict=False))
    itself = types.SimpleNamespace(**{**facts["fields"], **given})
    around = vars(inspect.getmodule(cls) or types)
    # A global of the same name is not the argument that this call leaves out.
    around = {name: value for name, value in around.items() if name not in call.names}
    scope = {**around, **inputs, **call.values.call, "self": itself}
    try:
        return eval(parameter["from"], scope)
    except Exception as error:
        text = f"{parameter['name']} is {parameter['from']}, which fails: {describe(error)}"
        raise Failure("builds", text) from error


def _switched(model: Any, mode: str, call: Call) -> Any:
    """The model in a mode, where the rewrite has modes in place of flags."""
    if any(flag.dropped for flag in call.flags):
        (model.train if mode == "train" else model.eval)()
    return model


# ---- variables -----------------------------------------------------------------------------------------


def _split(model: Any) -> tuple[Any, Any, Any, Any]:
    """The graph and the states of parameters, of random streams and of the rest."""
    from flax import nnx

    parts: Any = nnx.split(model, nnx.Param, nnx.RngState, ...)
    graph, params, keys, rest = parts
    return graph, params, keys, rest


def path_text(path: tuple[Any, ...]) -> str:
    """The attribute path of a variable: ("layers", 0, "kernel") is "layers[0].kernel"."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _flat(state: Any) -> Flat:
    """The values in a state by attribute path, less those that were only sown."""
    from flax import nnx

    found: Flat = {}
    for path, leaf in nnx.to_flat_state(state):
        if isinstance(leaf, nnx.Intermediate):
            continue
        value = leaf.get_value() if isinstance(leaf, nnx.Variable) else leaf
        if hasattr(value, "shape"):
            found[path_text(path)] = value
    return found


def _filled(state: Any, values: Flat) -> Any:
    """A state like the given one with other values."""
    from flax import nnx

    leaves = []
    for path, leaf in nnx.to_flat_state(state):
        value = values.get(path_text(path))
        if value is None:
            leaves.append((path, leaf))
        elif isinstance(leaf, nnx.Variable):
            leaves.append((path, leaf.replace(value)))
        else:
            leaves.append((path, value))
    return nnx.from_flat_state(leaves)


def _partitioning(params: Any) -> dict[str, list[Any]]:
    """The mesh axes that variables name, by attribute path."""
    from flax import nnx

    found: dict[str, list[Any]] = {}
    for path, leaf in nnx.to_flat_state(params):
        metadata = leaf.get_metadata() if isinstance(leaf, nnx.Variable) else {}
        names = (
            metadata.get("out_sharding")
            or metadata.get("sharding_names")
            or metadata.get("sharding")
        )
        if names is not None:
            found[path_text(path)] = list(names)
    return found
