"""Distances between arrays, and distributions of initial values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnx_codemod.codemod.parity import initialisation
from nnx_codemod.codemod.parity.child.carry import Pair
from nnx_codemod.codemod.parity.errors import Distance, distance
from nnx_codemod.codemod.parity.ladder import Measured, cost, numeric

ONES = np.ones(4, np.float32)


def test_distance_is_relative_to_the_greatest_number() -> None:
    found = distance([100 * ONES], [100 * ONES + np.float32(0.001)])
    assert found.error == pytest.approx(1e-5, rel=1e-2)
    assert not found.double and not found.problem
    assert sum(found.histogram.values()) == 4


def test_small_arrays_are_measured_by_the_others() -> None:
    assert distance([ONES, 1e-9 * ONES], [ONES, -1e-9 * ONES]).error < 1e-5


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([ONES], [ONES[:3]], "output 0 has shape (4,) before, (3,) after"),
        ([ONES], [ONES, ONES], "1 arrays before, 2 after"),
    ],
)
def test_what_does_not_fit(before: list[Any], after: list[Any], words: str) -> None:
    assert distance(before, after).problem == words


def test_nan_is_equal_to_nan_alone() -> None:
    nan = np.array([np.nan, 1.0])
    assert distance([nan], [nan]).error == 0 and distance([nan], [nan]).undefined
    assert distance([np.ones(2)], [nan]).error == np.inf


def test_integers_are_equal_or_not() -> None:
    assert distance([np.array([1, 2])], [np.array([1, 3])]).error == 1
    assert distance([np.array([True])], [np.array([True])]).error == 0


@pytest.mark.parametrize(
    ("single", "double", "status"),
    [
        (1e-7, 1e-15, "pass"),
        (3e-4, 1e-13, "pass"),  # rounding
        (5e-6, 5e-6, "fail"),  # too small for float32 to tell
        (0.0, 5e-6, "pass"),  # equal bit for bit: compiled otherwise in float64
        (0.0, 5e-3, "fail"),
        (0.5, 1e-15, "fail"),  # no rounding is as great
        (1e-7, None, "pass"),
        (3e-4, None, "fail"),
        (1e-7, np.inf, "pass"),  # NaN in float64 alone
    ],
)
def test_float64_tells_rounding_from_error(
    single: float, double: float | None, status: str
) -> None:
    second = None if double is None else Distance(double)
    assert numeric("eval", Distance(single), second).status == status


@pytest.mark.parametrize(
    ("layout", "bytes_after", "status"),
    [("", 2000.0, "pass"), ("", 90000.0, "fail"), ("v.reshape(shape)", 90000.0, "pass")],
)
def test_weights_that_lie_otherwise_may_be_copied(
    layout: str, bytes_after: float, status: str
) -> None:
    def facts(number: float) -> dict[str, Any]:
        each = {"flops": 100.0, "bytes": number}
        return {"errors": {}, "cost": {"forward": each, "gradient": each}, "problems": ["", ""]}

    after = {"initial:w": np.zeros((32, 4, 32), np.float32)}
    pairs = [[Pair("w", ("params:w",), layout)], []]
    measured = Measured(facts(1000.0), facts(bytes_after), {}, after, pairs)
    rung = cost(measured)
    assert rung.status == status
    assert bool(rung.why) is (bytes_after > 9000)


# ---- initialisation ------------------------------------------------------------------------------------

PAIRS = [Pair("a", ("params:a",)), Pair("b", ("params:b",))]


def drawn(scale: float = 1.0, kind: str = "normal", seed: int = 0) -> dict[str, Any]:
    """Initial values of two parameters: one draw made equal on both sides, and a row for each key."""
    draws = np.random.default_rng(seed)
    rows = (
        draws.standard_normal((64, 8, 4))
        if kind == "normal"
        else draws.uniform(-(3**0.5), 3**0.5, (64, 8, 4))
    )
    equal = np.random.default_rng(9).standard_normal((8, 4))
    return {"initial": scale * equal if kind == "normal" else rows[0], "drawn": scale * rows}


def judged(a: dict[str, Any], b: dict[str, Any]) -> tuple[str, str]:
    """The rung where the original's parameter is drawn like `a` and the rewrite's like `b`, beside a constant one."""
    sides = []
    for side, names in ((a, ("params:a", "params:b")), (b, ("a", "b"))):
        arrays = {f"{kind}:{names[0]}": side[kind] for kind in ("initial", "drawn")}
        arrays |= {f"initial:{names[1]}": np.zeros(3), f"drawn:{names[1]}": np.zeros((64, 3))}
        sides.append(arrays)
    rung = initialisation.rung(sides[0], sides[1], PAIRS)
    return rung.status, rung.why or rung.figure


def test_equal_draws() -> None:
    assert judged(drawn(), drawn(seed=1)) == ("pass", "2 of 2 equal draw by draw")


def test_other_draws_of_the_same_distribution() -> None:
    other = {**drawn(seed=1), "initial": drawn(seed=2)["drawn"][0]}
    assert judged(drawn(), other)[0] == "pass"


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        (drawn(1.01, seed=1), "1.01 times"),
        (drawn(2.0, seed=1), "another variance"),
        (drawn(kind="uniform", seed=1), "another kurtosis"),
        ({"initial": np.zeros((8, 4)), "drawn": np.zeros((64, 8, 4))}, "constant"),
        ({**drawn(), "drawn": np.repeat(drawn()["drawn"][:1], 64, axis=0)}, "every key"),
        ({**drawn(), "drawn": np.repeat(drawn()["drawn"][:, :1], 8, axis=1)}, "first axis"),
    ],
)
def test_other_distributions(damaged: dict[str, Any], words: str) -> None:
    status, why = judged(drawn(), damaged)
    assert status == "fail" and words in why
