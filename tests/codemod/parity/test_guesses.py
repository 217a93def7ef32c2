"""Modules that are not built with what the search made up."""

from __future__ import annotations

import pytest

from nnx_codemod.codemod.parity.rungs import Climb, Rung
from nnx_codemod.codemod.parity.verify import _without_guess


@pytest.mark.parametrize(
    ("origin", "core", "status"),
    [
        ("search", "py:nn.LayerNorm", "not run"),
        ("search", 8, "fail"),
        ("configuration", "py:nn.LayerNorm", "fail"),
    ],
)
def test_a_guessed_layer_is_no_alarm(origin: str, core: object, status: str) -> None:
    climb = Climb("net.py", "Net", "linen")
    climb.case = {"origin": origin, "kwargs": {"core": core}}
    climb.add(Rung("builds", "fail", "fails", "no `out_features`"))
    found = _without_guess(climb)
    assert found.status == status
    assert all("no `out_features`" in rung.why for rung in found.rungs[:1])
