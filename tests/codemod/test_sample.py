"""The sample that the demo shows: it is rewritten whole, and both versions print the same."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.demo import PROGRAMS, SAMPLE
from nnx_codemod.codemod.parity import subjects, verify
from nnx_codemod.codemod.parity.trees import Trees
from nnx_codemod.codemod.parity.verify import Wishes
from nnx_codemod.codemod.report import Outcome
from nnx_codemod.codemod.source import Source
from nnx_codemod.tests.programs import printed, same


def rewritten(folder: Path) -> list[Outcome]:
    return engine.rewrite([Source(path) for path in sorted(folder.rglob("*.py"))], Options())


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both versions of the sample, in a folder each."""
    folders = {side: tmp_path_factory.mktemp(side) for side in ("before", "after")}
    for folder in folders.values():
        for path in SAMPLE.rglob("*.py"):
            copy = folder / path.relative_to(SAMPLE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text())
    for outcome in rewritten(folders["after"]):
        assert not outcome.report.diagnostics
        assert {cls.status for cls in outcome.report.classes} <= {"rewritten"}
        if outcome.new_text is not None:
            Path(outcome.report.path).write_text(outcome.new_text)
    return folders


@pytest.mark.parametrize("program", PROGRAMS)
def test_both_versions_print_the_same(both: dict[str, Path], program: str) -> None:
    before = printed(both["before"] / program)
    after = printed(both["after"] / program, strict=True)
    assert before and both["before"].joinpath(program).read_text() != (
        both["after"].joinpath(program).read_text()
    )
    assert same(before, after, tolerance=1e-3), (before, after)


def test_verify_holds_within_a_minute(both: dict[str, Path]) -> None:
    """A minute on two idle cores: the processor's time, as others may be at work here."""
    trees = Trees(both["before"], both["after"], (Path(),))
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    verdict = verify.verify(trees, subjects.reported(trees, Options()), Options(), Wishes())
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert [climb.status for climb in verdict.climbs] == ["pass"] * 4, verdict.climbs
    assert ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime < 120


def test_a_second_run_changes_nothing(both: dict[str, Path]) -> None:
    texts = {path: path.read_text() for path in both["after"].rglob("*.py")}
    found = [o for o in rewritten(both["after"]) if o.new_text is not None]
    assert [
        Path(o.report.path).name for o in found if o.new_text != texts[Path(o.report.path)]
    ] == []
