"""The rungs at a glance."""

from __future__ import annotations

from nnx_codemod.codemod.parity.overview import tallies
from nnx_codemod.codemod.parity.rungs import TITLES, Climb, Rung


def climbed(status: str) -> Climb:
    climb = Climb("a.py", "Net", "linen")
    climb.add(Rung("eval", "fail" if status == "fail" else "pass"))
    climb.rest("not asked for")
    return climb


def test_each_rung_is_counted_over_the_modules_that_it_ran_for() -> None:
    idle = Climb("b.py", "Other", "linen")
    idle.rest("no case")
    text = tallies([climb.to_json() for climb in (climbed("pass"), climbed("fail"), idle)])
    assert text.count("<li ") == len(TITLES)
    assert 'title="forward, eval: pass 1, fail 1, not run 1"' in text
    assert "<b>1<small> of 2</small></b>" in text
    assert text.count("tally failed") == 1


def test_without_modules_there_is_nothing_to_count() -> None:
    assert tallies([]) == ""
