"""Modules and their rewrites by hand, and ways to damage the rewrites."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINEN = """
import jax
import jax.numpy as jnp
from flax import linen as nn


class Net(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x, mask, train: bool):
        h = nn.LayerNorm(epsilon=1e-6)(x)
        h = nn.relu(nn.Dense(self.features)(h))
        h = nn.Dense(self.features)(h)
        h = nn.BatchNorm(use_running_average=not train, momentum=0.9)(h)
        h = nn.Dropout(0.3, deterministic=not train)(h)
        h = x + h * mask[..., None]
        h = nn.Conv(self.features, kernel_size=(3,), padding="SAME")(h)
        gate, value = jnp.split(nn.Dense(2 * self.features)(h), 2, axis=-1)
        h = nn.sigmoid(gate) * value
        _, h = jax.lax.scan(lambda c, v: (0.5 * c + v,) * 2, h[:, 0], h.swapaxes(0, 1))
        return nn.Dense(3)(nn.gelu(h))
"""

NNX = """
import jax
import jax.numpy as jnp
from flax import nnx


class Net(nnx.Module):
    def __init__(self, in_features: int, features: int, *, rngs: nnx.Rngs):
        self.layernorm = nnx.LayerNorm(in_features, epsilon=1e-6, rngs=rngs)
        self.linear1 = nnx.Linear(in_features, features, rngs=rngs)
        self.linear2 = nnx.Linear(features, features, rngs=rngs)
        self.batchnorm = nnx.BatchNorm(features, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(0.3, rngs=rngs)
        self.conv = nnx.Conv(features, features, kernel_size=(3,), padding="SAME", rngs=rngs)
        self.linear3 = nnx.Linear(features, 2 * features, rngs=rngs)
        self.linear4 = nnx.Linear(features, 3, rngs=rngs)

    def __call__(self, x, mask):
        h = self.layernorm(x)
        h = nnx.relu(self.linear1(h))
        h = self.linear2(h)
        h = self.batchnorm(h)
        h = self.dropout(h)
        h = x + h * mask[..., None]
        h = self.conv(h)
        gate, value = jnp.split(self.linear3(h), 2, axis=-1)
        h = nnx.sigmoid(gate) * value
        _, h = jax.lax.scan(lambda c, v: (0.5 * c + v,) * 2, h[:, 0], h.swapaxes(0, 1))
        return self.linear4(nnx.gelu(h))
"""

NET: dict[str, Any] = {
    "name": "Net",
    "source": "linen",
    "status": "rewritten",
    "new_name": "Net",
    "added_parameters": [{"name": "in_features", "from": "x.shape[-1]", "method": "__call__"}],
    "mode_arguments": {"train": {"true": "train", "false": "eval"}},
    "variables": [
        {
            "collection": collection,
            "source": f"{old}/{name}",
            "target": f"{new}.{name}",
            "layout": "",
        }
        for old, new in (
            ("LayerNorm_0", "layernorm"),
            ("Dense_0", "linear1"),
            ("Dense_1", "linear2"),
            ("BatchNorm_0", "batchnorm"),
            ("Conv_0", "conv"),
            ("Dense_2", "linear3"),
            ("Dense_3", "linear4"),
        )
        for collection, name in (
            ("params", "scale"),
            ("params", "kernel"),
            ("params", "bias"),
            ("batch_stats", "mean"),
            ("batch_stats", "var"),
        )
    ],
}
NET_CASE = 'kwargs = { features = 8 }\ninputs = ["f32[4,4,8]", "f32[4,4]"]'


HAIKU = """
import haiku as hk
import jax
import jax.numpy as jnp


def net(x, is_training):
    for size in (8, 8):
        x = jax.nn.relu(hk.Linear(size)(x))
    count = hk.get_state("count", [], jnp.int32, init=jnp.zeros)
    if is_training:
        x = hk.dropout(hk.next_rng_key(), 0.2, x)
        hk.set_state("count", count + 1)
    return hk.Linear(3)(x) * (1.0 + 0.1 * count)
"""

FROM_HAIKU = """
import jax
import jax.numpy as jnp
from flax import nnx


class Count(nnx.Variable):
    pass


def init(key, shape, dtype=jnp.float32):
    return jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype) / shape[0] ** 0.5


class Net(nnx.Module):
    def __init__(self, in_features: int, *, rngs: nnx.Rngs):
        self.linears = nnx.List()
        for size in (8, 8):
            self.linears.append(nnx.Linear(in_features, size, kernel_init=init, rngs=rngs))
            in_features = size
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.count = Count(jnp.zeros((), jnp.int32))
        self.linear = nnx.Linear(8, 3, kernel_init=init, rngs=rngs)

    def __call__(self, x):
        for linear in self.linears:
            x = jax.nn.relu(linear(x))
        count = self.count[...]
        if not self.dropout.deterministic:
            x = self.dropout(x)
            self.count[...] = count + 1
        return self.linear(x) * (1.0 + 0.1 * count)
"""

HAIKU_NET: dict[str, Any] = {
    "name": "net",
    "source": "haiku-function",
    "status": "rewritten",
    "new_name": "Net",
    "added_parameters": [{"name": "in_features", "from": "x.shape[-1]", "method": "__call__"}],
    "mode_arguments": {"is_training": {"true": "train", "false": "eval"}},
    "variables": [
        {"collection": "params", "source": f"{old}/{name}", "target": f"{new}.{ours}", "layout": ""}
        for old, new in (("linear_{i}", "linears[{i}]"), ("linear_2", "linear"))
        for name, ours in (("w", "kernel"), ("b", "bias"))
    ]
    + [{"collection": "state", "source": "count", "target": "count", "layout": ""}],
}

SHARDED = """
from flax import linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "model"))
        return nn.Dense(8, kernel_init=init)(x)
