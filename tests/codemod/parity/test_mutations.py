"""Damaged rewrites: each damage shows, at the rung where it must; correct ones hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.parity import subjects, trees
from nnx_codemod.codemod.parity.rungs import Climb
from nnx_codemod.codemod.parity.verify import Wishes, verify

from .pairs import DAMAGES, LINEN, NET, NET_CASE, NNX, Damage, write_pair, write_report


@pytest.fixture(scope="module")
def climbs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Climb]:
    """All pairs verified in one run, by the name of their file."""
    folder = tmp_path_factory.mktemp("mutations")
    files = [write_pair(folder, "correct", LINEN, NNX, NET, NET_CASE)]
    for damage in DAMAGES:
        entry = {**NET, "mode_arguments": damage.report or NET["mode_arguments"]}
        files.append(write_pair(folder, damage.name, LINEN, damage.text, entry, NET_CASE))
    report = subjects.read_report(write_report(folder, files))
    scratch = tmp_path_factory.mktemp("scratch")
    both = trees.from_folder([folder / "after"], folder / "before", scratch)
    verdict = verify(both, report, Options(), Wishes())
    return {Path(climb.file).stem: climb for climb in verdict.climbs}


def failures(climb: Climb) -> list[str]:
    return [rung.name for rung in climb.rungs if rung.status == "fail"]


def test_a_correct_rewrite_holds(climbs: dict[str, Climb]) -> None:
    climb = climbs["correct"]
    assert not failures(climb), climb
    assert {rung.name for rung in climb.rungs if rung.status == "not run"} == {"sharding"}
    assert not climb.note


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damage_shows(climbs: dict[str, Climb], damage: Damage) -> None:
    found = failures(climbs[damage.name])
    told = [(rung.name, rung.figure, rung.why) for rung in climbs[damage.name].rungs]
    assert found and found[0] == damage.rung, told
