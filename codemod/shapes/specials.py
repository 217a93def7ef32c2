"""Functions of libraries whose results follow from what their arguments are, with no need to ask JAX."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from . import dtypes, joins, named_tuples, records, slices, trees
from .arrays import matmul, product, reshape, reshape_target
from .binding import bind_signature
from .dims import Dim, Expression, InputAxis, is_symbolic, same
from .einsum import einsum
from .values import (
    NONE,
    SOME_FLOAT,
    UNKNOWN,
    Appended,
    Array,
    Constant,
    Either,
    Index,
    Items,
    Partial,
    Repeated,
    Shape,
    Size,
    Unknown,
    Value,
    as_dim,
    as_shape,
    from_dim,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter
KEY = Array((), "key")


def _concatenate(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    from .operators import agree, items_of

    arrays = items_of(interp, args[0]) if args else None
    where = kwargs.get("axis", args[1] if len(args) > 1 else Constant(0))
    if not isinstance(where, Constant) or not isinstance(where.value, int):
        return Array(None)
    if arrays is None:
        given = args[0] if args else UNKNOWN
        return _joined_alike(interp, given, where.value) or _joined_many(interp, given, where.value)
    shapes = [a.shape if isinstance(a, Array) else None for a in arrays]
    if (
        any(shape is None for shape in shapes)
        or len({len(s) for s in shapes if s is not None}) != 1
    ):
        if all(shape is not None for shape in shapes):
            interp.trouble(node, "arrays of different rank are concatenated")
            return Array(None)
        return Array(None, last=_last_of_joined(interp, node, arrays, where.value))
    rank = len(shapes[0] or ())
    axis = where.value % rank if rank else 0
    result: list[Dim] = []
    if where.value == 0 and _is_doubtful(interp, shapes):
        if rank == 1:
            return Array((interp.symbols.unknown("the rank of what is joined here is not told"),))
        interp.trouble(node, "the last axes of what is joined in front are not known to be equal")
    for at in range(rank):
        dims = [shape[at] for shape in shapes if shape is not None]
        if at == axis:
            joined = [_if_there(interp, a, d) for a, d in zip(arrays, dims, strict=True)]
            dim = interp.symbols.total(joined)
        else:
            dim = agree(interp, node, dims)
        if dim is None:
            return UNKNOWN
        result.append(dim)
    kinds = [a.dtype for a in arrays if isinstance(a, Array) and a.dtype]
    return Array(tuple(result), dtypes.together(kinds) or next(iter(kinds), None))


def _if_there(interp: Interpreter, item: Value, size: Dim) -> Dim:
    """What an array of a list adds to a sum of sizes: nothing where a branch left it out."""
    if not isinstance(item, Appended) or item.decided is None:
        return size
    sides = (size, 0) if item.held else (0, size)
    return joins.join_dims(interp, item.decided, f"appended {size}", 0, *sides)


def _last_of_joined(
    interp: Interpreter, node: ast.AST, arrays: Sequence[Value], at: int
) -> Dim | None:
    """The last axis of arrays side by side, where the rank of some is not known."""
    from .operators import agree

    lasts = [a.features if isinstance(a, Array) else None for a in arrays]
    ranks = {len(a.shape) for a in arrays if isinstance(a, Array) and a.shape is not None}
    known: list[Dim] = [last for last in lasts if last is not None]
    if at == -1:
        return interp.symbols.total(known) if len(known) == len(lasts) else None
    if len(ranks) != 1 or not known or at % (rank := ranks.pop()) == rank - 1:
        return None
    return agree(interp, node, known)


def _tile(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """An array side by side with itself, along each axis as often as is asked; once leaves a size as it is."""
    from .operators import dim_of

    given = bind_signature(("A", "reps"), args, kwargs)
    array, times = given.get("A"), given.get("reps")
    if not isinstance(array, Array) or array.shape is None or not isinstance(times, Items):
        return None
    if times.open or len(times.items) != len(array.shape):
        return None
    dims: list[Dim] = []
    for dim, each in zip(array.shape, times.items, strict=True):
        count = dim_of(interp, each)
        dims.append(
            interp.symbols.unknown("how often it is tiled") if count is None else dim * count
        )
    return Array(tuple(dims), array.dtype)


def _is_doubtful(interp: Interpreter, shapes: Sequence[Shape | None]) -> bool:
    """Whether arrays that are joined in front may be vectors, their sizes added, or batches of one last axis.

    Either may be meant by a class whose inputs have ranks that nothing tells.
    """
    last = [interp.symbols.resolve(shape[-1]) for shape in shapes if shape]
    if not interp.guesses_ranks or all(same(last[0], dim) for dim in last[1:]):
        return False
    return any(_is_guessed(interp, dim, vector=len(shapes[0] or ()) == 1) for dim in last)


def _is_guessed(interp: Interpreter, dim: Dim, vector: bool) -> bool:
    """Whether a last axis is one of an input; a vector of all axes of an input is one whatever the input's rank."""
    axes = [o for o in interp.symbols.origins_of(dim).values() if isinstance(o, InputAxis)]
    flat = vector and any(
        origin.rank > 1 and len([o for o in axes if o.path == origin.path]) == origin.rank
        for origin in axes
    )
    return bool(axes) and not flat


