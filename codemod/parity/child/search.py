"""A search for a case that the original accepts, guided by names, annotations and defaults."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import keyword
import time
from collections.abc import Callable, Iterator
from typing import Any

from . import abstract, case, parts, uses
from .failure import Failure, describe
from .modes import flags

_RANKS = (2, 3, 4, 1, 5)
_SIZE = 8
_WIDE = 32  # what the groups of normalisations divide
_IMAGES = (
    (2, 32, 32, 3),
    (2, 64, 64, 4),
    (2, 128, 3),
    (2, 4, 64, 64),  # channels first
    (2, _SIZE, _SIZE, _WIDE),
    (2, _SIZE, _SIZE, 4 * _WIDE),  # a bottleneck's narrow part has groups, too
    (2, 2 * _SIZE, _WIDE),  # places of a square image
)
_BELOW = 4  # integers are smaller: few vocabularies are
_TEXTS = 3  # that one argument is compared with
_MOST = 140  # cases that are tried
_SECONDS = 60.0
_INTEGERS = (
    "token",
    "ids",
    "idx",
    "index",
    "label",
    "word",
    "position",
    "segment",
    "action_id",
    "class",
)
_VOCABULARIES = ("vocab", "embeddings")  # larger than any of the integers that are looked up
_MASKS = ("mask", "padding", "valid", "done", "reset")
_SIZES = ("width", "size", "features", "dim", "channels", "units", "hidden", "heads", "depth")
_KEYS = ("key", "rng", "prng", "rng_key", "prng_key")


def search(
    job: dict[str, Any],
    module: Any,
    thing: Any,
    maker: Callable[..., Any],
    refusals: list[str],
    names: dict[str, Any],
) -> tuple[dict[str, Any], Any]:
    """A case and its subject; `names` are in the scope of expressions.
    `job["skip"]` cases that it accepts are passed over. Raises Failure where no case is found."""
    reported, linen = job["class"]["mode_arguments"], job["class"]["source"] == "linen"
    begun = time.monotonic()
    last, left = "", job["skip"]
    half: tuple[dict[str, Any], Any] | None = None  # one that runs in evaluation alone
    for method in _methods(thing, job):
        for tried, given in enumerate(itertools.islice(_cases(thing, method, job, module), _MOST)):
            if time.monotonic() - begun > _SECONDS:
                if half is not None and not left:
                    return half
                raise Failure(
                    "case", f"no case was found in {_SECONDS:.0f} s; the last trial: {last}"
                )
            try:
                values = case.evaluate(given, module, job["seed"], names)
                if not abstract.is_transformed(thing):  # a quick look before all is drawn
                    abstract.init(thing, values, method, reported, linen)
                subject = maker(thing, values, method, reported)
                _runs(subject, "eval")
            except Exception as error:
                last = describe(error)
                continue
            try:
                _runs(subject, "train" if subject.modes else "eval")
            except Exception:
                half = half or ({**given, "tried": tried + 1}, subject)
                continue
            if left:
                left -= 1
                continue
            return {**given, "tried": tried + 1}, subject
    if half is not None and not left:
        return half
    more = f"; {refusals[0]}" if refusals else ""
    raise Failure(
        "case", f"no case was found that the original accepts{more}; the last trial: {last}"
    )


def _runs(subject: Any, mode: str) -> None:
    """Raises where a pass fails, or works on nothing: windows may leave no place of a small input."""
    import jax

    empty = [name for name, value in {**subject.params, **subject.state}.items() if not value.size]
    if empty:
        raise ValueError(f"{empty[0]} has no numbers")
    jax.eval_shape(
        lambda p, s, x: subject.apply(p, s, x, mode),
        subject.params,
        subject.state,
        subject.arrays,
    )


def _methods(thing: Any, job: dict[str, Any]) -> list[str]:
    if not isinstance(thing, type) or callable(vars(thing).get("__call__")):
        return ["__call__"]
    named = [added["method"] for added in job["class"]["added_parameters"]]
    public = [
        name
        for name, value in vars(thing).items()
        if inspect.isfunction(value) and not name.startswith("_") and name != "setup"
    ]
    whole = inspect.isfunction(getattr(thing, "__call__", None))  # noqa: B004 (of its instances)
    inherited = ["__call__"] if whole else []
    return list(dict.fromkeys([*inherited, *named, *public]))[:4]


def _cases(thing: Any, method: str, job: dict[str, Any], module: Any) -> Iterator[dict[str, Any]]:
    function = (
        getattr(thing, method)
        if isinstance(thing, type)
        else inspect.unwrap(getattr(thing, "init", thing))
    )
    constructor = thing if isinstance(thing, type) else None
    known = {flag.name for flag in flags(function, constructor, job["class"]["mode_arguments"])}
    parameters = _required(function, known | {"self"})
    if not isinstance(thing, type) and hasattr(thing, "init"):
        parameters = parameters[1:]
    shown = (
        (one["args"], {**fields, **one["kwargs"]}, "code")
        for one in job["cases"]
        if one["inputs"] is None and constructor is not None
        for fields in _fields(constructor, known | _said(constructor, one), module)
    )
    found: Iterator[tuple[list[Any], dict[str, Any], str]] = (
        ([], fields, "search") for fields in _fields(constructor, known, module)
    )
    for args, fields, origin in itertools.chain(shown, found):
        for inputs in _inputs(parameters, function, module):
            named = {p.name: inputs[p.name] for p in parameters if p.kind is p.KEYWORD_ONLY}
            yield {
                "origin": "search" if origin == "search" else "code, inputs by search",
                "args": args,
                "kwargs": fields,
                "inputs": [inputs[p.name] for p in parameters if p.name not in named],
                "call": named,
                "method": method,
            }


def _required(function: Any, without: set[str]) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in without
    ]


# ---- constructor arguments -----------------------------------------------------------------------------


def _fields(constructor: Any, known: set[str], module: Any) -> Iterator[dict[str, Any]]:
    """Constructor arguments for what has no default, small sizes first, and for what may not be left out after all."""
    required = _required(constructor, known | {"self"}) if constructor is not None else []
    used = uses.of(constructor)
    choices = [_field(one, module, used.get(one.name.removeprefix("_"))) for one in required]
    longest = max(map(len, choices), default=1)
    for number in range(longest):
        given = {
            parameter.name: options[min(number, len(options) - 1)]
            for parameter, options in zip(required, choices, strict=True)
        }
        yield given
        wide = {name: _widened(value) for name, value in given.items()}
        if number == 0 and wide != given:
            yield wide
    first = {one.name: options[0] for one, options in zip(required, choices, strict=True)}
    for unset in _left_out(constructor, known, used):
        yield {**first, **unset}


def _widened(value: Any) -> Any:
    """A field with sizes that the groups of normalisations divide."""
    if isinstance(value, list):
        return [_widened(item) for item in value]
    return _WIDE if value == _SIZE and type(value) is int else value


def _left_out(
    constructor: Any, known: set[str], used: dict[str, uses.Use]
) -> Iterator[dict[str, Any]]:
    """Arguments that default to None, which a class may refuse all the same: initialisers, and texts that it asks for."""
    try:
        parameters = inspect.signature(constructor).parameters if constructor is not None else {}
    except (TypeError, ValueError):
        return
    names = [name for name, one in parameters.items() if one.default is None and name not in known]
    initialisers = [name for name in names if name.endswith(("_init", "init"))]
    if initialisers:
        haiku = any(base.__module__.startswith("haiku.") for base in inspect.getmro(constructor))
        made = "hk.initializers.RandomNormal" if haiku else "jax.nn.initializers.normal"
        yield dict.fromkeys(initialisers, f"py:{made}(0.1)")
    for name in names:
        use = used.get(name.removeprefix("_"))
        for text in use.texts[:_TEXTS] if use is not None else ():
            yield {name: text}


def _said(constructor: Any, shown: dict[str, Any]) -> set[str]:
    """The constructor's parameters that a case from the code gives."""
    names = [parameter.name for parameter in inspect.signature(constructor).parameters.values()]
    return {*names[: len(shown["args"])], *shown["kwargs"]}


