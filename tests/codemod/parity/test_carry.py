"""Variables of both sides, paired by the report's map."""

from __future__ import annotations

import numpy as np
import pytest

from nnx_codemod.codemod.parity.child.carry import Pair, carried, pair


def entry(source: str, target: str, layout: str = "", collection: str = "params") -> dict[str, str]:
    return {"collection": collection, "source": source, "target": target, "layout": layout}


def paired(
    entries: list[dict[str, str]], original: list[str], rewritten: list[str], root: str = ""
) -> dict[str, tuple[str, ...]]:
    """Sources by target; the map must cover the module."""
    shapes = [{path: [2] for path in paths} for paths in (original, rewritten)]
    found = pair(entries, *shapes, root, "params")
    assert not found.problem, found.problem
    return {one.target: one.sources for one in found.pairs}


def test_paths_and_loops() -> None:
    entries = [
        entry("Dense_0/kernel", "head.kernel"),
        entry("Dense_0/bias", "head.bias"),
        entry("Block_{i}/w", "blocks[{i}].w"),
    ]
    found = paired(
        entries,
        ["params:Dense_0/kernel", *(f"params:Block_{i}/w" for i in range(11))],
        ["head.kernel", *(f"blocks[{i}].w" for i in range(11))],
    )
    assert found["head.kernel"] == ("params:Dense_0/kernel",)
    assert found["blocks[10].w"] == ("params:Block_10/w",)
    assert found["blocks[2].w"] == ("params:Block_2/w",)


def test_names_that_haiku_counts_on_after_a_loop() -> None:
    entries = [entry("linear_{i}/w", "linears[{i}].kernel"), entry("linear_1/w", "linear.kernel")]
    original = ["params:net/~/linear//w", "params:net/~/linear_1//w", "params:net/~/linear_2//w"]
    found = paired(
        entries, original, ["linear.kernel", "linears[0].kernel", "linears[1].kernel"], "net"
    )
    assert found == {
        "linears[0].kernel": (original[0],),
        "linears[1].kernel": (original[1],),
        "linear.kernel": (original[2],),
    }


def test_a_target_within_a_wrapper() -> None:
    found = paired(
        [entry("cell/ii/kernel", "rnn.ii.kernel")],
        ["params:cell/ii/kernel"],
        ["rnn.cell.ii.kernel"],
    )
    assert found == {"rnn.cell.ii.kernel": ("params:cell/ii/kernel",)}


@pytest.mark.parametrize(
    ("original", "rewritten", "words"),
    [
        (["params:a/w", "params:b/w"], ["a.w"], "no place for params:b/w"),
        (["params:a/w"], ["a.w", "b.w"], "nothing of b.w"),
    ],
)
def test_a_map_that_does_not_cover(original: list[str], rewritten: list[str], words: str) -> None:
    shapes = [{path: [2] for path in paths} for paths in (original, rewritten)]
    assert words in pair([entry("a/w", "a.w")], *shapes, "", "params").problem


def test_numbers_are_laid_out_and_joined() -> None:
    values = {"params:a": np.arange(6.0).reshape(2, 3), "params:b": np.ones((2, 1))}
    turned = carried(Pair("t", ("params:a",), "v.swapaxes(-1, -2)"), values, (3, 2))
    assert turned.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert carried(Pair("t", ("params:a", "params:b")), values, (2, 4))[1].tolist() == [3, 4, 5, 1]
    with pytest.raises(ValueError, match="t has shape"):
        carried(Pair("t", ("params:a",)), values, (3, 2))
