"""Originals as subjects: Linen modules, Haiku modules, Haiku functions."""

from __future__ import annotations

from typing import Any

from .calls import Call, positional
from .case import Values
from .compiled import at_once
from .failure import Failure
from .modes import flags
from .subject import Flat, Subject, filled, flatten, numeric

_STREAMS = ("params", "dropout")


def linen(cls: Any, values: Values, method: str, reported: dict[str, Any]) -> Subject:
    """A Linen module, initialised."""
    import jax
    from flax.core import meta

    function = getattr(cls, method)
    call = Call(values, positional(function, 1), flags(function, cls, reported))
    models = {
        mode: cls(*values.args, **{**values.kwargs, **_fields(call, mode)})
        for mode in ("eval", "train")
    }
    how = {} if method == "__call__" else {"method": method}

    def initial(seed: Any) -> Any:
        key = jax.random.key(seed)
        keys = jax.random.split(key, len(_STREAMS))
        rngs = {name: keys[i] for i, name in enumerate(_STREAMS)}
        args, kwargs = call.arguments(call.arrays, "eval", rewritten=False)
        return models["eval"].init(rngs, *args, **kwargs, **how)

    def apply(params: Flat, state: Flat, arrays: list[Any], mode: str) -> tuple[list[Any], Flat]:
        variables = {
            collection: filled(like[collection], flat)
            for collection, flat in _by_collection({**params, **state}).items()
            if collection in like
        }
        args, kwargs = call.arguments(arrays, mode, rewritten=False)
        rngs = {"dropout": jax.random.key(1), "params": jax.random.key(2)}
        kept = [name for name in variables if name != "params"]
        out = models[mode].apply(variables, *args, rngs=rngs, mutable=kept, **kwargs, **how)
        out, updated = out
        new = _flat_collections(meta.unbox(updated))
        return numeric(out), {name: new.get(name, value) for name, value in state.items()}

    boxed = at_once(initial, 0)
    like = meta.unbox(boxed)
    flat = _flat_collections(like)
    return Subject(
        {name: value for name, value in flat.items() if name.startswith("params:")},
        {
            name: value
            for name, value in flat.items()
            if not name.startswith(("params:", "intermediates:"))
        },
        apply,
        call.arrays,
        lambda seed: {
            name: value
            for name, value in _flat_collections(meta.unbox(initial(seed))).items()
            if name.startswith("params:")
        },
        modes=bool(call.flags),
        facts=_facts(call, {f: getattr(models["eval"], f, None) for f in _field_names(cls)}, cls),
        partitioning=_partitioning(boxed),
    )


def _fields(call: Call, mode: str) -> dict[str, bool]:
    return {flag.name: flag.value(mode) for flag in call.flags if flag.field}


def _field_names(cls: Any) -> list[str]:
    return [
        name for name in getattr(cls, "__dataclass_fields__", {}) if name not in ("parent", "name")
    ]


def _flat_collections(variables: Any) -> Flat:
    return {
        f"{collection}:{path}": value
        for collection, tree in variables.items()
        for path, value in flatten(tree).items()
    }


def _by_collection(flat: Flat) -> dict[str, Flat]:
    found: dict[str, Flat] = {"params": {}}
    for name, value in flat.items():
        collection, path = name.split(":", 1)
        found.setdefault(collection, {})[path] = value
    return found


def _partitioning(variables: Any) -> dict[str, list[Any]]:
    """The mesh axes that boxed variables name, by path."""
    from flax.core import meta

    found: dict[str, list[Any]] = {}
    for collection, tree in variables.items():
        for path, value in flatten(tree).items():
            names = getattr(value, "names", None) if isinstance(value, meta.AxisMetadata) else None
            if names is not None:
                found[f"{collection}:{path}"] = list(names)
    return found


# ---- Haiku -------------------------------------------------------------------------------------------


