"""The two trees of a comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod import git
from nnx_codemod.codemod.parity import trees


def test_the_originals_keep_the_name_of_their_folder(tmp_path: Path) -> None:
    """Imports such as `from tools.net import Net` in the checkout `tools-main` are read by it."""
    for name in ("tools-main", "before"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.py").write_text("x = 1\n")
    (tmp_path / "scratch").mkdir()
    named = [tmp_path / "tools-main"]
    found = trees.from_folder(named, tmp_path / "before", tmp_path / "scratch")
    assert found.original.name == found.rewritten.name == "tools-main"
    assert git.work_tree(found.original) == found.original.resolve()
    assert found.paths == (Path(),)


def test_originals_that_lie_otherwise(tmp_path: Path) -> None:
    """A folder above the right one has the same files, at other places."""
    for place in ("after/examples", "before/examples"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "net.py").write_text("x = 1\n")
    (tmp_path / "scratch").mkdir()
    named = [tmp_path / "after" / "examples"]
    with pytest.raises(trees.Unusable, match="no file there lies as one of"):
        trees.from_folder(named, tmp_path / "before", tmp_path / "scratch")
    found = trees.from_folder(named, tmp_path / "before" / "examples", tmp_path / "scratch")
    assert found.paths == (Path(),)
