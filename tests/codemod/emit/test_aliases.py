"""Names for rewritten classes in code that stays and speaks of them in other ways than calling them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp


class Block(nn.Module):
    features: int = 3

    @nn.compact
    def __call__(self, x):
        return nn.relu(nn.Dense(self.features)(x))


class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
        while x.shape[-1] > 2:
            x = nn.Dense(x.shape[-1] - 2)(x)
        LAST


x = jax.random.normal(jax.random.key(1), (4, 6))
model = Model()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(variables, x)).sum()))
"""


@pytest.mark.parametrize(
    "last",
    [
        "return functools.partial(Block, features=4)()(x)",
        "make = Block\n        return make(4)(x)",
        "return {'block': Block}['block'](features=4)(x)",
        "return sum(cls(4)(x) for cls in (Block, Block))",
    ],
)
def test_the_class_as_a_value(last: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("LAST", last))
    assert (done.statuses["Block"], done.statuses["Model"]) == ("rewritten", "bridged")
    assert "LinenBlock = functools.partial(" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    ("given", "status"), [("features=4", "rewritten"), ("features=4, make=self.make", "kept")]
)
def test_what_is_given_a_layer_class_under_another_name(
    given: str, status: str, tmp_path: Path
) -> None:
    """Which framework's layer it must be is not known there."""
    text = PROGRAM.replace(
        "LAST", f"cls = Block if x.ndim else None\n        return cls({given})(x)"
    )
    text = text.replace("features: int = 3", "features: int = 3\n    make: type = nn.Dense")
    text = text.replace("nn.Dense(self.features)", "self.make(self.features)")
    text = text.replace(
        "class Model(nn.Module):", "class Model(nn.Module):\n    make: type = nn.Dense\n"
    )
    done = rewritten(text)
    assert done.statuses["Block"] == status
    check(done, tmp_path)


def test_a_name_that_is_taken_keeps_the_class(tmp_path: Path) -> None:
    text = PROGRAM.replace("LAST", "return functools.partial(Block, features=4)()(x)")
    done = rewritten(text.replace("class Model", "LinenBlock = 3\n\n\nclass Model"))
    assert done.statuses["Block"] == "kept"
    check(done, tmp_path)


def test_another_file_imports_the_name(tmp_path: Path) -> None:
    blocks, rest = PROGRAM.split("class Model", 1)
    program = (
        "import functools\n\nimport flax.linen as nn\nimport jax\nimport jax.numpy as jnp\n\n"
        "from blocks import Block\n\n\nclass Model"
        + rest.replace("LAST", "return functools.partial(Block, features=4)()(x)")
    )
    done = rewritten({"blocks.py": blocks.rstrip() + "\n", "program.py": program})
    assert "from blocks import LinenBlock" in done.after["program.py"]
    assert (done.statuses["Block"], done.statuses["Model"]) == ("rewritten", "bridged")
    check(done, tmp_path)


def test_another_file_reads_the_name_off_the_module(tmp_path: Path) -> None:
    blocks, rest = PROGRAM.split("class Model", 1)
    program = (
        "import functools\n\nimport flax.linen as nn\nimport jax\nimport jax.numpy as jnp\n\n"
        "import parts\n\n\nclass Model"
        + rest.replace("LAST", "return functools.partial(parts.Block, features=4)()(x)")
    )
    done = rewritten({"parts.py": blocks.rstrip() + "\n", "program.py": program})
    assert "functools.partial(parts.LinenBlock, features=4)" in done.after["program.py"]
    assert (done.statuses["Block"], done.statuses["Model"]) == ("rewritten", "bridged")
    check(done, tmp_path)


def test_isinstance_keeps_the_class(tmp_path: Path) -> None:
    last = (
        "block = functools.partial(Block, features=4)()\n"
        "        return block(x) if isinstance(block, Block) else x"
    )
    done = rewritten(PROGRAM.replace("LAST", last))
    assert done.statuses == {"Block": "kept", "Model": "kept"}
    check(done, tmp_path)


def test_an_attribute_of_the_same_name_keeps_it(tmp_path: Path) -> None:
    text = PROGRAM.replace("LAST", "return functools.partial(Block, features=4)()(x)")
    text = text.replace(
        "class Model(nn.Module):\n", "class Model(nn.Module):\n    Block = Block\n\n"
    )
    done = rewritten(text)
    assert (done.statuses["Block"], done.statuses["Model"]) == ("rewritten", "bridged")
    assert "    Block = LinenBlock\n" in done.after["program.py"]
    check(done, tmp_path)
