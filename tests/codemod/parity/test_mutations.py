"""Damaged rewrites: each damage shows, at the rung where it must; correct ones hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.parity import subjects, trees
from nnx_codemod.codemod.parity.process import Settings
from nnx_codemod.codemod.parity.rungs import Climb
from nnx_codemod.codemod.parity.verify import Wishes, verify

from .pairs import (
    DAMAGES,
    FROM_HAIKU,
    FROM_SHARDED,
    HAIKU,
    HAIKU_NET,
    LINEN,
    NET,
    NET_CASE,
    NNX,
    SHARDED,
    SHARDED_NET,
    Damage,
    write_pair,
    write_report,
)


@pytest.fixture(scope="module")
def climbs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Climb]:
    """All pairs verified in one run, by the name of their file."""
    folder = tmp_path_factory.mktemp("mutations")
    files = [write_pair(folder, "correct", LINEN, NNX, NET, NET_CASE)]
    for damage in DAMAGES:
        entry = {**NET, "mode_arguments": damage.report or NET["mode_arguments"]}
        files.append(write_pair(folder, damage.name, LINEN, damage.text, entry, NET_CASE))
    files.append(write_pair(folder, "of_haiku", HAIKU, FROM_HAIKU, HAIKU_NET, ""))
    other = FROM_HAIKU.replace("self.count[...] = count + 1", "pass")
    files.append(write_pair(folder, "uncounted", HAIKU, other, HAIKU_NET, ""))
    files.append(write_pair(folder, "sharded", SHARDED, FROM_SHARDED, SHARDED_NET, ""))
    other = FROM_SHARDED.replace('(None, "model")', '("model", None)')
    files.append(write_pair(folder, "other_axes", SHARDED, other, SHARDED_NET, ""))
    unmapped = {**NET, "variables": []}
    files.append(write_pair(folder, "unmapped", LINEN, NNX, unmapped, NET_CASE))
    report = subjects.read_report(write_report(folder, files))
    scratch = tmp_path_factory.mktemp("scratch")
    both = trees.from_folder([folder / "after"], folder / "before", scratch)
    settings = Settings(devices=2)
    verdict = verify(both, report, Options(), Wishes(settings, settings))
    return {Path(climb.file).stem: climb for climb in verdict.climbs}


def failures(climb: Climb) -> list[str]:
    return [rung.name for rung in climb.rungs if rung.status == "fail"]


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("correct", {"sharding"}),
        ("of_haiku", {"sharding"}),
        ("sharded", {"train", "state"}),
        ("unmapped", {"sharding"}),
    ],
)
def test_a_correct_rewrite_holds(climbs: dict[str, Climb], name: str, left: set[str]) -> None:
    climb = climbs[name]
    assert not failures(climb), climb
    assert {rung.name for rung in climb.rungs if rung.status == "not run"} == left
    assert ("no weights carried over" in climb.note) is (name == "unmapped")


@pytest.mark.parametrize(("name", "rung"), [("uncounted", "state"), ("other_axes", "sharding")])
def test_a_damage_of_other_modules_shows(climbs: dict[str, Climb], name: str, rung: str) -> None:
    assert failures(climbs[name])[0] == rung, climbs[name]


def test_a_map_that_says_nothing_is_told(climbs: dict[str, Climb]) -> None:
    rungs = {rung.name: rung for rung in climbs["unmapped"].rungs}
    assert "no place for" in rungs["parameters"].why


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damage_shows(climbs: dict[str, Climb], damage: Damage) -> None:
    found = failures(climbs[damage.name])
    told = [(rung.name, rung.figure, rung.why) for rung in climbs[damage.name].rungs]
    assert found and found[0] == damage.rung, told
