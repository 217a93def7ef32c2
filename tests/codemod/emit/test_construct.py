"""Constructor calls: flags that only a call knows, and arguments that come in dicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp

COMMON = dict(use_bias=False, kernel_init=nn.initializers.normal(0.5))
CONV = {'kernel_size': (3,), 'padding': 'VALID'}


class Net(nn.Module):
    width: int = 4

    @nn.compact
    def __call__(self, x, train: bool):
        BODY


x = jax.random.normal(jax.random.key(0), (4, 6))
model = Net()
variables = model.init(jax.random.key(1), x, train=False)
print('RESULT', float(jnp.abs(model.apply(variables, x, train=False)).sum()))
rngs = {'dropout': jax.random.key(2)}
out, _ = model.apply(variables, x, train=True, rngs=rngs, mutable=['batch_stats'])
print('RESULT', float(jnp.abs(out).sum()))
"""


def program(*lines: str) -> str:
    return PROGRAM.replace("BODY", "\n        ".join(lines))


FLAGS = (
    "x = nn.BatchNorm(use_running_average=not train)(x)",
    "x = nn.Dense(self.width)(x)",
    "x = nn.Dropout(0.5, deterministic=not train)(x)",
)


def test_a_flag_that_is_kept_goes_to_the_call(tmp_path: Path) -> None:
    done = rewritten(program(*FLAGS, "return x"), Options(mode_flags="keep"))
    text = done.after["program.py"]
    assert "use_running_average=not train)" in text and "deterministic=not train)" in text
    assert ".eval()" not in text
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


def test_a_flag_with_another_use_goes_to_the_call(tmp_path: Path) -> None:
    done = rewritten(program(*FLAGS, "return x + 1.0 if train else x"))
    assert done.statuses == {"Net": "rewritten"}
    assert "train: bool" in done.after["program.py"]
    check(done, tmp_path)


def test_a_flag_that_only_says_the_mode_goes(tmp_path: Path) -> None:
    done = rewritten(program(*FLAGS, "return x"))
    text = done.after["program.py"]
    assert "train=" not in text and "deterministic" not in text
    assert "model.eval()" in text and "model.train()" in text
    check(done, tmp_path)


@pytest.mark.parametrize(
    "lines",
    [
        ("return nn.Dense(self.width, **COMMON)(x)",),
        ("return nn.Dense(**COMMON, features=3)(x)",),
        ("return nn.Conv(self.width, **CONV)(x[..., None])",),
        ("more = dict(use_bias=False)", "return nn.Dense(self.width, **more)(x)"),
        ("more = {'features': 5, 'use_bias': False}", "return nn.Dense(**more)(x)"),
    ],
)
def test_arguments_that_come_in_a_dict(lines: tuple[str, ...], tmp_path: Path) -> None:
    done = rewritten(program(*lines))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


def test_a_dict_that_means_something_else_is_written_out(tmp_path: Path) -> None:
    line = "return nn.Einsum(**dict(shape=(6, 3), einsum_str='ab,bc->ac'))(x)"
    check(rewritten(program(line)), tmp_path)


CHOSEN = """
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    kind: str = 'batch'

    @nn.compact
    def __call__(self, x, train: bool = False):
        if self.kind == 'batch':
            norm = functools.partial(nn.BatchNorm, use_running_average=not train)
        else:
            norm = nn.LayerNorm
        return norm(name='last')(nn.Dense(3)(x))


print(Net().init(jax.random.key(0), jnp.ones((2, 3))))
"""


def test_a_flag_of_only_some_layers_is_not_lost_for_a_bridge() -> None:
    assert rewritten(CHOSEN).statuses == {"Net": "kept"}


def test_more_by_position_than_a_partial_holds_by_position() -> None:
    lines = ("conv = functools.partial(nn.Conv, 4)", "return conv((3,))(x)")
    text = program(*lines).replace("import jax\n", "import functools\n\nimport jax\n", 1)
    assert rewritten(text).statuses == {"Net": "kept"}
