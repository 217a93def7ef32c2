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
    entries = [
        entry("~/linear_{i}/w", "linears[{i}].kernel"),
        entry("~/linear_{count('linears[*].kernel')}/w", "linear.kernel"),
        entry("linear/w", "other.kernel"),
    ]
    original = ["params:net/~/linear//w", "params:net/~/linear_1//w", "params:net/~/linear_2//w"]
    own = "params:net/linear//w"
    targets = ["linear.kernel", "linears[0].kernel", "linears[1].kernel", "other.kernel"]
    assert paired(entries, [*original, own], targets, "net") == {
        "linears[0].kernel": (original[0],),
        "linears[1].kernel": (original[1],),
        "linear.kernel": (original[2],),
        "other.kernel": (own,),
    }


def test_methods_of_library_modules_go_without_saying() -> None:
    found = paired(
        [entry("mlp/linear_{i}/w", "mlp.linears[{i}].kernel")],
        ["params:net/~enc/mlp/~/linear_0//w"],
        ["mlp.linears[0].kernel"],
        "net",
    )
    assert found == {"mlp.linears[0].kernel": ("params:net/~enc/mlp/~/linear_0//w",)}


def test_lists_within_lists() -> None:
    entries = [
        entry("Block_{i}/Dense_{2 * j + 1}/w", "blocks[{i}].linears[{j}].w"),
        entry("Block_{i}/Dense_{count('blocks[i].linears[*].w')}/v", "blocks[{i}].last.v"),
    ]
    original = [f"params:Block_{i}/Dense_{2 * j + 1}/w" for i in (0, 1) for j in range(i + 1)]
    last = [f"params:Block_{i}/Dense_{i + 1}/v" for i in (0, 1)]
    rewritten = [f"blocks[{i}].linears[{j}].w" for i in (0, 1) for j in range(i + 1)]
    found = paired(
        entries, [*original, *last], [*rewritten, *(f"blocks[{i}].last.v" for i in (0, 1))]
    )
    assert found["blocks[1].linears[1].w"] == ("params:Block_1/Dense_3/w",)
    assert found["blocks[1].last.v"] == ("params:Block_1/Dense_2/v",)


def test_lists_with_other_things_in_them() -> None:
    """The second entry with a kernel is `layers[2]`."""
    entries = [
        entry("Dense_{i + 1}/kernel", "net.layers[{i:kernel}].kernel"),
        entry("Dense_{i + 1}/bias", "net.layers[{i:kernel}].bias"),
        entry("LayerNorm_{i}/bias", "net.layers[{i:scale}].bias"),
        entry("LayerNorm_{i}/scale", "net.layers[{i:scale}].scale"),
    ]
    original = [f"params:Dense_{i}/{leaf}" for i in (1, 2) for leaf in ("kernel", "bias")]
    original += ["params:LayerNorm_0/scale", "params:LayerNorm_0/bias"]
    rewritten = [f"net.layers[{i}].{leaf}" for i in (0, 2) for leaf in ("kernel", "bias")]
    rewritten += ["net.layers[1].scale", "net.layers[1].bias"]
    found = paired(entries, original, rewritten)
    assert found["net.layers[2].bias"] == ("params:Dense_2/bias",)
    assert found["net.layers[1].bias"] == ("params:LayerNorm_0/bias",)


def test_other_configurations_and_keys() -> None:
    entries = [
        entry("Dense_0/w", "narrow.w"),
        entry("Dense_0/w", "wide.w"),
        entry("Dense_{count('narrow.w') + count('middle.w')}/w", "last.w"),
        entry("heads_{key}/w", "heads.{key}.w"),
    ]
    found = paired(
        entries,
        ["params:Dense_0/w", "params:Dense_1/w", "params:heads_a/w"],
        ["narrow.w", "last.w", "heads.a.w"],
    )
    assert found["narrow.w"] == ("params:Dense_0/w",)
    assert found["last.w"] == ("params:Dense_1/w",)
    assert found["heads.a.w"] == ("params:heads_a/w",)


def test_names_that_cannot_be_told_within_methods_of_library_modules() -> None:
    groups = [f"params:net/~/group_{i}/~/block_{k}//w" for i in (0, 1, 10) for k in (0, 1)]
    found = paired(
        [entry("~/{*}/block_{k}/w", "groups[{i}].blocks[{k}].w")],
        groups,
        [f"groups[{i}].blocks[{k}].w" for i in range(3) for k in range(2)],
        "net",
    )
    assert found["groups[2].blocks[1].w"] == ("params:net/~/group_10/~/block_1//w",)
    assert found["groups[0].blocks[0].w"] == ("params:net/~/group_0/~/block_0//w",)


def test_names_that_cannot_be_told_are_taken_in_order() -> None:
    found = paired(
        [entry("up_{*}/w", "ups[{i}].w")],
        ["params:up_64/w", "params:up_128/w"],
        ["ups[0].w", "ups[1].w"],
    )
    assert found == {"ups[0].w": ("params:up_64/w",), "ups[1].w": ("params:up_128/w",)}


@pytest.mark.parametrize(
    ("original", "rewritten", "words"),
    [
        (["params:a/w", "params:b/w"], ["a.w"], "no place for params:b/w"),
        (["params:a/w"], ["a.w", "b.w"], "nothing of b.w"),
        (["params:c/w"], ["c1.w", "c2.w"], "two places for params:c/w"),
    ],
)
def test_a_map_that_does_not_cover(original: list[str], rewritten: list[str], words: str) -> None:
    shapes = [{path: [2] for path in paths} for paths in (original, rewritten)]
    entries = [entry("a/w", "a.w"), entry("c/w", "c1.w"), entry("c/w", "c2.w")]
    assert words in pair(entries, *shapes, "", "params").problem


def test_numbers_are_laid_out_and_joined() -> None:
    values = {"params:a": np.arange(6.0).reshape(2, 3), "params:b": np.ones((2, 1))}
    turned = carried(Pair("t", ("params:a",), "v.swapaxes(-1, -2)"), values, (3, 2))
    assert turned.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert carried(Pair("t", ("params:a", "params:b")), values, (2, 4))[1].tolist() == [3, 4, 5, 1]
    with pytest.raises(ValueError, match="t has shape"):
        carried(Pair("t", ("params:a",)), values, (3, 2))
