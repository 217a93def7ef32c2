"""Diffs that git applies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nnx_codemod.codemod.diff import unified


def test_a_change() -> None:
    assert (
        unified("pkg/a.py", "a\nb\n", "a\nc\n")
        == "--- a/pkg/a.py\n+++ b/pkg/a.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    )


def test_no_change() -> None:
    assert unified("a.py", "a\n", "a\n") == ""


@pytest.mark.parametrize("name", ["a.py", "pkg/a b.py", "é.py", 'q"uo\\te.py', "tab\t.py"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\nb\n", "a\nc\n"),
        ("a\r\nb\r\n", "a\r\nc\r\n"),
        ("a\nb", "a\nc"),
        ("a\nb", "a\nb\n"),
        ("a\rb\r", "a\rc\r"),
        ("\ufeffa\nb\x0c\u2028\n", "\ufeffa\nc\x0c\u2028\n"),
        (None, "new\n"),
        (None, "new"),
        ("old\n", ""),
    ],
)
def test_git_applies_it(tmp_path: Path, name: str, before: str | None, after: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if before is not None:
        path.write_bytes(before.encode())
    patch = unified(name, before, after).encode()
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"], cwd=tmp_path, input=patch, check=True
    )
    assert path.read_bytes() == after.encode()
