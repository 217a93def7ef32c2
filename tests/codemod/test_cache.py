"""Outcomes kept from run to run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnx_codemod.codemod import cache
from nnx_codemod.codemod.cache import Cache, folder, key


def test_what_was_put_is_there(tmp_path: Path) -> None:
    Cache(tmp_path / "deep/cache").put("a", {"x": [1, "é"]})
    assert Cache(tmp_path / "deep/cache").get("a") == {"x": [1, "é"]}
    assert Cache(tmp_path / "deep/cache").get("b") is None


def test_a_broken_entry_is_none(tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    kept.put("a", 1)
    (tmp_path / "a.json").write_bytes(b'{"x": \xff')
    assert kept.get("a") is None


def test_a_cache_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = Cache(tmp_path / "file")
    kept.put("a", 1)
    assert kept.get("a") is None


def test_what_was_asked_for_longest_ago_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "KEPT", 2)
    kept = Cache(tmp_path)
    for age, name in enumerate("ab"):
        kept.put(name, name)
        os.utime(tmp_path / f"{name}.json", (age, age))
    assert kept.get("a") == "a"
    kept.put("c", "c")
    assert [kept.get(name) for name in "abc"] == ["a", None, "c"]
    assert len(os.listdir(tmp_path)) == 2


def test_a_key_depends_on_all_that_matters() -> None:
    a, b = Path("/a.py"), Path("/b.py")
    keys = [
        key({a: b"1"}),
        key({a: b"2"}),
        key({b: b"1"}),
        key({a: None}),
        key({a: b"1", b: b"1"}),
        key({a: b"1"}, "keep"),
        key({a: b"1"}, "keep", "drop"),
    ]
    assert len(set(keys)) == len(keys)
    assert key({a: b"1", b: b"2"}) == key({b: b"2", a: b"1"})


def test_a_key_depends_on_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key({})
    monkeypatch.setattr(cache, "program", lambda: "another")
    assert key({}) != before


def test_where_the_cache_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNX_CODEMOD_CACHE_DIR", str(tmp_path))
    assert folder() == tmp_path
    monkeypatch.delenv("NNX_CODEMOD_CACHE_DIR")
    assert folder().name == "nnx-codemod"
