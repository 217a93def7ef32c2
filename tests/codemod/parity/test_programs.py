"""Scripts that are run before and after."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.parity.process import Settings
from nnx_codemod.codemod.parity.programs import Line, compare, numbers
from nnx_codemod.codemod.parity.trees import Trees


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("RESULT loss 0.25 1e-3", [0.25, 1e-3]),
        ("step2 of model3", []),
        ("(3, -4.5)", [3.0, -4.5]),
        ("nothing", []),
        ("info inf", [float("inf")]),
    ],
)
def test_numbers(line: str, found: list[float]) -> None:
    assert numbers(line) == found


@pytest.mark.parametrize(
    ("before", "after", "equal"),
    [
        ("loss 0.1234", "the loss is 0.12341", True),
        ("loss 0.1234", "loss 0.2", False),
        ("loss nan", "loss nan", True),
        ("loss nan", "loss 1", False),
        ("1 2", "1", False),
        ("1", None, False),
    ],
)
def test_lines(before: str, after: str | None, equal: bool) -> None:
    assert Line(before, after).equal is equal


DRAW = "import jax\nkey = jax.random.key({})\nprint('draw', jax.random.normal(key, (3,)).sum())\n"


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (DRAW.format(0), DRAW.format(1), "pass"),
        ("print('a', 1.0)", "print('a', 1.5)", "fail"),
        ("print('a', 1.0)", "raise ValueError('no')", "fail"),
        ("raise ValueError('no')", "print(1)", "not run"),
        ("print('a')", "print('b')", "not run"),
        ("print(1)", "print(1)\nimport time\ntime.sleep(600)", "fail"),
    ],
)
def test_programs(tmp_path: Path, before: str, after: str, status: str) -> None:
    for side, text in (("before", before), ("after", after)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "train.py").write_text(text)
    trees = Trees(tmp_path / "before", tmp_path / "after", ())
    patient = Settings(timeout=120)
    hurried = Settings(timeout=15 if "sleep" in after else 120)
    found = compare(Path("train.py"), trees, patient, hurried)
    assert found.status == status, found


@pytest.mark.parametrize(
    ("after", "status", "words"),
    [
        ("out, pair = jnp.ones(3) + 1e-6, [jnp.zeros(2), {'a': 3}]", "pass", ""),
        ("out, pair = jnp.ones(3) * 1.1, [jnp.zeros(2), {'a': 3}]", "fail", "out"),
        ("out, pair = jnp.ones(3), [jnp.zeros(2), {'a': 4}]", "fail", "pair"),
        ("out, pair = jnp.ones(4), [jnp.zeros(2), {'a': 3}]", "fail", "out"),
        ("out = jnp.ones(3)", "fail", "the program defines no `pair` at its top"),
        ("out, pair = jnp.ones(3), 'text'", "fail", "`pair` holds more than arrays"),
    ],
)
def test_arrays_by_name(tmp_path: Path, after: str, status: str, words: str) -> None:
    """A program that prints nothing."""
    before = "out, pair = jnp.ones(3), [jnp.zeros(2), {'a': 3}]"
    for side, text in (("before", before), ("after", after)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "run.py").write_text(f"import jax.numpy as jnp\n{text}\n")
    trees = Trees(tmp_path / "before", tmp_path / "after", ())
    found = compare(Path("run.py"), trees, Settings(), Settings(), ("out", "pair"))
    assert found.status == status, found
    assert words in (found.after, *(one.name for one in found.arrays if not one.equal), "")
