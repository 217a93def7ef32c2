"""Haiku modules whose constructors a dataclass makes."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODULE = """
import dataclasses

import haiku as hk
import jax


@dataclasses.dataclassARGUMENTS
class Net(hk.Module):
    FIELDS

    def __call__(self, x: jax.Array) -> jax.Array:
        return hk.Linear(self.width)(x)
"""


def module(fields: str, arguments: str = "") -> str:
    return MODULE.replace("ARGUMENTS", arguments).replace("FIELDS", fields)


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ("width: int", "in_features: int, width: int"),
        ("width: int = 3", "in_features: int, width: int = 3"),
        ("width: int\n    name: str | None = None", "in_features: int, width: int"),
        ("_: dataclasses.KW_ONLY\n    width: int", "in_features: int, *, width: int"),
    ],
)
def test_fields_become_parameters(fields: str, parameters: str) -> None:
    text = rewritten(module(fields)).after["program.py"]
    assert f"def __init__(self, {parameters}, " in text
    assert "dataclass" not in text.split("class Net")[0].split("import jax")[1]


def test_comments_of_fields_stay_beside_the_parameters() -> None:
    text = rewritten(module("# How wide.\n    width: int  # at least 1")).after["program.py"]
    assert "# How wide.\n        width: int,  # at least 1\n" in text


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ("width: int = dataclasses.field(default=3)", ""),
        ("width: int", "(init=False)"),
        ("width: int\n\n    def __post_init__(self):\n        self.width += 1", ""),
    ],
)
def test_a_constructor_that_does_more_stays(fields: str, arguments: str) -> None:
    source = module(fields, arguments)
    assert rewritten(source).after["program.py"] == source
