"""No false alarms: what is right in `fixtures/` passes every rung of `verify` that applies.

A part of the fixtures is run in each test run, all of them by `pytest -m whole tests/test_fixtures_parity.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.parity import subjects, verify
from nnx_codemod.codemod.parity.rungs import Climb
from nnx_codemod.codemod.parity.trees import Trees
from nnx_codemod.codemod.run import examine
from nnx_codemod.codemod.write import write_all

FIXTURES = sorted(p for p in (Path(__file__).parents[1] / "fixtures").iterdir() if p.is_dir())
SAMPLE = (
    "haiku_closures",
    "haiku_dropout",
    "haiku_functions_of_layers",
    "haiku_norm",
    "linen_flags",
    "linen_loops",
    "linen_masks",
    "linen_recurrent",
    "linen_variables",
    "linen_wrappers",
)


def climbed(fixture: Path, scratch: Path) -> list[Climb]:
    """What comes of the modules of a fixture."""
    folders = scratch / "original", scratch / "rewritten"
    for folder in folders:
        folder.mkdir(parents=True)
        shutil.copy(fixture / "before.py", folder / "before.py")
    write_all(examine([folders[1]], Options()).changes)
    trees = Trees(*folders, (Path("before.py"),))
    report = subjects.reported(trees, Options())
    return verify.verify(trees, report, Options(), verify.Wishes()).climbs


def check(fixture: Path, scratch: Path) -> None:
    failed = [
        (climb.name, climb.case, rung.name, rung.figure, rung.why)
        for climb in climbed(fixture, scratch)
        for rung in climb.rungs
        if rung.status == "fail"
    ]
    assert failed == []


@pytest.mark.parametrize("name", SAMPLE)
def test_sample(name: str, tmp_path: Path) -> None:
    check(next(fixture for fixture in FIXTURES if fixture.name == name), tmp_path)


@pytest.mark.whole
@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda folder: folder.name)
def test_all(fixture: Path, tmp_path: Path) -> None:
    check(fixture, tmp_path)
