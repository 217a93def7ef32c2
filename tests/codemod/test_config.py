"""Options from pyproject.toml and flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.config import ConfigError, Options, find_pyproject, load


def configured(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_without_a_configuration(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert load(tmp_path) == Options()


def test_what_a_configuration_may_say(tmp_path: Path) -> None:
    text = """
        [tool.nnx-codemod]
        select = ["LIN", "HK"]
        ignore = "LIN001, HK002"
        names = "original"
        mode-flags = "keep"
        line-length = 79
        exclude = ["legacy/"]
    """
    assert load(configured(tmp_path, text)) == Options(
        select=("LIN", "HK"),
        ignore=("LIN001", "HK002"),
        names="original",
        mode_flags="keep",
        line_length=79,
        exclude=("legacy/",),
        root=tmp_path,
    )


def test_underscores_in_keys_are_fine(tmp_path: Path) -> None:
    assert (
        load(configured(tmp_path, "[tool.nnx-codemod]\nmode_flags = 'keep'")).mode_flags == "keep"
    )


def test_a_flag_beats_the_configuration(tmp_path: Path) -> None:
    folder = configured(tmp_path, "[tool.nnx-codemod]\nnames = 'original'\nmode-flags = 'keep'")
    options = load(folder, {"names": "pythonic", "mode_flags": None})
    assert (options.names, options.mode_flags) == ("pythonic", "keep")


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("[tool.ruff]\nline-length = 79", 79),
        ("[tool.black]\nline-length = 90", 90),
        ("[tool.black]\nline_length = 91", 91),
        ("[tool.ruff]\nline-length = 79\n[tool.nnx-codemod]\nline-length = 120", 120),
        ("[tool.ruff]\nselect = ['E']", None),
        ("tool = 1", None),
    ],
)
def test_the_repository_s_own_line_length(tmp_path: Path, text: str, length: int | None) -> None:
    assert load(configured(tmp_path, text)).line_length == length


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.nnx-codemod]\nselct = ['A']", "has no key selct, did you mean select?"),
        (
            "[tool.nnx-codemod]\nmode_flag = 'keep'",
            "has no key mode_flag, did you mean mode-flags?",
        ),
        ("[tool.nnx-codemod]\nroot = '.'", "has no key root, the keys are select, ignore"),
        ("[tool.nnx-codemod]\nselect = 1", "select must be a list of strings, not 1"),
        ("[tool.nnx-codemod]\nselect = [1]", r"select must be a list of strings, not \[1\]"),
        (
            "[tool.nnx-codemod]\nnames = 'Original'",
            "names must be pythonic or original, not 'Original'",
        ),
        (
            "[tool.nnx-codemod]\nline-length = true",
            "line-length must be a positive number, not True",
        ),
        ("[tool]\nnnx-codemod = 3", r"\[tool.nnx-codemod\] is not a table"),
        ("[tool.nnx-codemod", "Expected .]. at the end of a table declaration"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(configured(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'}: ")
    assert "\n" not in str(caught.value)


def test_a_configuration_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="utf-8"):
        load(tmp_path)


def test_the_nearest_configuration_counts(tmp_path: Path) -> None:
    inner = tmp_path / "pkg"
    inner.mkdir()
    (inner / "models.py").touch()
    configured(tmp_path, "")
    assert find_pyproject(inner / "models.py") == tmp_path / "pyproject.toml"
    configured(inner, "")
    assert find_pyproject(inner / "models.py") == inner / "pyproject.toml"


def test_a_configuration_outside_the_repository_does_not_count(tmp_path: Path) -> None:
    configured(tmp_path, "")
    inner = tmp_path / "repository"
    (inner / ".git").mkdir(parents=True)
    assert find_pyproject(inner) is None


def test_rules_are_chosen_by_prefix() -> None:
    options = Options(select=("LIN",), ignore=("LIN00",))
    assert [options.chosen(code) for code in ("LIN100", "LIN001", "HK100")] == [True, False, False]
    assert Options().chosen("LIN001")