def _joined_many(interp: Interpreter, value: Value, at: int) -> Array:
    """Arrays side by side, nobody knows how many: those that a loop has put into a list."""
    from .operators import element

    item = element(interp, value) if isinstance(value, Items) else UNKNOWN
    if not isinstance(item, Array) or not item.shape:
        return Array(None)
    axis = at % len(item.shape)
    many = interp.symbols.unknown("a loop decides how much is joined here")
    return Array((*item.shape[:axis], many, *item.shape[axis + 1 :]), item.dtype)


def _joined_alike(interp: Interpreter, value: Value, at: int) -> Array | None:
    """Arrays of one shape side by side, as many as a size says."""
    if not isinstance(value, Repeated) or value.count is None:
        return None
    item = value.item
    if not isinstance(item, Array) or not item.shape:
        return Array(None)
    axis = at % len(item.shape)
    extent = item.shape[axis]
    turning = (
        not isinstance(origin, InputAxis | Expression) or getattr(origin, "loop", None) is not None
        for origin in interp.symbols.origins_of(extent).values()
    )
    if any(turning):  # the items differ in it
        return Array(None)
    return Array((*item.shape[:axis], extent * value.count, *item.shape[axis + 1 :]), item.dtype)


def _stack(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """Arrays of one shape on a new axis, as long as there are arrays."""
    from .operators import broadcast, element, items_of

    arrays = items_of(interp, args[0]) if args else None
    where = kwargs.get("axis", args[1] if len(args) > 1 else Constant(0))
    if not isinstance(where, Constant) or not isinstance(where.value, int):
        return Array(None)
    if arrays is None:
        known = isinstance(args[0], Items | Repeated) if args else False
        item = element(interp, args[0]) if known else UNKNOWN
        shape = item.shape if isinstance(item, Array) else None
        count: Dim = interp.symbols.unknown("the length of a list")
    else:
        shapes = [a.shape if isinstance(a, Array) else None for a in arrays]
        told = bool(shapes) and all(s is not None for s in shapes)
        shape = broadcast(interp, node, *shapes) if told else None
        item, count = arrays[0] if arrays else UNKNOWN, len(arrays)
    if shape is None:
        return Array(None)
    axis = where.value % (len(shape) + 1)
    return Array((*shape[:axis], count, *shape[axis:]), getattr(item, "dtype", None))


def _gathered(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """An array of a list of unknown length: each item gives it one entry more on the first axis."""
    from .operators import element, items_of

    given = args[0] if args else None
    if not isinstance(given, Items | Repeated) or items_of(interp, given) is not None:
        return None
    item = element(interp, given)
    inner = _shape_of_item(interp, item)
    if inner is None:
        return Array(None)
    dtype = "int32" if _counts(item) else None
    return Array((interp.symbols.unknown("the length of a list"), *inner), dtype)


def _counts(item: Value) -> bool:
    """Whether all that an item of a list holds are integers."""
    match item:
        case Items(items=items) | Either(values=items):
            return all(_counts(inner) for inner in items)
        case Array(dtype=str(dtype)):
            return dtype == "int32"
        case Constant(value=int(known)):
            return not isinstance(known, bool)
    return isinstance(item, Size | Index)


def _shape_of_item(interp: Interpreter, item: Value) -> Shape | None:
    """The shape of the array of an item of a list, which may be a number, an array or a list in turn."""
    match item:
        case Array(shape=shape):
            return shape
        case Constant(value=bool() | int() | float()) | Size() | Index():
            return ()
        case Either(values=values):
            shapes = [_shape_of_item(interp, value) for value in values]
            return shapes[0] if all(shape == shapes[0] for shape in shapes) else None
        case Items(items=[first, *others], open=False):
            inner = _shape_of_item(interp, first)
            same_shape = all(_shape_of_item(interp, other) == inner for other in others)
            return (1 + len(others), *inner) if inner is not None and same_shape else None
    return None


def _segments(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """Entries along the leading axis become segments, whose number alone may not be known."""
    given = bind_signature(("data", "segment_ids", "num_segments"), args, kwargs)
    data, ids = given.get("data"), given.get("segment_ids")
    if not isinstance(data, Array) or not data.shape:
        return None
    if isinstance(ids, Array) and ids.shape is not None and len(ids.shape) != 1:
        return None
    count = as_dim(given.get("num_segments"))
    if count is None:
        count = interp.symbols.unknown("the number of segments")
    return Array((count, *data.shape[1:]), data.dtype)


def _split(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    array = args[0] if args else None
    parts = kwargs.get("indices_or_sections", args[1] if len(args) > 1 else UNKNOWN)
    where = kwargs.get("axis", args[2] if len(args) > 2 else Constant(0))
    if not isinstance(array, Array) or array.shape is None:
        count = (
            parts.value if isinstance(parts, Constant) and isinstance(parts.value, int) else None
        )
        return Repeated(Array(None)) if count is None else Items([Array(None)] * count, "list")
    if not (
        isinstance(parts, Constant) and isinstance(parts.value, int) and isinstance(where, Constant)
    ):
        return None
    axis = int(where.value) % len(array.shape)
    piece = interp.symbols.part(array.shape[axis], parts.value)
    shape = (*array.shape[:axis], piece, *array.shape[axis + 1 :])
    return Items([Array(shape, array.dtype)] * parts.value, "list")


def _split_unevenly(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`jnp.array_split`: the first parts are larger by one where the size is no multiple of their number."""
    array = args[0] if args else None
    parts = kwargs.get("indices_or_sections", args[1] if len(args) > 1 else UNKNOWN)
    at = kwargs.get("axis", args[2] if len(args) > 2 else Constant(0))
    match array, parts, at:
        case Array(shape=shape), Constant(value=int(count)), Constant(value=int(axis)) if shape:
            axis %= len(shape)
            sizes = [(shape[axis] + count - 1 - place) // count for place in range(1, count)]
            sizes.insert(
                0, shape[axis] - sum(sizes)
            )  # together they are the whole, as it is written
            return Items(
                [Array((*shape[:axis], size, *shape[axis + 1 :]), array.dtype) for size in sizes],
                "list",
            )
    return _split(interp, node, args, kwargs)


def _squeeze(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """An axis that is squeezed out has one entry, whatever its size is written as."""
    array = args[0] if args else None
    where = kwargs.get("axis", args[1] if len(args) > 1 else None)
    if not isinstance(array, Array) or array.shape is None or not isinstance(where, Constant):
        return None
    rank = len(array.shape)
    if not isinstance(where.value, int) or not -rank <= where.value < rank:
        return None
    axis = where.value % rank
    if not is_symbolic(array.shape[axis]):
        return None
    interp.symbols.equate(array.shape[axis], 1)
    return Array((*array.shape[:axis], *array.shape[axis + 1 :]), array.dtype)


def _reshape(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    if len(args) < 2 and not kwargs:
        return None
    shape = args[1] if len(args) > 1 else next(iter(kwargs.values()))
    array = args[0] if isinstance(args[0], Array) else Array(None)
    return reshape(interp, node, array, shape)


def _broadcast_to(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """The shape that is asked for; an axis that the array has already keeps its size."""
    if len(args) + len(kwargs) != 2 or not isinstance(args[0], Array):
        return None
    shape = reshape_target(interp, args[1] if len(args) > 1 else next(iter(kwargs.values())))
    had = args[0].shape
    if shape is None or had is None or len(had) > len(shape):
        return None
    wide = (*[1] * (len(shape) - len(had)), *had)
    pairs = zip(wide, shape, strict=True)
    return Array(tuple(new if same(old, 1) else old for old, new in pairs), args[0].dtype)


def _broadcasting(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    from .operators import broadcast, not_alone, promoted

    shapes = [
        a.shape if isinstance(a, Array) else ()
        for a in args
        if isinstance(a, Array | Constant | Size)
    ]
    arrays = [a for a in args if isinstance(a, Array)]
    if not arrays:
        return None
    known = [shape for shape in shapes if shape is not None]
    shape = broadcast(interp, node, *known) if len(known) == len(shapes) else None
    if any(isinstance(a, Unknown) and not a.text for a in args):
        shape = not_alone(interp, shape)
    return Array(shape, promoted(args[-2], args[-1]) if len(args) > 1 else arrays[-1].dtype)


def _one_hot(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """Of indices of unknown rank, the last axis is known."""
    given = bind_signature(("x", "num_classes"), args, kwargs)
    width = as_dim(given.get("num_classes"))
    indices = given.get("x")
    if width is None or "axis" in kwargs or isinstance(indices, Constant | Size):
        return None
    if isinstance(indices, Array) and indices.shape is not None:
        return None
    return Array(None, SOME_FLOAT if "dtype" in kwargs else "float32", last=width)


def _masks(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`nn.combine_masks`: those that are there, broadcast against each other."""
    given = [a for a in args if a != NONE]
    return _broadcasting(interp, node, given, {}) if given else NONE


def _glu(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """Half of an axis gates the other half."""
    axis = kwargs.get("axis", args[1] if len(args) > 1 else Constant(-1))
    match args[0] if args else None, axis:
        case Array(shape=tuple() as shape, dtype=dtype), Constant(value=int() as at) if (
            -len(shape) <= at < len(shape)
        ):
            at %= len(shape)
            half = interp.symbols.resolve(shape[at]) // 2
            return Array((*shape[:at], half, *shape[at + 1 :]), dtype)
    return None


def _scalar_math(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`np.sqrt(d)` of a size or an unknown number is some number."""
    if args and isinstance(args[0], Size | Unknown):
        return Unknown()
    return None


def _prod(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    shape = as_shape(args[0]) if args and isinstance(args[0], Items) else None
    if shape is not None:
        return from_dim(product([interp.symbols.resolve(dim) for dim in shape]))
    if args and isinstance(args[0], Unknown) and args[0].text:
        return Unknown(f"math.prod({args[0].text})", loop=args[0].loop)
    return None


def _creation(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    shape = kwargs.get("shape", args[0] if args else UNKNOWN)
    from .operators import dim_of

    dtype = dtypes.said_of_call(interp, node, args, kwargs, place=1)
    if not isinstance(shape, Items):
        dim = dim_of(interp, shape)
        return Array(None, dtype) if dim is None else Array((dim,), dtype or "float32")
    found = [dim_of(interp, item) for item in shape.items]
    dims = [interp.symbols.unknown("the size of an axis") if d is None else d for d in found]
    return Array(tuple(dims), dtype or "float32")


def _resized(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """An image of another size, which the second argument says."""
    image, shape = (
        args[0] if args else None,
        kwargs.get("shape", args[1] if len(args) > 1 else None),
    )
    if not isinstance(image, Array) or shape is None:
        return None
    found = _creation(interp, node, [shape], {})
    return Array(found.shape, image.dtype) if isinstance(found, Array) else None


def _full(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    return _creation(interp, node, [*args[:1], *args[2:]], kwargs)


def _outer(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """All numbers of one array times all of another: two axes, whatever the arrays are like."""
    given = [v for v in (*args, *kwargs.values()) if isinstance(v, Array | Unknown)]
    if len(given) != 2 or all(isinstance(v, Array) and v.shape is not None for v in given):
        return None
    shapes = [v.shape if isinstance(v, Array) else None for v in given]
    unknown = interp.symbols.unknown
    return Array(
        tuple(unknown("the size of an array") if s is None else product(s) for s in shapes)
    )


def _matmul(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """As `left @ right` is: what leading axes have to be for the product is what they are."""
    ranks = [len(value.shape or ()) for value in args if isinstance(value, Array)]
    if len(args) != 2 or len(ranks) != 2 or min(ranks) < 3 or kwargs.keys() - {"precision"}:
        return None
    return matmul(interp, node, *args)


def _random(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    shape = kwargs.get("shape", args[1] if len(args) > 1 else Items([]))
    found = as_shape(shape)
    return Array(found, "float32")


def _bernoulli(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    shape = kwargs.get("shape", args[2] if len(args) > 2 else Items([]))
    return Array(as_shape(shape), "bool")


def _randint(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    found = _random(interp, node, args, kwargs)
    return Array(found.shape, "int32") if isinstance(found, Array) else found


def _arange(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """A range has one axis, whatever its limits are."""
    from .operators import dim_of

    counted = _length_of_range(args) if not kwargs.keys() - {"dtype"} else None
    if counted is not None:
        return Array((counted,), None if "dtype" in kwargs else "float32")
    limits = [*args, *(kwargs[name] for name in ("start", "stop", "step") if name in kwargs)]
    if not any(isinstance(limit, Unknown | Array) for limit in limits):
        return None
    told = dim_of(interp, limits[0]) if len(limits) == 1 and "stop" not in kwargs else None
    return Array((interp.symbols.unknown("the length of a range") if told is None else told,))


def _length_of_range(limits: Sequence[Value]) -> Dim | None:
    """How many numbers a range with a limit that is a size and a step of whole numbers has.

    Where the step is written as an integer, the library is asked.
    """
    if len(limits) != 3 or not isinstance(limits[2], Constant):
        return None
    step = limits[2].value
    start, stop = as_dim(limits[0]), as_dim(limits[1])
    if not isinstance(step, float) or not step.is_integer() or not step:
        return None
    if start is None or stop is None or not (is_symbolic(start) or is_symbolic(stop)):
        return None
    span, size = (stop - start, int(step)) if step > 0 else (start - stop, -int(step))
    return span if size == 1 else (span + size - 1) // size


def _spaced(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """Numbers from one limit to another, as many as a size says."""
    given = bind_signature(("start", "stop", "num"), args, kwargs)
    count = given.get("num")
    limits = (given.get("start"), given.get("stop"))
    if not isinstance(count, Size) or len(args) > 3 or kwargs.keys() & {"axis", "retstep"}:
        return None
    return Array((count.dim,), "float32") if all(map(_is_scalar, limits)) else None


def _is_scalar(value: Value | None) -> bool:
    match value:
        case Constant(value=int() | float()) | Size() | Array(shape=()):
            return True
        case Unknown(why="not a size"):  # a field for a float
            return True
    return False


def _choice(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """Entries along the first axis of an array, or integers, drawn as often as a shape says."""
    given = bind_signature(("key", "a", "shape"), args, kwargs)
    source, shape = given.get("a"), as_shape(given.get("shape", Items([])))
    if shape is None or "axis" in kwargs:
        return None
    match source:
        case Array(shape=tuple() as whole, dtype=dtype) if whole:
            return Array((*shape, *whole[1:]), dtype)
        case Constant(value=int()) | Size():
            return Array(shape, "int32")
    return None


def _partial(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    site = node if isinstance(node, ast.Call) else None
    return Partial(args[0], tuple(args[1:]), dict(kwargs), site) if args else None


def _key(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    return KEY


def _split_key(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    count = kwargs.get("num", args[1] if len(args) > 1 else Constant(2))
    if isinstance(count, Constant) and isinstance(count.value, int) and count.value <= 64:
        return Items([KEY] * count.value, "array")
    return Repeated(KEY)


Special = Callable[["Interpreter", ast.AST, Sequence[Value], Mapping[str, Value]], "Value | None"]

SPECIAL: dict[str, Special] = {
    "functools.partial": _partial,
    "collections.namedtuple": named_tuples.made,
    "typing.NamedTuple": named_tuples.made,
    "jax.numpy.concatenate": _concatenate,
    "jax.numpy.stack": _stack,
    "jax.numpy.array": _gathered,
    "jax.numpy.asarray": _gathered,
    **trees.SPECIAL,
    **records.SPECIAL,
    **slices.SPECIAL,
    **{f"jax.ops.segment_{name}": _segments for name in ("sum", "prod", "max", "min")},
    "jax.numpy.split": _split,
    "jax.numpy.array_split": _split_unevenly,
    "jax.numpy.broadcast_to": _broadcast_to,
    "jax.numpy.reshape": _reshape,
    "jax.numpy.squeeze": _squeeze,
    "jax.numpy.tile": _tile,
    "jax.numpy.where": _broadcasting,
    **{f"flax.linen.{home}combine_masks": _masks for home in ("", "attention.")},
    **{f"{home}.glu": _glu for home in ("jax.nn", "flax.linen", "flax.linen.activation")},
    "jax.numpy.einsum": einsum,
    "jax.numpy.outer": _outer,
    "jax.nn.one_hot": _one_hot,
    "jax.numpy.matmul": _matmul,
    "jax.image.resize": _resized,
    "jax.numpy.prod": _prod,
    "math.prod": _prod,
    "jax.random.PRNGKey": _key,
    "jax.random.key": _key,
    "jax.random.fold_in": _key,
    "jax.random.split": _split_key,
    "jax.random.bernoulli": _bernoulli,
    "jax.random.randint": _randint,
    "jax.numpy.arange": _arange,
    **{f"jax.numpy.{kind}space": _spaced for kind in ("lin", "log", "geom")},
    "jax.random.choice": _choice,
    "jax.numpy.full": _full,
    **{
        f"jax.random.{name}": _random
        for name in ("normal", "uniform", "truncated_normal", "gumbel")
    },
    **{f"jax.numpy.{name}": _creation for name in ("zeros", "ones", "empty")},
    **{
        f"jax.numpy.{name}": _broadcasting
        for name in ("maximum", "minimum", "add", "multiply", "subtract", "divide")
    },
    **{
        f"{module}.{name}": _scalar_math
        for module in ("math", "jax.numpy")
        for name in ("sqrt", "log", "exp", "ceil")
    },
    **{f"math.{name}": _scalar_math for name in ("log2", "floor", "pow")},
}
