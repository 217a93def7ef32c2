"""Functions that return Haiku's transform of one module."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def __call__(self, x):
        return hk.Linear(self.width)(x)


def make_net(width):
    def forward(x):
        return Net(width)(x)

RETURNED


x = jnp.ones((2, 3))
USE
print("RESULT", float(net.apply(params, None, x).sum()))
"""

PLAIN = "    return hk.transform(forward)"
CALLED = "net = make_net(4)\nparams = net.init(jax.random.PRNGKey(0), x)"


@pytest.mark.parametrize(
    "returned",
    [
        PLAIN,
        "    net = hk.transform(forward)\n    return net",
        "    width = 2 * width\n    return hk.transform(lambda x: Net(width)(x))",
    ],
)
def test_the_function_returns_the_module(returned: str, tmp_path: Path) -> None:
    source = PROGRAM.replace("RETURNED", returned).replace("USE", CALLED)
    if "lambda" in returned:
        source = source.replace("    def forward(x):\n        return Net(width)(x)\n\n", "")
    done = rewritten(source)
    assert done.statuses == {"Net": "rewritten"}
    assert "def make_net(in_features: int, width, *, rngs: nnx.Rngs):" in done.after["program.py"]
    assert "haiku" not in done.after["program.py"].replace("haiku_init", "")
    check(done, tmp_path)


@pytest.mark.parametrize(
    ("returned", "use"),
    [
        ("    return hk.transform(forward), forward", CALLED.replace("net =", "net, _ =")),
        (PLAIN, CALLED.replace("make_net(4)", "[f(4) for f in (make_net,)][0]")),
        ("    assert callable(forward)\n" + PLAIN, CALLED),
    ],
)
def test_a_transform_that_goes_elsewhere_stays(returned: str, use: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("RETURNED", returned).replace("USE", use))
    assert "def make_net(width):" in done.after["program.py"]
    check(done, tmp_path)


OTHER = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, width, name=None):
        super().__init__(name=name)
        self.layer = hk.Linear(width, name="layer")

    def __call__(self, x):
        return self.layer(x)


x = jnp.ones((2, 3))
one = hk.without_apply_rng(hk.transform(lambda x: Net(4)(x)))
other = hk.without_apply_rng(hk.transform(FUNCTION))
params = one.init(jax.random.PRNGKey(0), x)
print("RESULT", float(one.apply(params, x).sum()), float(other.apply(params, x).sum()))
"""


@pytest.mark.parametrize("function", ["lambda x: 2 * Net(4)(x)", "lambda x: Net(width=4)(x) + 1"])
def test_parameters_for_another_function_are_not_its_model(function: str, tmp_path: Path) -> None:
    done = rewritten(OTHER.replace("FUNCTION", function))
    assert "other.apply(params, x)" in done.after["program.py"]
    check(done, tmp_path)


FORWARD = """
import haiku as hk
import jax
import jax.numpy as jnp


def make_forward(width):
    def forward(x):
        return jnp.tanh(hk.Linear(width)(x))

    return forward


def twice(x):
    return make_forward(3)(make_forward(4)(x))


x = jnp.ones((2, 3))
net = hk.transform(make_forward(5))
params = net.init(jax.random.PRNGKey(0), x)
print("RESULT", float(net.apply(params, None, x).sum()))
"""

NESTED = """
nested = hk.transform(twice)
params = nested.init(jax.random.PRNGKey(0), x)
print("RESULT", float(nested.apply(params, None, x).sum()))
"""


def test_the_function_for_a_transform_becomes_its_module(tmp_path: Path) -> None:
    done = rewritten(
        FORWARD.replace("def twice(x):\n    return make_forward(3)(make_forward(4)(x))\n", "")
    )
    assert "net = make_forward(x.shape[-1], 5, rngs=nnx.Rngs(0))" in done.after["program.py"]
    check(done, tmp_path)


def test_others_that_call_the_function_make_its_module(tmp_path: Path) -> None:
    done = rewritten(FORWARD + NESTED)
    after = done.after["program.py"]
    assert "    return Forward(in_features, width, rngs=rngs)" in after
    assert "        return self.forward2(self.forward1(x))" in after
    check(done, tmp_path)


def test_defaults_of_the_function_are_not_those_of_the_module(tmp_path: Path) -> None:
    source = FORWARD.replace(
        "    def forward(x):\n        return jnp.tanh(hk.Linear(width)(x))\n",
        "    def forward(x, scale=2.0):\n        return Scaled(width)(x, scale)\n",
    )
    scaled = """
class Scaled(hk.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = hk.Linear(width)

    def __call__(self, x, scale=1.0):
        return scale * self.layer(x)


def make_forward"""
    source = source.replace("\ndef make_forward", scaled, 1)
    check(rewritten(source), tmp_path)


REORDERED = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __call__(self, x, SIGNATURE):
        return hk.Linear(3)(x) * BODY


net = hk.without_apply_rng(hk.transform(lambda x, shift, scale: Net()(x, shift=shift, scale=scale)))
x = jax.random.normal(jax.random.PRNGKey(1), (2, 5))
params = net.init(jax.random.PRNGKey(0), x, 2.0, 3.0)
print('RESULT', float(jnp.abs(net.apply(params, x, 2.0, 3.0)).sum()))
"""


@pytest.mark.parametrize(
    ("signature", "body", "told"),
    [
        ("shift, scale", "scale + shift", False),
        ("scale, shift", "scale + shift", True),
        ("**given", "given['scale'] + given['shift']", True),
    ],
)
def test_arguments_that_are_handed_on_by_name_keep_their_names(
    signature: str, body: str, told: bool, tmp_path: Path
) -> None:
    done = rewritten(REORDERED.replace("SIGNATURE", signature).replace("BODY", body))
    assert done.statuses["Net"] == "rewritten"
    assert bool(done.outcomes["program.py"].report.diagnostics) == told
    check(done, tmp_path)