"""

FROM_SHARDED = """
from flax import nnx


class Net(nnx.Module):
    def __init__(self, in_features: int, *, rngs: nnx.Rngs):
        init = nnx.with_partitioning(nnx.initializers.lecun_normal(), (None, "model"))
        self.linear = nnx.Linear(in_features, 8, kernel_init=init, rngs=rngs)

    def __call__(self, x):
        return self.linear(x)
"""

SHARDED_NET: dict[str, Any] = {
    **HAIKU_NET,
    "name": "Net",
    "source": "linen",
    "mode_arguments": {},
    "variables": [
        {
            "collection": "params",
            "source": f"Dense_0/{name}",
            "target": f"linear.{name}",
            "layout": "",
        }
        for name in ("kernel", "bias")
    ],
}


@dataclass(frozen=True)
class Damage:
    """A replacement in a correct rewrite, or in its report, and the first rung that must fail."""

    name: str
    old: str
    new: str
    rung: str
    report: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """The rewrite with the damage."""
        assert self.report is not None or NNX.count(self.old) == 1, self.old
        return NNX.replace(self.old, self.new) if self.old else NNX


DAMAGES = [
    Damage("no_import", "from flax import nnx", "from flax import nnxx", "imports"),
    Damage("unknown_name", "nnx.Dropout(0.3,", "nnx.Dropout(rate,", "builds"),
    Damage("crash", "self.dropout = ", "import os; os.abort(); self.dropout = ", "builds"),
    Damage("missing_bias", "features, 3, rngs", "features, 3, use_bias=False, rngs", "parameters"),
    Damage(
        "other_size",
        "nnx.Linear(features, 2 * features",
        "nnx.Linear(2 * features, features",
        "parameters",
    ),
    Damage(
        "swapped_layers",
        "self.linear1(h))\n        h = self.linear2(h)",
        "self.linear2(h))\n        h = self.linear1(h)",
        "eval",
    ),
    Damage("epsilon", "epsilon=1e-6", "epsilon=1e-5", "eval"),
    Damage(
        "transposed_kernel",
        "h = self.linear2(h)",
        "h = h @ self.linear2.kernel[...].T + self.linear2.bias[...]",
        "eval",
    ),
    Damage("dropped_residual", "h = x + h *", "h = h *", "eval"),
    Damage("inverted_flag", "", "", "eval", {"train": {"true": "eval", "false": "train"}}),
    Damage("scan_axis", "h[:, 0], h.swapaxes(0, 1))", "h[0], h)", "eval"),
    Damage("gate_order", "gate, value =", "value, gate =", "eval"),
    Damage("dropped_mask", " * mask[..., None]", "", "eval"),
    Damage("padding", '"SAME"', '"CAUSAL"', "eval"),
    Damage("activation", "nnx.gelu(h)", "nnx.gelu(h, approximate=False)", "eval"),
    Damage("lower_precision", "features, 3, rngs", "features, 3, dtype=jnp.bfloat16, rngs", "eval"),
    Damage("dropout_rate", "nnx.Dropout(0.3,", "nnx.Dropout(0.4,", "train"),
    Damage(
        "stale_statistics",
        "self.batchnorm(h)",
        "self.batchnorm(h, use_running_average=True)",
        "train",
    ),
    Damage("detached_gradient", "self.conv(h)", "self.conv(jax.lax.stop_gradient(h))", "gradients"),
    Damage("momentum", "momentum=0.9", "momentum=0.99", "state"),
    Damage(
        "initialiser_scale",
        "features, 3, rngs",
        "features, 3, kernel_init=nnx.initializers.variance_scaling(1.2, 'fan_in', 'truncated_normal'), rngs",
        "initialisation",
    ),
    Damage(
        "initialiser_kind",
        "features, 3, rngs",
        "features, 3, kernel_init=nnx.initializers.glorot_uniform(), rngs",
        "initialisation",
    ),
    Damage(
        "fixed_key", "features, 3, rngs=rngs", "features, 3, rngs=nnx.Rngs(0)", "initialisation"
    ),
    Damage(
        "more_work",
        "self.conv(h)",
        "self.conv(h) + 1e-30 * jnp.sin(h @ jnp.ones((8, 800))).sum()",
        "cost",
    ),
]


def write_pair(
    folder: Path, module: str, original: str, rewritten: str, entry: Mapping[str, Any], case: str
) -> dict[str, Any]:
    """Puts a module into `folder`/before and `folder`/after, its case into the configuration; its part of the report."""
    for side, text in (("before", original), ("after", rewritten)):
        (folder / side).mkdir(exist_ok=True, parents=True)
        (folder / side / f"{module}.py").write_text(text)
    if case:
        with (folder / "after" / "pyproject.toml").open("a") as file:
            file.write(
                f'[[tool.nnx-codemod.samples]]\nmodule = "{module}:{entry["name"]}"\n{case}\n'
            )
    return {"path": f"{module}.py", "status": "rewritten", "diagnostics": [], "classes": [entry]}


def write_report(folder: Path, files: list[dict[str, Any]]) -> Path:
    """The report of a rewrite of these files."""
    path = folder / "report.json"
    path.write_text(json.dumps({"version": 1, "tool": "0", "files": files}))
    return path
