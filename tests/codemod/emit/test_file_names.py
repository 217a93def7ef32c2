"""How calls of library functions are written."""

from __future__ import annotations

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import flax.linen as nn


def attend(query, key, value, options, everything):
    return CALL
"""


def _written(call: str) -> str:
    after = rewritten(PROGRAM.replace("CALL", call)).after["program.py"]
    return after.partition("    return ")[2].rstrip("\n")


def test_a_call_keeps_its_layout() -> None:
    call = "nn.dot_product_attention(\n        query, key,\n        value,  # as they are\n        mask=None,\n    )"
    assert _written(call) == f"nnx{call[2:]}"


def test_a_call_whose_arguments_are_not_told_stays() -> None:
    for call in (
        "nn.dot_product_attention(query, key, value, **options)",
        "nn.dot_product_attention(*everything)",
    ):
        assert _written(call) == call
