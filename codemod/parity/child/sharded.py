"""The forward pass over several devices, for modules whose variables name the axes of a mesh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .subject import Flat, Subject

Axes = Mapping[str, Sequence[Any]]


def names(partitioning: Axes) -> list[str]:
    """The mesh axes that variables name, sorted."""
    found: set[str] = set()
    for axes in partitioning.values():
        for axis in axes:
            found.update([axis] if isinstance(axis, str) else axis or [])
    return sorted(found)


@contextmanager
def mesh(axes: Sequence[str]) -> Iterator[Any]:
    """A mesh with these axes, in effect; the first one holds all devices. None, and nothing changes, without axes."""
    import jax

    if not axes or not hasattr(jax, "set_mesh"):
        yield None
        return
    sizes = (len(jax.devices()), *[1] * (len(axes) - 1))
    kinds = (jax.sharding.AxisType.Auto,) * len(axes)
    made = jax.make_mesh(sizes, tuple(axes), axis_types=kinds)
    with jax.set_mesh(made):
        yield made


def forward(subject: Subject, params: Flat, state: Flat, over: Any) -> list[Any]:
    """The outputs in evaluation, with each parameter laid out over the mesh as it says."""
    import jax
    from jax.sharding import NamedSharding, PartitionSpec

    layout: Any = PartitionSpec
    placed = {}
    for path, value in params.items():
        spec = layout(*_fitting(subject.partitioning.get(path, []), value.shape, over))
        placed[path] = jax.device_put(value, NamedSharding(over, spec))
    run = jax.jit(lambda p, s, x: subject.apply(p, s, x, "eval")[0])
    return list(run(placed, state, subject.arrays))


def _fitting(axes: Sequence[Any], shape: Sequence[int], over: Any) -> list[Any]:
    """The axes of a variable, without those that do not divide its sizes."""
    found = []
    for axis, size in zip(axes, shape, strict=False):
        named = [axis] if isinstance(axis, str) else list(axis or [])
        parts = 1
        for name in named:
            parts *= over.shape[name]
        found.append((tuple(named) or None) if size % parts == 0 else None)
    return found
