"""The distribution: what is in it, and that it says what it needs."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import nnx_codemod

ROOT = Path(__file__).parent.parent
OUTSIDE = ("benchmarks", "build", "dist", "fixtures", "tests")
DISTRIBUTIONS = {"absl": "absl-py", "haiku": "dm-haiku"}


def modules() -> list[Path]:
    """The package's own modules, by their places in the checkout."""
    found = [
        path.relative_to(ROOT)
        for path in ROOT.rglob("*.py")
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]
    return sorted(
        path
        for path in found
        if path.parts[0] not in (*OUTSIDE, "setup.py") and path.parts[:2] != ("codemod", "sample")
    )


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """What a module imports, and the number of leading dots."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


def test_every_folder_of_modules_is_a_package() -> None:
    for folder in {path.parent for path in modules()}:
        assert (ROOT / folder / "__init__.py").exists(), folder


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=!~;\[ ]", requirement)[0] for requirement in project["dependencies"]}
    used = {
        name.split(".")[0]
        for path in modules()
        for name, level in imported(path)
        if not level and name.split(".")[0] not in sys.stdlib_module_names
    }
    assert {DISTRIBUTIONS.get(name, name) for name in used} <= declared


def test_the_package_imports_itself_by_relative_names() -> None:
    for path in modules():
        assert not [
            name
            for name, level in imported(path)
            if not level and name.split(".")[0] == "nnx_codemod"
        ], path


def test_modules_stay_inside_the_package() -> None:
    for path in modules():
        assert all(level <= len(path.parts) for _, level in imported(path)), path


@pytest.mark.slow
def test_a_wheel_built_from_a_folder_of_any_name(tmp_path: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / "odd-name" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tmp_path / "odd-name" / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
    ]
    subprocess.run([*command, str(tmp_path / "odd-name")], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"nnx_codemod-{nnx_codemod.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    package = tmp_path / "installed/nnx_codemod"
    packed = {path.relative_to(package) for path in package.rglob("*.py")}
    copied = {path for path in modules() if (tmp_path / "odd-name" / path).exists()}
    assert {path for path in packed if path.parts[:2] != ("codemod", "sample")} == copied
    assert (package / "codemod/sample/images/train.py").exists()
    assert (package / "py.typed").exists()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import nnx_codemod.cli as c; print(c.__file__); c.main()",
            "--version",
        ],
        cwd=tmp_path / "installed",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        str(package / "cli.py"),
        f"nnx-codemod {nnx_codemod.__version__}",
    ]
