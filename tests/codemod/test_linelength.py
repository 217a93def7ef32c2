"""The line length that files keep to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.linelength import kept_to
from nnx_codemod.codemod.source import Source


def of_lengths(lengths: Sequence[int], name: str = "a.py") -> Source:
    return Source(Path(name), "".join("#" * length + "\n" for length in lengths).encode())


@pytest.mark.parametrize(
    ("lengths", "limit"),
    [
        ([78, 80, 76, 80, 75] * 2 + [40] * 30, 80),
        ([78, 79, 76, 79, 75] * 2 + [40] * 30, 79),
        ([78, 80, 76, 80, 75] * 2 + [130] * 5, 80),
        ([78, 80, 76, 80, 75] * 2 + [87] * 12, 88),
        ([78, 80, 76, 80, 75] * 2 + [130] * 6, None),
        ([98] * 10, 100),
        ([80] * 9, None),
        ([], None),
    ],
)
def test_limits_are_seen_by_the_lines_below_them(lengths: Sequence[int], limit: int | None) -> None:
    assert kept_to([of_lengths(lengths)]) == limit
    half = len(lengths) // 2
    assert kept_to([of_lengths(lengths[:half]), of_lengths(lengths[half:], "b.py")]) == limit


NET = """import flax.linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4, use_bias=False, kernel_init=nn.initializers.normal())(x)
"""


@pytest.mark.parametrize(("options", "longest"), [(Options(), 80), (Options(line_length=120), 120)])
def test_what_is_written_keeps_to_it(options: Options, longest: int) -> None:
    other = of_lengths([78, 80, 76, 80, 75] * 2)
    (net, *_) = engine.rewrite([Source(Path("net.py"), NET.encode()), other], options)
    assert net.new_text is not None
    written = max(map(len, net.new_text.splitlines()))
    assert longest - 40 < written <= longest, net.new_text
    assert len(NET.splitlines()[-1]) > 80
