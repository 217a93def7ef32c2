"""Layers made ready at the top of a file, for classes that are rewritten and for such that stay."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODULES = """
import functools

import flax.linen as nn

Wide = functools.partial(nn.Conv, kernel_size=(3, 3))
Narrow = functools.partial(nn.Conv, kernel_size=(1, 1))


class Follows(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return Wide(self.width)(x)


class Stays(nn.Module):
    @nn.compact
    def __call__(self, x):
        while x.shape[-1] > 2:
            x = LAYER(x.shape[-1] - 2)(x)
        return x
"""


def test_each_class_has_a_layer_of_its_framework() -> None:
    done = rewritten(MODULES.replace("LAYER", "Narrow"))
    text = done.after["program.py"]
    assert done.statuses == {"Follows": "rewritten", "Stays": "kept"}
    assert "Wide = functools.partial(nnx.Conv, kernel_size=(3, 3))" in text
    assert "Narrow = functools.partial(nn.Conv, kernel_size=(1, 1))" in text
    assert "jnp" not in text


def test_classes_on_either_side_have_one_each() -> None:
    done = rewritten(MODULES.replace("LAYER", "Wide"))
    text = done.after["program.py"]
    assert done.statuses == {"Follows": "rewritten", "Stays": "kept"}
    assert "\nWide = functools.partial(nnx.Conv, kernel_size=(3, 3))\n" in text
    assert "\nLinenWide = functools.partial(nn.Conv, kernel_size=(3, 3))\n" in text
    assert "x = LinenWide(x.shape[-1] - 2)(x)" in text


@pytest.mark.parametrize(
    "more",
    [
        "LinenWide = 1",
        "def double(x):\n    return Wide(2 * x.shape[-1])(x)",
        "Wider = functools.partial(Wide, strides=2)",
    ],
)
def test_a_class_that_shares_one_with_a_class_that_stays_stays(more: str) -> None:
    """Other code reads it, or its second name is taken."""
    text = f"{MODULES.replace('LAYER', 'Wide')}\n\n{more}\n"
    assert rewritten(text).after["program.py"] == text


def test_a_class_of_another_file(tmp_path: object) -> None:
    top, rest = MODULES.replace("LAYER", "Wide").split("class Stays")
    other = "import flax.linen as nn\n\nfrom layers import Wide as W\n\n\nclass Stays" + rest
    done = rewritten({"layers.py": top, "other.py": other.replace("Wide(x", "W(x")})
    assert done.statuses == {"Follows": "kept", "Stays": "kept"}


HAIKU = """
import functools

import haiku as hk

Norm = functools.partial(hk.LayerNorm, axis=-1, create_scale=True, create_offset=True)


class Follows(hk.Module):
    def __call__(self, x):
        return Norm()(x)
"""

USED_IN_HAIKU = """

def forward(x):
    with hk.custom_getter(lambda getter, value, context: getter(value)):
        return Norm()(x)
"""


def test_a_layer_of_haiku_has_the_arguments_of_nnx() -> None:
    done = rewritten(HAIKU)
    text = done.after["program.py"]
    assert done.statuses == {"Follows": "rewritten"}
    assert "Norm = functools.partial(nnx.LayerNorm, epsilon=1e-5, use_fast_variance=False)" in text


def test_a_layer_that_haiku_still_makes_keeps_its_class() -> None:
    done = rewritten(HAIKU + USED_IN_HAIKU)
    assert done.statuses["Follows"] == "kept"
    assert "functools.partial(hk.LayerNorm" in done.after["program.py"]
