"""Functions that hand back functions that make layers become modules, or stay with what calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.source import Source
from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np


FUNCTION


def forward(x):
    BODY


x = jnp.linspace(-1.0, 1.0, 8).reshape(2, 4)
net = hk.transform(forward)
params = net.init(jax.random.PRNGKey(0), x)
print('RESULT', sum(p.size for p in jax.tree_util.tree_leaves(params)))
print('RESULT', float(jnp.abs(net.apply(params, jax.random.PRNGKey(1), x)).sum()))
"""

LAYER = """
def layer(width, bias=True):
    def layer_fn(x):
        return jax.nn.relu(hk.Linear(width, with_bias=bias)(x)) - hk.Linear(width)(2 * x)

    return layer_fn
"""

WITH_PARAMETER = """
def layer(width):
    def layer_fn(x):
        b = hk.get_parameter('b', [width], init=lambda shape, dtype: jnp.full(shape, 2.0))
        return hk.Linear(width)(x) * b

    return layer_fn
"""


def program(function: str, body: str) -> str:
    text = PROGRAM.replace("FUNCTION", function.strip())
    return text.replace("BODY", body.strip().replace("\n", "\n    "))


@pytest.mark.parametrize(
    ("function", "body"),
    [
        (LAYER, "return layer(5, bias=False)(layer(3)(x))"),
        (LAYER, "return hk.Sequential([layer(5), jnp.tanh, layer(2)])(x)"),
        (LAYER, "last = layer(3)\nx = layer(2)(x)\nreturn last(x)"),
        (LAYER, "for width in (3, 4):\n    x = layer(width)(x)\nreturn x"),
        (LAYER, "return hk.BatchApply(layer(3))(x[None])"),
        (WITH_PARAMETER, "return layer(3)(x)"),
        (
            "def kinds(deep):\n    kind = layer if deep else flat\n\n"
            "    def kinds_fn(x):\n        return kind(3)(jnp.tanh(hk.Linear(4)(x)))\n\n    return kinds_fn\n\n\n"
            "def flat(width):\n    def flat_fn(x):\n        return 2 * hk.Linear(width)(x)\n\n    return flat_fn\n\n\n"
            + LAYER,
            "return kinds(True)(x) - kinds(False)(x)",
        ),
    ],
    ids=["at once", "in turn", "by name", "in a loop", "over batches", "parameter", "chosen"],
)
def test_classes_in_the_place_of_functions(function: str, body: str, tmp_path: Path) -> None:
    done = rewritten(program(function, body))
    assert done.statuses["layer"] == "rewritten"
    assert "def layer(" not in done.after["program.py"]
    assert "haiku" not in done.after["program.py"].replace("haiku_init", "")
    check(done, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "made = layer(3)\nreturn made(x) - made(2 * x)",
        "made = layer(4)\nfor _ in range(2):\n    x = made(x)\nreturn x",
        "made = hk.Sequential([layer(3)])\nreturn made(x) - made(2 * x)",
        "made = layer(3)\ndef inner(x):\n    return made(x)\nreturn inner(x)",
        "return sum(f(x) for f in [layer(3), layer(3)])",
        "kind = layer\nmade = kind(3)\nreturn made(x) - made(2 * x)",
    ],
    ids=["twice", "in a loop", "in turn twice", "inside", "in a list", "by another name"],
)
def test_what_is_called_again_makes_its_layers_again(body: str, tmp_path: Path) -> None:
    check(rewritten(program(LAYER, body)), tmp_path)


@pytest.mark.parametrize(
    ("function", "body"),
    [
        (WITH_PARAMETER, "return layer(4)(layer(4)(x))"),
        (
            WITH_PARAMETER,
            "return layer(4)(x) + hk.get_parameter('b', [4], init=jnp.ones)",
        ),
        (WITH_PARAMETER, "for _ in range(2):\n    x = layer(4)(x)\nreturn x"),
        (
            (
                "def layer(width):\n    scale = np.random.uniform()\n\n    def layer_fn(x):\n"
                "        return hk.Linear(width)(x) * 0.0 * scale\n\n    return layer_fn"
            ),
            "return layer(3)(x)",
        ),
        (
            (
                "def layer(width, **options):\n    def layer_fn(x):\n"
                "        return 2 * hk.Linear(width, **options)(x)\n\n    return layer_fn"
            ),
            "return layer(3, with_bias=False)(x)",
        ),
        (LAYER, "return layer(*[3])(x)"),
        (
            (
                "calls = []\n\n\ndef layer(width):\n    calls.append(width)\n\n    def layer_fn(x):\n"
                "        return len(calls) * hk.Linear(width)(x)\n\n    return layer_fn"
            ),
            "return layer(3)(x)",
        ),
    ],
    ids=["shared", "asked for", "in turn", "draws", "any", "unpacked", "changes"],
)
def test_functions_that_are_no_classes(function: str, body: str, tmp_path: Path) -> None:
    done = rewritten(program(function, body))
    assert "class Layer" not in done.after["program.py"]
    check(done, tmp_path)


NAMES = """
import haiku as hk
import jax
import jax.numpy as jnp
import nets

params = hk.transform(nets.layer(3)).init(jax.random.PRNGKey(0), jnp.ones((2, 4)))
print('RESULT', params['linear']['w'].size)
"""

WHOLE = """
import haiku as hk
import jax
import jax.numpy as jnp
import nets

x = jnp.ones((2, 4))
net = hk.transform(nets.network(3))
params = net.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(net.apply(params, None, x)).sum()))
"""

NETWORK = """
def network(width):
    def net_fn(x):
        return jnp.tanh(layer(width)(layer(width)(x)))

    return net_fn
"""


def test_a_function_whose_variables_are_read_by_name_stays_beside_its_class(tmp_path: Path) -> None:
    nets = f"import haiku as hk\nimport jax\nimport jax.numpy as jnp\n\n{LAYER}\n{NETWORK}"
    for name, text in (("nets.py", nets), ("names.py", NAMES), ("whole.py", WHOLE)):
        (tmp_path / name).write_text(text)
    names = ("nets.py", "names.py", "whole.py")
    outcomes = engine.rewrite([Source(tmp_path / name) for name in names], Options())
    texts = {Path(o.report.path).name: o.new_text for o in outcomes}
    new = texts["nets.py"]
    assert new is not None and LAYER.strip() in new
    assert "class Layer(nnx.Module)" in new and "class Network(nnx.Module)" in new
    assert texts["names.py"] is None
    assert texts["whole.py"] is not None and "haiku" not in texts["whole.py"]


TAKEN_APART = """
import haiku as hk
import jax
import jax.numpy as jnp


def network(width):
    def net_fn(x):
        return jnp.tanh(hk.Linear(width)(jnp.tanh(hk.Linear(width)(x))))

    return net_fn


class Agent:
    def __init__(self, network, x):
        self.network = network
        self.params = network.init(jax.random.PRNGKey(0), x)

    def frozen(self):
        return hk.data_structures.partition(lambda m, n, p: m == 'linear_1', self.params)


x = jnp.ones((2, 4))
frozen, rest = Agent(hk.transform(network(3)), x).frozen()
print('RESULT', len(jax.tree_util.tree_leaves(frozen)))
"""


def test_trees_that_are_taken_apart_by_names_keep_what_makes_them(tmp_path: Path) -> None:
    done = rewritten(TAKEN_APART)
    assert done.after["program.py"] == TAKEN_APART
