"""Cases that the code shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnx_codemod.codemod.parity.sites import add_cases
from nnx_codemod.codemod.parity.subjects import Subject, place_of

MODEL = "from flax import linen as nn\nWIDTH = 8\nclass Net(nn.Module):\n  features: int\n"


def cases(
    tmp_path: Path, code: str, source: str = "linen", name: str = "Net", model: str = MODEL
) -> list[dict[str, Any]]:
    """The cases of the class in model.py, as main.py shows them."""
    files = {Path("model.py"): model.encode(), Path("main.py"): code.encode()}
    for path, data in files.items():
        (tmp_path / path).write_bytes(data)
    entry = {"name": name, "source": source}
    subject = Subject(Path("model.py"), entry, place_of(Path("model.py"), tmp_path))
    add_cases([subject], files, tmp_path)
    return subject.cases


HEAD = "import jax\nimport jax.numpy as jnp\nfrom model import Net\n"


@pytest.mark.parametrize(
    ("code", "kwargs", "inputs"),
    [
        (
            (
                "if __name__ == '__main__':\n  x = jnp.ones((2, 4))\n  m = Net(features=3)\n"
                "  m.init(jax.random.key(0), x)"
            ),
            {"features": 3},
            ["py:load('jax.numpy').ones((2, 4))"],
        ),
        (
            "m = Net(features=3)\nm.init(jax.random.key(0), jnp.ones((2, 4)))",
            {"features": 3},
            ["py:load('jax.numpy').ones((2, 4))"],
        ),
        (
            "N = 5\ndef main():\n  x = jnp.zeros((N, 2))\n  Net(features=N).init({'params': 0}, x)",
            {"features": 5},
            ["py:load('jax.numpy').zeros((5, 2))"],
        ),
        (
            "def test():\n  model = Net(features=2 * 4)\n  return model.init(rngs=1, x=2)",
            {"features": "py:2 * 4"},
            [],
        ),
    ],
)
def test_a_construction_and_its_init(
    tmp_path: Path, code: str, kwargs: dict[str, Any], inputs: list[Any]
) -> None:
    (case,) = cases(tmp_path, HEAD + code)
    assert case["origin"] == "code"
    assert (case["kwargs"], case["inputs"]) == (kwargs, inputs)
    assert "rngs" not in case["call"]


@pytest.mark.parametrize(
    "code",
    [
        "def f(width):\n  return Net(features=width)",
        "for width in (1, 2):\n  Net(features=width)",
        "w, v = 1, 2\nNet(features=w)",
        "Net(**settings)",
        "Net(features=[w for w in range(3)][0])",
    ],
)
def test_what_is_not_known_gives_no_case(tmp_path: Path, code: str) -> None:
    assert cases(tmp_path, HEAD + code) == []


def test_inputs_that_are_not_known_are_left_to_the_search(tmp_path: Path) -> None:
    (case,) = cases(tmp_path, HEAD + "def f(x):\n  m = Net(features=3)\n  return m.init(0, x)")
    assert (case["kwargs"], case["inputs"]) == ({"features": 3}, None)


def test_a_name_of_another_module_is_none_of_ours(tmp_path: Path) -> None:
    assert cases(tmp_path, "from other import Net\nNet(features=3)") == []


def test_partial_constructions(tmp_path: Path) -> None:
    code = HEAD + "from functools import partial\nSmall = partial(Net, features=2)"
    (case,) = cases(tmp_path, code)
    assert (case["kwargs"], case["inputs"]) == ({"features": 2}, None)


def test_a_transformed_function(tmp_path: Path) -> None:
    code = "import haiku as hk\nimport jax.numpy as jnp\nfrom model import net\n"
    code += "f = hk.transform(net)\nf.init(0, jnp.ones(3), is_training=True)"
    (case,) = cases(tmp_path, code, "haiku-function", "net", "def net(x, is_training): pass\n")
    assert case["inputs"] == ["py:load('jax.numpy').ones(3)"]
    assert case["call"] == {"is_training": True}
