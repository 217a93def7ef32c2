"""Sizes of several runs turned back into formulas."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nnx_codemod.codemod.parity.fit import Experiment, Number
from nnx_codemod.codemod.shapes.traced import Factor, Formula, Rows, Variable

LENGTH, WIDTH = Variable("x", "__call__", 1, 3), Variable("x", "__call__", 2, 3)
FIELD = Variable("features")
NUMBERS = [Number(LENGTH, 8, True), Number(WIDTH, 8, True), Number(FIELD, 6, True)]
RUNS = [{}, {0: 16}, {0: 9}, {1: 16}, {1: 24}, {2: 12}, {2: 18}, {0: 16, 1: 16, 2: 12}]


def explained(
    size: Callable[[int, int, int], int], more: list[Number] | None = None
) -> Formula | None:
    """What the experiment makes of a size that depends on length, width and field."""
    numbers = [*NUMBERS, *(more or [])]
    experiment = Experiment(numbers, [[0], [1], [2]], RUNS)
    return experiment.explain([size(r.get(0, 8), r.get(1, 8), r.get(2, 6)) for r in RUNS])


def one(*factors: Factor, times: int = 1, plus: int = 0) -> Formula:
    return Formula(((times, factors),), plus)


@pytest.mark.parametrize(
    ("size", "formula"),
    [
        (lambda n, w, f: w, one(Factor(WIDTH))),
        (lambda n, w, f: f, one(Factor(FIELD))),
        (lambda n, w, f: 64, Formula(constant=64)),
        (lambda n, w, f: 2 * f, one(Factor(FIELD), times=2)),
        (lambda n, w, f: 2 * f + 1, one(Factor(FIELD), times=2, plus=1)),
        (lambda n, w, f: n * w, one(Factor(LENGTH), Factor(WIDTH))),
        (lambda n, w, f: w + f, Formula(((1, (Factor(WIDTH),)), (1, (Factor(FIELD),))))),
        (
            lambda n, w, f: -(-n // 2) * w * 3,
            one(Factor(LENGTH, by=2, up=True), Factor(WIDTH), times=3),
        ),
        (lambda n, w, f: n // 2, one(Factor(LENGTH, by=2))),
        (
            lambda n, w, f: n * w // f,
            Formula(((1, (Factor(LENGTH), Factor(WIDTH))),), over=(Factor(FIELD),)),
        ),
    ],
)
def test_formula(size: Callable[[int, int, int], int], formula: Formula) -> None:
    assert explained(size) == formula


@pytest.mark.parametrize(
    "size", [lambda n, w, f: n * n, lambda n, w, f: max(n, f), lambda n, w, f: w**2 + f]
)
def test_what_no_formula_gives_is_not_explained(size: Callable[[int, int, int], int]) -> None:
    assert explained(size) is None


def test_a_constant_may_hide_what_was_not_varied() -> None:
    """A name of a size, "large", say, may be behind the 64; a width that moves with an axis is that axis."""
    variant = Number(None, None, False)
    assert explained(lambda n, w, f: 64, [variant]) is None
    assert explained(lambda n, w, f: 4 * w, [variant]) is None
    assert explained(lambda n, w, f: w, [variant]) == one(Factor(WIDTH))


def test_what_depends_on_a_flag_is_not_explained() -> None:
    experiment = Experiment(
        [*NUMBERS[:1], Number(None, False, False)], [[0], [1]], [{}, {0: 16}, {1: True}]
    )
    assert experiment.explain([8, 16, 24]) is None
    assert experiment.explain([8, 16, 8]) == one(Factor(LENGTH))


def test_sizes_that_change_together_go_by_the_input() -> None:
    experiment = Experiment(
        [NUMBERS[1], NUMBERS[2]], [[0, 1]], [{}, {0: 16, 1: 16}, {0: 24, 1: 24}]
    )
    assert experiment.explain([8, 16, 24]) == one(Factor(WIDTH))


def test_sizes_that_no_formula_gives_go_by_what_they_depend_on() -> None:
    numbers = [
        Number(WIDTH, 8, True, "x.shape[-1]"),
        Number(FIELD, 6, True, "self.features"),
        Number(None, 1.5, False, "self.ratio"),
    ]
    runs = [{}, {0: 16}, {1: 12}, {2: 3.0}, {0: 16, 1: 12}]
    experiment = Experiment(numbers, [[0], [1], [2]], runs)
    sizes = [16, 24, 16, 24, 24]
    assert experiment.explain(sizes) is None
    known = (((8, 1.5), 16), ((16, 1.5), 24), ((8, 3.0), 24))
    assert experiment.rows(sizes) == Rows(("x.shape[-1]", "self.ratio"), known)
    assert experiment.rows([16, 24, 16, 24, 32]) is None  # the same case, and another size


def test_what_may_depend_on_more_has_no_rows() -> None:
    numbers = [Number(WIDTH, 8, True, "x.shape[-1]"), Number(None, None, False, "self.inner")]
    assert Experiment(numbers, [[0]], [{}, {0: 16}, {0: 24}]).rows([3, 5, 4]) is None


def test_a_size_that_is_not_given_may_stand_behind_others() -> None:
    doubtful = Number(None, None, False, "self.width", may_be_size=True)
    assert explained(lambda n, w, f: w, [Number(None, None, False, "self.mask")]) is not None
    assert explained(lambda n, w, f: w, [doubtful]) is None
