"""What a class may hold that no rewrite of it could keep."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

KEEPS = """
import jax.numpy as jnp
from flax import linen as nn


class Angles:
    def __init__(self, dim):
        self.dim, self.table = dim, {}

    def __call__(self, x):
        TABLE
        return x * jnp.cos(angles)


class Turned(nn.Module):
    width: int

    def setup(self):
        self.angles = Angles(self.width)
        self.out = nn.Dense(self.width)

    def __call__(self, x):
        return self.angles(self.out(x))
"""


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("angles = self.table[len(x)] = jnp.arange(self.dim)", "kept"),
        ("self.dim += 1; angles = jnp.arange(self.dim)", "kept"),
        ("angles = jnp.arange(self.dim)", "rewritten"),
    ],
)
def test_an_object_that_keeps_something_is_not_kept(line: str, status: str) -> None:
    done = rewritten(KEEPS.replace("TABLE", line))
    assert done.statuses == {"Turned": status}
    assert done.codes == (["NX101"] if status == "kept" else [])


REPEATED = """
import haiku as hk
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, widths, name=None):
        super().__init__(name=name)
        self.widths = widths

    def __call__(self, x):
        for LOOP:
            x = x * hk.get_parameter(NAME, [x.shape[-1]], init=jnp.ones)
        return x


class Whole(hk.Module):
    def __call__(self, x):
        return Net((3, 3))(x)
"""


@pytest.mark.parametrize(
    ("loop", "name", "follows"),
    [
        ("w in self.widths", '"scale"', False),
        ("w in self.widths", 'f"scale_{w}"', False),
        ("i, w in enumerate(self.widths)", 'f"scale_{i}"', True),
        ("i in range(len(self.widths))", 'f"scale_{i}"', True),
    ],
)
def test_a_parameter_of_haiku_is_not_made_twice(loop: str, name: str, follows: bool) -> None:
    done = rewritten(REPEATED.replace("LOOP", loop).replace("NAME", name))
    assert (done.statuses["Net"] == "rewritten") is follows


PUT_AWAY = """
import jax.numpy as jnp
from flax import linen as nn


class Scales(nn.Module):
    count: int

    def setup(self):
        START
        for i in range(self.count):
            PUT
        self.kept = scales

    def __call__(self, x):
        return x * sum(READ)
"""


@pytest.mark.parametrize(
    ("start", "put", "read"),
    [
        ("scales = []", "scales.append(MADE)", "self.kept"),
        ("scales = {}", "scales[str(i)] = MADE", "self.kept.values()"),
        ("scales = self.scales = []", "self.scales.append(MADE)", "self.scales"),
        ("scales = []", "scales += [MADE]", "self.kept"),
    ],
)
def test_a_variable_that_a_constructor_puts_into_a_container_is_not_lost(
    start: str, put: str, read: str
) -> None:
    code = PUT_AWAY.replace("START", start).replace("PUT", put).replace("READ", read)
    made = 'self.param(f"scale{i}", nn.initializers.ones, (3,))'
    done = rewritten(code.replace("MADE", made))
    assert done.statuses == {"Scales": "kept"}
    assert done.codes == ["NX101"]


OF_ANY_RANK = """
import jax
import jax.numpy as jnp
from flax import linen as nn


class Placed(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        TOLD
        x = nn.Dense(self.width)(x)
        x = x + self.param("places", nn.initializers.normal(), SHAPE)
        return nn.Dense(4)(x)
"""
CALLED = """

def run(key):
    model = Placed(8)
    x = jnp.ones((2, 5, 6))
    params = model.init(key, x)
    return model.apply(params, x)
"""


@pytest.mark.parametrize(
    ("shape", "told", "status"),
    [
        ("(1,) + x.shape[1:]", "pass", "kept"),
        ("(1, *x.shape[1:])", "pass", "kept"),
        ("x.shape[1:]", "pass", "kept"),
        ("(1,) * (x.ndim - 1) + x.shape[-1:]", "pass", "kept"),
        ("(1,) + x.shape[1:]", "assert x.ndim == 3", "rewritten"),
        ("(1,) + x.shape[1:]", "b, t, c = x.shape", "rewritten"),
        ("(1, x.shape[-1])", "pass", "rewritten"),
        ("x.shape[-1:]", "pass", "rewritten"),
    ],
)
def test_a_parameter_has_as_many_axes_as_an_input_of_known_rank(
    shape: str, told: str, status: str
) -> None:
    """One of another rank would broadcast in silence."""
    text = OF_ANY_RANK.replace("SHAPE", shape).replace("TOLD", told)
    done = rewritten(text)
    assert done.statuses == {"Placed": status}
    assert done.codes == (["NX101"] if status == "kept" else [])


def test_a_call_in_sight_tells_the_rank() -> None:
    done = rewritten(
        OF_ANY_RANK.replace("SHAPE", "(1,) + x.shape[1:]").replace("TOLD", "pass") + CALLED
    )
    assert done.statuses == {"Placed": "rewritten"}
    assert "(in_length, width)" in done.after["program.py"]