def haiku(thing: Any, values: Values, method: str, reported: dict[str, Any]) -> Subject:
    """A Haiku module class, a function of Haiku modules, or one that is transformed already."""
    import haiku as hk
    import jax

    is_class = isinstance(thing, type)
    function = getattr(thing, method) if is_class else thing
    if hasattr(thing, "init") and hasattr(thing, "apply") and not is_class:
        return _transformed(thing, values, reported)
    call = Call(
        values,
        positional(function, 1 if is_class else 0),
        flags(function, thing if is_class else None, reported),
    )

    def run(mode: str) -> Any:
        def forward(arrays: list[Any]) -> Any:
            args, kwargs = call.arguments(arrays, mode, rewritten=False)
            if not is_class:
                return no_layer(thing(*args, **kwargs))
            module = thing(*values.args, **{**values.kwargs, **_fields(call, mode)})
            return getattr(module, method)(*args, **kwargs)

        return hk.transform_with_state(forward)

    transformed = {mode: run(mode) for mode in ("eval", "train")}
    first = "train" if call.flags else "eval"

    def initial(seed: Any) -> Any:
        return transformed[first].init(jax.random.PRNGKey(seed), call.arrays)

    def apply(params: Flat, state: Flat, arrays: list[Any], mode: str) -> tuple[list[Any], Flat]:
        out, new = transformed[mode].apply(
            _two_levels(params), _two_levels(state), jax.random.PRNGKey(1), arrays
        )
        return numeric(out), {**state, **_flat("state", new)}

    params, state = at_once(initial, 0)
    facts = _facts(call, _bound(thing, values) if is_class else {}, thing if is_class else None)
    facts["root"] = _root(thing, values) if is_class and issubclass(thing, hk.Module) else ""
    return Subject(
        _flat("params", params),
        _flat("state", state),
        apply,
        call.arrays,
        lambda seed: _flat("params", initial(seed)[0]),
        modes=bool(call.flags),
        facts=facts,
    )


def no_layer(result: Any) -> Any:
    """What a function returns; raises Failure where that is still to be called, which is done where the function is used."""
    import inspect

    import haiku as hk

    if isinstance(result, hk.Module):
        raise Failure("case", "it hands back a layer, and is run where it is used")
    if inspect.isroutine(result):
        raise Failure("case", "it hands back a function, and is run where that is used")
    return result


def _transformed(thing: Any, values: Values, reported: dict[str, Any]) -> Subject:
    """A pair of init and apply that the module's own code made with `hk.transform`."""
    import inspect

    import jax

    stateful = type(thing).__name__ == "TransformedWithState"
    keyed = "rng" in inspect.signature(thing.apply).parameters
    original = inspect.unwrap(thing.init)
    skip = 1
    call = Call(values, positional(original, skip), flags(original, None, reported))

    def initial(seed: Any) -> Any:
        args, kwargs = call.arguments(call.arrays, "train", rewritten=False)
        made = thing.init(jax.random.PRNGKey(seed), *args, **kwargs)
        return made if stateful else (made, {})

    def apply(params: Flat, state: Flat, arrays: list[Any], mode: str) -> tuple[list[Any], Flat]:
        args, kwargs = call.arguments(arrays, mode, rewritten=False)
        before = [_two_levels(params), *([_two_levels(state)] if stateful else [])]
        rng = [jax.random.PRNGKey(1)] if keyed else []
        out = thing.apply(*before, *rng, *args, **kwargs)
        out, new = out if stateful else (out, {})
        return numeric(out), {**state, **_flat("state", new)}

    params, state = at_once(initial, 0)
    return Subject(
        _flat("params", params),
        _flat("state", state),
        apply,
        call.arrays,
        lambda seed: _flat("params", initial(seed)[0]),
        modes=bool(call.flags),
        facts={**_facts(call, {}), "root": ""},
    )


def _root(cls: Any, values: Values) -> str:
    """The name that Haiku gives the module, which all paths begin with."""
    import haiku as hk

    found: list[str] = []

    def look() -> None:
        found.append(cls(*values.args, **values.kwargs).module_name)

    hk.transform_with_state(look).init(None)
    return found[0]


def _bound(cls: Any, values: Values) -> dict[str, Any]:
    import inspect

    try:
        bound = inspect.signature(cls).bind(*values.args, **values.kwargs)
    except TypeError:
        return dict(values.kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def _flat(collection: str, tree: Any) -> Flat:
    return {
        f"{collection}:{module}//{name}": value
        for module, inner in tree.items()
        for name, value in inner.items()
    }


def _two_levels(flat: Flat) -> dict[str, Flat]:
    found: dict[str, Flat] = {}
    for path, value in flat.items():
        module, name = path.split(":", 1)[1].split("//")
        found.setdefault(module, {})[name] = value
    return found


# ---- what the other side is told -----------------------------------------------------------------------


def _facts(call: Call, fields: dict[str, Any], constructor: Any = None) -> dict[str, Any]:
    return {
        "names": call.names,
        "constructor": positional(constructor, 0) if constructor is not None else [],
        "fields": {name: value for name, value in fields.items() if _plain(value)},
        "flags": [[f.name, f.training, f.field, f.dropped] for f in call.flags],
    }


def _plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _plain(item) for name, item in value.items())
    return value is None or isinstance(value, (bool, int, float, str))
