"""The bundled sample and the comparison of what its two versions print."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnx_codemod.cli import cli
from nnx_codemod.codemod import demo, engine
from nnx_codemod.codemod.demo import Line, compare, copy
from nnx_codemod.codemod.report import FileReport, Outcome

DRAWS = """
import jax
from jax import random
key = random.key({seed})
for _ in range({steps}):
    key, one, two = random.split(key, 3)
print("draw", random.normal(random.fold_in(one, 3), (2,)).sum())
print("raw", jax.random.uniform(jax.random.split(jax.random.PRNGKey({seed}))[1], (2,)).sum())
print("many", jax.vmap(lambda k: random.normal(k, (2,)))(random.split(two, (4,))).sum())
"""


@pytest.mark.parametrize(
    ("before", "after", "equal"),
    [
        ("loss 0.1234", "loss 0.1234", True),
        ("loss 0.1234", "loss 0.1235", True),
        ("loss 0.1234", "loss 0.1244", False),
        ("loss 1e-5 at 10", "loss 1.0e-05 at 10", True),
        ("step 1  loss 2.0", "step 2  loss 2.0", False),
        ("loss 1.0", "los 1.0", False),
        ("loss nan", "loss 1.0", False),
        ("loss nan", "loss nan", False),
        ("shape (2, 3)", "shape (2,)", False),
        ("a", None, False),
        (None, "a", False),
    ],
)
def test_lines_are_equal_but_for_rounding(
    before: str | None, after: str | None, equal: bool
) -> None:
    assert Line("a.py", before, after).equal is equal


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders for versions of one program."""
    monkeypatch.setattr(demo, "PROGRAMS", ("a.py",))
    folders = tmp_path / "before", tmp_path / "after"
    for folder in folders:
        folder.mkdir()
    return folders


def test_draws_do_not_depend_on_keys(programs: tuple[Path, Path]) -> None:
    for seed, folder in enumerate(programs):
        (folder / "a.py").write_text(DRAWS.format(seed=seed, steps=seed + 1))
    lines = list(compare(*programs))
    assert [line.before.split()[0] if line.before else "" for line in lines] == [
        "draw",
        "raw",
        "many",
    ]
    assert all(line.equal for line in lines)


def test_a_program_that_fails(programs: tuple[Path, Path]) -> None:
    before, after = programs
    (before / "a.py").write_text("print('one')\nprint('two')\n")
    (after / "a.py").write_text("print('one')\nimport beside\n")
    (after / "beside.py").write_text("raise ValueError('three')\n")
    assert list(compare(before, after)) == [
        Line("a.py", "one", "one"),
        Line("a.py", "two", "failed: ValueError: three"),
    ]


def test_a_program_that_does_not_end(
    programs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_LIMIT", 0.1)
    for folder in programs:
        (folder / "a.py").write_text("import time\ntime.sleep(60)\n")
    assert list(compare(*programs)) == [Line("a.py", *["failed: no end after 0.1 s"] * 2)]


def test_the_sample_is_copied_whole(tmp_path: Path) -> None:
    folder = copy(tmp_path / "sample")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"images/model.py", *demo.PROGRAMS} <= names
    assert all(name.endswith(".py") for name in names)
    for name in names:
        subprocess.run([sys.executable, "-m", "py_compile", folder / name], check=True)


@pytest.mark.parametrize("change", ["", "loss -= 1\n"])
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    sample = tmp_path / "sample"
    sample.mkdir()
    (sample / "a.py").write_text("import haiku\nloss = 1.5\nprint('loss', loss)\n")
    monkeypatch.setattr(demo, "PROGRAMS", ("a.py",))
    monkeypatch.setattr(demo, "SAMPLE", sample)
    monkeypatch.setattr(
        engine,
        "rewrite",
        lambda sources, options, **_: [
            Outcome(
                FileReport(str(s.path), "rewritten"), s, s.text.replace("print", change + "print")
            )
            for s in sources
        ],
    )
    result = CliRunner().invoke(cli, ["demo"], catch_exceptions=False)
    assert result.exit_code == (1 if change else 0), result.output
    assert ("+loss -= 1" in result.stdout) is bool(change)
    assert [line.split() for line in result.stdout.splitlines()][-1] == (
        ["a.py", "loss", "1.5", "loss", "0.5", "differs"]
        if change
        else ["a.py", "loss", "1.5", "loss", "1.5", "equal"]
    )
