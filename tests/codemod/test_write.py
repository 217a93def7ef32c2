"""A file is written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nnx_codemod.codemod import write
from nnx_codemod.codemod.write import Change, Unwritable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "models.py"
    path.write_bytes(b"old\r\n")
    return path


def test_new_content(file: Path) -> None:
    write.write(file, b"new\r\n", expected=b"old\r\n")
    assert file.read_bytes() == b"new\r\n"
    assert os.listdir(file.parent) == ["models.py"]


@pytest.mark.parametrize("mode", [0o755, 0o640, 0o600])
def test_the_mode_stays(file: Path, mode: int) -> None:
    file.chmod(mode)
    write.write(file, b"new", expected=b"old\r\n")
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual.py").touch()
    write.write(tmp_path / "nnx_layers.py", b"new")
    assert (tmp_path / "nnx_layers.py").stat().st_mode == (tmp_path / "usual.py").stat().st_mode


def test_a_read_only_file_stays(file: Path) -> None:
    file.chmod(0o444)
    with pytest.raises(Unwritable, match="read-only"):
        write.check(file)
    with pytest.raises(Unwritable, match="read-only"):
        write.write(file, b"new", expected=b"old\r\n")
    assert file.read_bytes() == b"old\r\n"


def test_what_someone_else_changed_meanwhile_stays(file: Path) -> None:
    with pytest.raises(Unwritable, match="meanwhile"):
        write.write(file, b"new", expected=b"older")
    with pytest.raises(Unwritable, match="meanwhile"):
        write.write(file, b"new")
    assert file.read_bytes() == b"old\r\n"
    assert os.listdir(file.parent) == ["models.py"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interruption_leaves_the_file_and_nothing_beside_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def interrupt(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, step, interrupt)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else Unwritable):
        write.write(file, b"new", expected=b"old\r\n")
    assert file.read_bytes() == b"old\r\n"
    assert os.listdir(file.parent) == ["models.py"]


def test_all_files_or_none(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "train.py"
    other.write_bytes(b"train")
    changes = [
        Change(tmp_path / "nnx_layers.py", b"layers", None),
        Change(file, b"new", b"old\r\n"),
        Change(other, b"new", b"other than expected"),
    ]
    with pytest.raises(Unwritable):
        write.write_all(changes)
    assert file.read_bytes() == b"old\r\n"
    assert sorted(os.listdir(tmp_path)) == ["models.py", "train.py"]
    write.write_all(changes[:2])
    assert file.read_bytes() == b"new"
    assert (tmp_path / "nnx_layers.py").read_bytes() == b"layers"