def _field(parameter: inspect.Parameter, module: Any, use: uses.Use | None = None) -> list[Any]:
    """Values for one constructor argument, the likeliest first; `use` is what the class does with it."""
    name = parameter.name.lower()
    annotation = _annotation(parameter)
    records = _records(annotation, module)
    if records:
        return records
    if use is not None and uses.is_record(use) and not _says_another(annotation):
        return [f"py:{_settings(use, module, number)}" for number in (0, 1)]
    if "Mapping" in annotation or annotation.lower().startswith(("dict", "typing.dict")):
        return [{}]
    if not annotation and name.endswith(("_config", "_kwargs")):
        return [{}, _SIZE]
    if any(
        word in annotation for word in ("Sequence", "Iterable", "tuple", "Tuple", "list", "List")
    ):
        window = any(word in name for word in ("kernel", "stride", "window", "pool", "shape"))
        # Annotations are not checked: one that is called a dimension may be a number.
        number = [_SIZE] if name.endswith("dim") else []
        return [[3, 3], [3]] if window else [[_SIZE, _SIZE], [1, 1], [2, 2], *number]
    if annotation == "bool" or name.startswith(("use_", "with_", "is_")):
        return [False, True]
    if annotation == "float" or any(
        word in name for word in ("rate", "prob", "eps", "scale", "decay", "momentum")
    ):
        return [0.1, 1.0]
    if use is not None and use.made:
        layer, own = uses.library(use), uses.fitting(use, module)[:3]
        return [layer, *own] if layer == "py:nn.Conv" else [*own, layer]
    if use is not None and use.texts:
        return list(use.texts)
    if annotation == "str":
        return ["same"]
    if name == "name":
        return ["name"]
    if "dtype" in name.lower() or "Dtype" in annotation:
        return ["py:jnp.float32"]
    if "Callable" in annotation or name in ("act", "activation", "act_fn", "nonlinearity"):
        return ["py:jax.nn.relu"]
    if name in ("conv", "conv_cls", "conv_layer", "conv_block_cls"):
        return ["py:nn.Conv"]
    if "Module" in annotation or name in ("norm", "block_cls", "norm_layer", "norm_cls"):
        return ["py:nn.LayerNorm"]
    if use is not None and use.calls:
        return ["py:jax.nn.relu"]
    if use is not None and use.sequence and annotation != "int":
        return [[_SIZE, _SIZE], [1, 1], [2, 2]]
    return _integers(name)


