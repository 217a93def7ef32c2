"""Arguments that an attribute holds as a dict are written into the calls that unpack it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, scale=1.0, name=None):
        super().__init__(name=name)
        HELD

    def __call__(self, x):
        BODY
        return hk.Linear(2, **self.kwargs)(jax.nn.relu(hk.Linear(4, **self.kwargs)(x)))


OTHER


model = hk.without_apply_rng(hk.transform(lambda x: Net()(x)))
x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params = model.init(jax.random.PRNGKey(0), x)
params = jax.tree.map(lambda p: jnp.linspace(-1.0, 1.0, p.size).reshape(p.shape), params)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""
HELD = 'self.kwargs = {"w_init": hk.initializers.Orthogonal(scale), "with_bias": False}'


@pytest.mark.parametrize(
    ("held", "body", "other", "follows"),
    [
        (HELD, "", "", True),
        ("self.kwargs = dict(w_init=hk.initializers.Orthogonal(scale))", "", "", True),
        ("self.kwargs = dict(with_bias=False)", "", "", True),
        (HELD, "x = x * len(self.kwargs)", "", False),
        (HELD, 'self.kwargs["with_bias"] = True', "", False),
        (HELD, "", "def told(net):\n    return len(net.kwargs)", False),
        (
            HELD,
            "",
            'class Wide(Net):\n    def widen(self):\n        self.kwargs["with_bias"] = True',
            False,
        ),
        ("self.kwargs = {**{'with_bias': False}}", "", "", False),
    ],
)
def test_arguments_that_an_attribute_holds(
    held: str, body: str, other: str, follows: bool, tmp_path: Path
) -> None:
    text = PROGRAM.replace("HELD", held).replace("BODY", body).replace("OTHER", other)
    done = rewritten(text)
    assert (done.statuses["Net"] == "rewritten") is follows
    if follows:
        assert "kwargs" not in done.after["program.py"]
        check(done, tmp_path)


def test_attributes_are_named_after_dict_and_argument() -> None:
    text = PROGRAM.replace("HELD", HELD).replace("BODY", "").replace("OTHER", "")
    done = rewritten(text.replace("self.kwargs", "self._out_kwargs"))
    assert "self._out_w_init = orthogonal(scale)" in done.after["program.py"]
