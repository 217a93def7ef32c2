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


TYPES = """
import haiku as hk


class Recurrent(hk.Module):
    def __call__(self, x, state: hk.LSTMState):
        y, state = hk.LSTM(4)(x, state)
        return hk.Linear(3)(y), state
OTHER

def run(params: hk.Params, x, program) -> hk.LSTMState:
    return program.apply(params, x)
"""
STAYS = """

class Stays(hk.Module):
    def __call__(self, x):
        return hk.Linear(int(x.sum()))(x)

"""


def test_types_of_programs_go_with_the_last_of_haiku() -> None:
    after = rewritten(TYPES.replace("OTHER", "")).after["program.py"]
    assert "def run(params: nnx.State, x, program) -> LSTMState:" in after
    done = rewritten(TYPES.replace("OTHER", STAYS))
    assert done.statuses == {"Recurrent": "rewritten", "Stays": "kept"}
    assert "def run(params: hk.Params, x, program) -> hk.LSTMState:" in done.after["program.py"]
    assert "def __call__(self, x, state: LSTMState):" in done.after["program.py"]