def _says_another(annotation: str) -> bool:
    """Whether an annotation says that something else than a record of settings is wanted."""
    return annotation in ("bool", "int", "float", "str") or any(
        word in annotation for word in ("Array", "Callable", "Module", "Sequence", "Tuple", "tuple")
    )


def _settings(use: uses.Use, module: Any, number: int) -> str:
    """An expression for a record of the settings that a class reads off a field, with the value of each at a place."""
    given = []
    for name, inner in use.settings.items():
        if uses.is_record(inner):
            text = _settings(inner, module, number)
        else:
            fake = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
            options = [False, True] if inner.tested else _field(fake, module, inner)
            text = _expression(options[min(number, len(options) - 1)])
        given.append(f"{name}={text}")
    return f"load('types').SimpleNamespace({', '.join(given)})"


def _records(annotation: str, module: Any) -> list[Any]:
    """Records of settings, where the annotation names a dataclass: with small sizes, and with its own defaults."""
    name = annotation.rpartition(".")[2].strip("'\"")
    cls = getattr(module, name, None) if name.isidentifier() else None
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        return []
    small: list[str] = []
    for field in dataclasses.fields(cls):
        if field.init and (_unset(field) or type(field.default) is int):
            kind = "" if field.type is None else _type_text(field.type)
            fake = inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
            value = _field(fake, module)[0]
            small.append(f"{field.name}={_expression(value)}")
    whole = not any(field.init and _unset(field) for field in dataclasses.fields(cls))
    return [f"py:module.{name}({', '.join(small)})", *([f"py:module.{name}()"] if whole else [])]


def _expression(value: Any) -> str:
    """A field's value as an expression within another one."""
    return value[3:] if isinstance(value, str) and value.startswith("py:") else repr(value)


def _unset(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _type_text(kind: Any) -> str:
    return kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))


def _integers(name: str) -> list[Any]:
    if any(
        word in name for word in ("head", "layer", "depth", "block", "num_stage", "repeat", "group")
    ):
        return [2, 1]
    if any(word in name for word in ("vocab", "embeddings", "tokens", "max", "len", "classes")):
        return [16, _SIZE]
    if "kernel" in name or "window" in name:
        return [3, [3, 3]]
    if "stride" in name:
        return [1, [1, 1], 2]
    return [_SIZE, 4, [_SIZE, _SIZE], 2]


def _annotation(parameter: inspect.Parameter) -> str:
    annotation = parameter.annotation
    if annotation is parameter.empty:
        return ""
    if isinstance(annotation, str):
        return annotation
    plain = isinstance(annotation, type) and "[" not in str(annotation)
    return annotation.__name__ if plain else str(annotation)


# ---- inputs --------------------------------------------------------------------------------------------


def _inputs(
    parameters: list[inspect.Parameter], function: Any, module: Any
) -> Iterator[dict[str, Any]]:
    """Inputs for each rank, all of one rank but those that hints tell otherwise; all axes have one size, the first two.

    Images that many windows leave something of come last.
    """
    if not parameters:
        yield {}
        return
    tree = parts.source(function)
    ranks, read = parts.ranks(tree), parts.read(tree)
    attends = any(parameter.name in ("query", "value", "values") for parameter in parameters)

    def one(parameter: inspect.Parameter, rank: int, integers: bool = False) -> Any:
        if attends and parameter.name == "key":
            parameter = parameter.replace(name="keys")
        rank = ranks.get(parameter.name, rank)
        return _input(parameter, rank, integers, module, read.get(parameter.name))

    for rank in _RANKS:
        for integers in (False, True):
            yield {p.name: one(p, rank, integers) for p in parameters}
    for rank, other in itertools.permutations((2, 3, 4), 2):
        if len(parameters) > 1:
            first, *rest = parameters
            yield {first.name: one(first, rank), **{p.name: one(p, other) for p in rest}}
    for image in _IMAGES:
        sizes = ",".join(map(str, image))
        small = ",".join(map(str, (2, *[_SIZE] * (len(image) - 1))))
        yield {p.name: _resized(one(p, len(image)), f"[{small}]", f"[{sizes}]") for p in parameters}


