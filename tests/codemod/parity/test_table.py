"""The verdict on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from nnx_codemod.codemod.parity.rungs import Climb, Rung
from nnx_codemod.codemod.parity.table import show
from nnx_codemod.codemod.parity.verify import Verdict


def climb(file: str, name: str, status: str) -> Climb:
    one = Climb(file, name, "linen", case={"origin": "search"} if status != "not run" else None)
    if status != "not run":
        one.add(Rung("eval", "pass", "exact"))
        one.add(Rung("gradients", "fail" if status == "fail" else "pass", "0.5", "too much"))
    one.rest("no case was found")
    return one


def shown(*climbs: Climb) -> list[str]:
    out = io.StringIO()
    show(Verdict(list(climbs), 0), Console(file=out, width=120, highlight=False))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_modules_stand_below_their_files_and_rungs_are_counted() -> None:
    lines = shown(
        climb("a.py", "Net", "pass"), climb("a.py", "[Odd]", "fail"), climb("b.py", "Net", "pass")
    )
    assert [line.split()[0] for line in lines[:7]] == [
        "module",
        "a.py",
        "Net",
        "[Odd]",
        "b.py",
        "Net",
        "passed",
    ]
    assert lines[0].split() == ["module", "eval", "grads", "case"]
    assert lines[6].split() == ["passed", "3", "2/3"]
    assert "a.py:[Odd]: gradients: 0.5: too much" in lines
    assert lines[-1] == "2 of 3 modules hold, 1 failed, 0 not run (seed 0)"


def test_what_did_not_run_says_why() -> None:
    lines = shown(climb("a.py", "Net", "not run"))
    assert "a.py:Net: not run: no case was found" in lines


def test_the_case_says_what_was_run_around_a_module() -> None:
    one = climb("a.py", "Net", "pass")
    one.case = {"origin": "code, inputs by search, in Outer"}
    assert any("code+search in Outer" in line for line in shown(one))
