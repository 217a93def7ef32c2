"""Initialisers that name axes, and initialisers inside partials and lambdas: both sides are run."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from ..codemod.parity.test_map import Sides, check

NAMED = """
    import functools

    init = nn.initializers.lecun_normal()


    class Net(nn.Module):
        features: int = 6

        @nn.compact
        def __call__(self, x):
            dense = functools.partial(
                nn.Dense,
                kernel_init=nn.{function}(init, ("embed", "mlp")),
                bias_init=nn.{function}(nn.initializers.normal(0.1), names=("mlp",)),
            )
            x = nn.relu(dense(self.features)(x))
            scale = self.param("scale", nn.{function}(nn.initializers.ones, ("mlp",)), (6,))
            return nn.Dense(4, kernel_init=nn.{function}(init, ("mlp", None)))(x * scale)
"""


@pytest.mark.parametrize("function", ["with_partitioning", "with_logical_partitioning"])
def test_axes_are_named_as_before(tmp_path: Path, function: str) -> None:
    text = NAMED.replace("{function}", function)
    check(tmp_path, "linen", text)
    (tmp_path / "again").mkdir()
    old, new = Sides(tmp_path / "again", "linen", text).subjects("Net", {}, ["f32[2,4]"])
    assert sorted(map(str, old.partitioning.values())) == sorted(
        map(str, new.partitioning.values())
    )
    assert new.partitioning["linear.kernel"] == ["mlp", None]


def test_the_names_shard_under_a_mesh() -> None:
    """What the new code says keeps its meaning where there is a mesh."""
    init = nnx.with_partitioning(nnx.initializers.ones, (None, "model"), eager_sharding=False)
    with jax.set_mesh(jax.make_mesh((1,), ("model",))):
        layer = nnx.Linear(4, 6, kernel_init=init, rngs=nnx.Rngs(0))
        spec = nnx.get_partition_spec(nnx.state(layer))
    assert tuple(spec["kernel"].get_value()) == (None, "model")


WRAPPED = """
    from functools import partial

    Dense = partial(nn.Dense, kernel_init=nn.initializers.variance_scaling(2.0, "fan_in", "normal"))


    class Net(nn.Module):
        last_init: callable = nn.initializers.xavier_uniform()
        scale: float = 0.1

        @nn.compact
        def __call__(self, x):
            x = Dense(5, bias_init=nn.initializers.constant(self.scale))(x)
            x = nn.Dense(5, kernel_init=lambda *args: self.scale * nn.initializers.normal()(*args))(x)
            x = nn.Dense(5, kernel_init=lambda key, shape, dtype: nn.initializers.ones(key, shape, dtype))(x)
            x = nn.Dense(5, bias_init=lambda key, shape, dtype=None: nn.initializers.zeros(key, shape))(x)
            if self.scale > 0:
                init = nn.initializers.orthogonal(self.scale)
            else:
                init = nn.initializers.zeros_init()
            x = nn.Dense(5, kernel_init=init)(x)
            return nn.Dense(4, kernel_init=self.last_init, bias_init=nn.initializers.zeros)(x)
"""


def test_initialisers_in_partials_and_lambdas(tmp_path: Path) -> None:
    check(tmp_path, "linen", WRAPPED)
    (tmp_path / "again").mkdir()
    sides = Sides(tmp_path / "again", "linen", WRAPPED)
    assert "linen" not in sides.text
    assert "nn.initializers" not in sides.text.replace("nnx.initializers", "")
    old, new = sides.subjects("Net", {}, ["f32[2,4]"])
    spreads = [
        sorted(float(np.std(v)) for path, v in side.draw(0).items() if path.endswith("kernel"))
        for side in (old, new)
    ]
    np.testing.assert_allclose(spreads[0], spreads[1], rtol=0.6, atol=1e-6)