def _resized(item: Any, small: str, sizes: str) -> Any:
    """An input with its float arrays of one shape in another."""
    if isinstance(item, dict):
        return {name: _resized(inner, small, sizes) for name, inner in item.items()}
    return item.replace(f"f32{small}", f"f32{sizes}") if isinstance(item, str) else item


def _input(
    parameter: inspect.Parameter,
    rank: int,
    integers: bool,
    module: Any,
    read: parts.Parts | None = None,
) -> Any:
    name, annotation = parameter.name.lower(), _annotation(parameter)
    record = _record_class(parameter, module)
    if record is not None:
        return _record(*record, rank, integers, module)
    if read is not None and read.keys:
        return {key: _part(key, rank, integers, module) for key in read.keys}
    if read is not None and read.attributes and not read.array:
        return _tuple(read.attributes, rank, integers, module)
    if name in _KEYS:
        return "key[]"
    if annotation == "bool":
        return False
    if annotation == "int":
        return 16 if any(word in name for word in _VOCABULARIES) else 2
    if annotation == "float":
        return 0.5
    array = "rray" in annotation or (read is not None and read.array)
    if not array and any(name == word or name.endswith(f"_{word}") for word in _SIZES):
        return _SIZE
    sizes = ",".join(str(size) for size in (2, *[_SIZE] * (rank - 1))) if rank else ""
    if "length" in name:
        return f"i32[2]<{_BELOW}"
    if any(word in name for word in _MASKS):
        return f"bool[2,1,{_SIZE},{_SIZE}]" if rank == 4 else f"bool[{sizes}]"  # for all heads
    if name in ("t", "timestep", "timesteps", "time"):
        return "f32[2]"
    if any(word in name for word in _INTEGERS):
        return f"i32[{sizes}]<{_BELOW}" if integers else f"i32[2,{_SIZE}]<{_BELOW}"
    return f"i32[{sizes}]<{_BELOW}" if integers else f"f32[{sizes}]"


def _record_class(parameter: inspect.Parameter, module: Any) -> tuple[Any, str] | None:
    """The named tuple or dataclass that an annotation names, and an expression for it."""
    cls, text = parameter.annotation, ""
    if isinstance(cls, type) and cls.__module__ not in ("builtins", "__main__"):
        text = f"load({cls.__module__!r}).{cls.__qualname__}"
    name = _annotation(parameter).rpartition(".")[2].strip("'\"")
    own = getattr(module, name, None) if name.isidentifier() else None
    if isinstance(own, type):
        cls, text = own, f"module.{name}"
    if not text or getattr(cls, "_stand_in", None) is not None or hasattr(cls, "apply"):
        return None
    fields = getattr(cls, "_fields", None) or dataclasses.is_dataclass(cls)
    return (cls, text) if fields else None


def _record(cls: Any, text: str, rank: int, integers: bool, module: Any) -> str:
    """An expression for a record of inputs."""
    hints = getattr(cls, "__annotations__", {})
    given = []
    for name in getattr(cls, "_fields", None) or [f.name for f in dataclasses.fields(cls)]:
        value = _part(name, rank, integers, module, _type_text(hints.get(name, "")))
        given.append(f"{name}={_drawn(value)}")
    return f"py:{text}({', '.join(given)})"


def _tuple(names: list[str], rank: int, integers: bool, module: Any) -> str:
    """An expression for a named tuple of what is read off an argument."""
    given = [f"{name}={_drawn(_part(name, rank, integers, module))}" for name in names]
    return f"py:load('collections').namedtuple('Given', {names!r})({', '.join(given)})"


def _part(name: str, rank: int, integers: bool, module: Any, kind: str = "") -> Any:
    """A part of an input, called so and annotated with `kind`."""
    name = name if name.isidentifier() and not keyword.iskeyword(name) else "x"
    fake = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
    return _input(fake, rank, integers, module)


def _drawn(value: Any) -> str:
    """An expression for an input within another one."""
    text = isinstance(value, str)
    written = f"draw({value!r})" if text and not value.startswith("py:") else str(value)
    return written.removeprefix("py:")
