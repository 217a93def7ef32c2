"""Inputs that no call shows, read part by part."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODULE = """
from typing import NamedTuple

import haiku as hk
import jax.numpy as jnp


class Graph(NamedTuple):
    size: jnp.ndarray
    depth: int


class Net(hk.Module):
    def __call__(self, PARAMETER):
        BODY
"""


def sources(parameter: str, body: str) -> list[str]:
    """What the new parameters of a module are computed from; nothing where it stays."""
    text = MODULE.replace("PARAMETER", parameter).replace("BODY", body.replace("\n", "\n        "))
    done = rewritten(text)
    found = [c for o in done.outcomes.values() for c in o.report.classes if c.name == "Net"]
    return [p.from_ for c in found for p in c.added_parameters]


@pytest.mark.parametrize(
    ("parameter", "body", "expected"),
    [
        ("step", "return hk.Linear(3)(step.observation)", ["step.observation.shape[-1]"]),
        (
            "step",
            "return hk.Linear(3)(hk.Flatten()(step.observation))",
            ["step.observation[0].size"],
        ),
        ("batch", "return hk.Linear(3)(batch['x'])", ["batch['x'].shape[-1]"]),
        ("graph: Graph", "return hk.Linear(3)(graph.size)", ["graph.size.shape[-1]"]),
        (
            "pair",
            "a, b = pair\nreturn hk.Linear(3)(a) + hk.Linear(3)(b)",
            ["pair[0].shape[-1]", "pair[1].shape[-1]"],
        ),
        (
            "pair",
            "a, b = pair\npair = hk.Linear(3)(a) + b\nreturn hk.Linear(2)(pair)",
            ["pair[0].shape[-1]"],
        ),
        ("pair: jnp.ndarray", "a, b = pair\nreturn hk.Linear(3)(a)", ["pair.shape[-1]"]),
        ("pair", "a, b = pair\nreturn hk.Linear(3)(pair + 1)", ["pair.shape[-1]"]),
        (
            "step",
            "return hk.Linear(3)(hk.Flatten()(hk.Conv2D(2, 3)(step.image)))",
            ["step.image.shape[-3]", "step.image.shape[-2]", "step.image.shape[-1]"],
        ),
    ],
)
def test_each_part_is_an_input(parameter: str, body: str, expected: list[str]) -> None:
    assert sources(parameter, body) == expected


METHODS = """
import haiku as hk
import jax


class Net(hk.Module):
    def __call__(self, step):
        step = jax.tree.map(lambda t: t[None], step)
        return self.unroll(step)

    def unroll(self, step):
        READ
"""


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("return hk.Linear(3)(step.observation)", ["step.observation.shape[-1]"]),
        ("return hk.Linear(3)(step['seen'])", ["step['seen'].shape[-1]"]),
        ("return hk.Linear(3)(step)", ["step.shape[-1]"]),
        ("return hk.Linear(3)(step.observation) + step", []),
    ],
)
def test_parts_are_read_in_the_method_that_gets_the_argument(
    read: str, expected: list[str]
) -> None:
    done = rewritten(METHODS.replace("READ", read))
    found = [c for o in done.outcomes.values() for c in o.report.classes]
    assert [p.from_ for c in found for p in c.added_parameters] == expected


def test_what_becomes_something_else_before_it_is_handed_on_keeps_its_parts() -> None:
    done = rewritten(
        """
import haiku as hk


class Net(hk.Module):
    def __call__(self, step):
        step = hk.Linear(4)(step.observation)
        return self.head(step)

    def head(self, step):
        return hk.Linear(3)(step + 1)
"""
    )
    found = [c for o in done.outcomes.values() for c in o.report.classes]
    assert [p.from_ for c in found for p in c.added_parameters] == ["step.observation.shape[-1]"]


@pytest.mark.parametrize(
    ("parameter", "body"),
    [
        ("x", "return hk.Linear(3)(x.T)"),
        ("x", "return hk.Linear(3)(x.items)"),
        ("x", "if isinstance(x, dict):\n    x = x['a']\nreturn hk.Linear(x['n'])(x['x'])"),
        ("graph: Graph", "return hk.Linear(3)(graph.depth)"),
    ],
)
def test_what_may_be_an_array_has_no_parts(parameter: str, body: str) -> None:
    paths = ("x.T", "x.items", "x[", "graph.depth")
    assert not [s for s in sources(parameter, body) if s.startswith(paths)]


def test_a_kernel_whose_first_axes_are_unknown_tells_its_last() -> None:
    done = rewritten(
        """
import haiku as hk
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, kernel_shape, channels, name=None):
        super().__init__(name=name)
        self.kernel_shape = tuple(kernel_shape)
        self.channels = channels

    def normed(self, w):
        return w * hk.get_parameter('gain', (w.shape[-1],), init=jnp.ones)

    def __call__(self, x):
        w = hk.get_parameter('w', self.kernel_shape + (x.shape[-1], self.channels), init=jnp.ones)
        return self.normed(w)
"""
    )
    text = done.after["program.py"]
    assert "self.gain = nnx.Param(jnp.ones((channels,)))" in text
