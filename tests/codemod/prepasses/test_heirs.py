"""Haiku modules that inherit from a layer."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODULE = """
import haiku as hk
import jax
import jax.numpy as jnp


class Own(hk.BASE):
BODY


class Net(hk.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return Own(ARGUMENTS)(x)
"""


def module(base: str, body: str, arguments: str) -> str:
    return MODULE.replace("BASE", base).replace("BODY", body).replace("ARGUMENTS", arguments)


CALL = """
    def __call__(self, x):
        return super().__call__(x) * self.{}
"""
CONSTRUCTOR = """
    def __init__(self, width, name=None):
        super().__init__(width, name=name)
        {}
"""


def test_what_the_layer_keeps_of_its_arguments_is_set_by_the_class() -> None:
    text = rewritten(module("Linear", CALL.format("output_size"), "3")).after["program.py"]
    assert "self.output_size = output_size\n" in text
    assert "return self.linear(x) * self.output_size" in text


def test_a_constructor_has_the_parameters_that_calls_give() -> None:
    text = rewritten(module("Linear", CALL.format("output_size"), "3, with_bias=False")).after
    assert (
        "def __init__(self, in_features: int, output_size, with_bias=True, *,"
        in (text["program.py"])
    )


def test_a_layer_that_is_called_as_it_is() -> None:
    text = rewritten(module("LayerNorm", '    """Over features."""', "-1, True, True")).after
    assert (
        "def __call__(self, inputs):\n        return self.layer_norm(inputs)"
        in (text["program.py"])
    )


@pytest.mark.parametrize(
    ("base", "body"),
    [
        ("Linear", CALL.format("input_size")),
        ("Linear", CONSTRUCTOR.format("self.w_init = jnp.ones")),
        ("Linear", CONSTRUCTOR.format("register(self)")),
        ("Linear", "    def __init__(self, *args):\n        super().__init__(*args)"),
        ("MultiHeadAttention", CALL.format("num_heads").replace("super()", "super().copy()")),
        ("LSTM", "    pass"),
        ("Unheard", "    pass"),
    ],
)
def test_what_is_not_known_stays(base: str, body: str) -> None:
    source = module(base, body, "3")
    assert rewritten(source).after["program.py"] == source


def test_layers_inside_of_a_layer_that_is_called_twice_are_made_twice() -> None:
    body = "    def __call__(self, x):\n        return super().__call__(x, x, x) + super().__call__(x, x, x)"
    source = module("MultiHeadAttention", body, "2, 3, w_init=jnp.ones")
    assert rewritten(source).after["program.py"] == source


@pytest.mark.parametrize(
    ("body", "called"),
    [
        ("up = self.up\n        return up(up(x))", "self.up2(self.up1(x))"),
        ("return self.up(x)", "self.up(x)"),
    ],
)
def test_transparent_methods_make_their_layers_anew_for_each_call(body: str, called: str) -> None:
    source = module(
        "Linear",
        f"""
    @hk.transparent
    def up(self, x):
        return hk.Linear(self.output_size, name="up")(x)

    def __call__(self, x):
        {body}
""",
        "4",
    )
    after = rewritten(source).after["program.py"]
    assert "class Own(nnx.Module)" in after
    assert f"return {called}" in after
