"""`rewrite --verify`: what does not hold is not written, and neither is what depends on it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nnx_codemod.cli import cli
from nnx_codemod.codemod import engine
from nnx_codemod.codemod.parity import gate, verify
from nnx_codemod.codemod.parity.rungs import Climb, Rung
from nnx_codemod.codemod.parity.trees import Trees
from nnx_codemod.codemod.parity.verify import Verdict
from nnx_codemod.codemod.report import Outcome

HEAD = """from flax import linen as nn


class Head(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.features)(nn.relu(x))
"""
NORM = """from flax import linen as nn


class Norm(nn.Module):
    @nn.compact
    def __call__(self, x):
        return 2 * nn.LayerNorm()(x)
"""
NET = """from flax import linen as nn

from norm import Norm


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Norm()(nn.Dense(3)(x))
"""
FILES = {"head.py": HEAD, "norm.py": NORM, "net.py": NET}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with models in it, committed, the current one."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    _commit(folder)
    monkeypatch.chdir(folder)
    return folder


def _commit(folder: Path) -> None:
    for command in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "originals"),
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)


def rewrite(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["rewrite", "--verify", "--no-cache", *map(str, arguments)])


def damage(monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]) -> None:
    """Makes the engine write something else."""
    honest = engine.rewrite

    def damaged(*arguments: Any, **options: Any) -> list[Outcome]:
        outcomes = honest(*arguments, **options)
        for outcome in outcomes:
            if outcome.new_text is not None:
                outcome.new_text = change(outcome.new_text)
        return outcomes

    monkeypatch.setattr(engine, "rewrite", damaged)


def test_a_damaged_rewrite_is_not_written(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(monkeypatch, lambda text: text.replace("return 2 *", "return 2.01 *"))
    result = rewrite(".", "--report", tree.parent / "report.json")
    assert result.exit_code == 1, result.output
    assert (tree / "norm.py").read_text() == NORM
    assert (tree / "net.py").read_text() == NET  # it cannot do without the new Norm
    assert "nnx.Linear" in (tree / "head.py").read_text()
    assert "the rewrite of `Norm` does not hold (forward, eval: " in result.output
    assert "1 of 3 modules hold, 2 failed" in result.output.replace("\n", " ")
    report = json.loads((tree.parent / "report.json").read_text())
    classes = {one["name"]: one["status"] for file in report["files"] for one in file["classes"]}
    assert classes == {"Head": "rewritten", "Norm": "kept", "Net": "kept"}
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=tree, capture_output=True, text=True, check=True
    )
    assert changed.stdout == " M head.py\n"


def test_a_rewrite_that_holds_is_written(tree: Path) -> None:
    result = rewrite(".")
    assert result.exit_code == 0, result.output
    assert all("nnx.Module" in (tree / name).read_text() for name in FILES)


# ---- with verdicts made for the purpose -----------------------------------------------------------------


class Judge:
    """Takes the place of the ladder: `bad` names classes that fail, `caseless` those without a case."""

    def __init__(self, bad: Sequence[str] = (), caseless: Sequence[str] = ()) -> None:
        self.bad = bad
        self.caseless = caseless
        self.asked: list[list[str]] = []
        self.seen: list[dict[str, str]] = []

    def __call__(self, trees: Trees, report: Any, *_: Any, **__: Any) -> Verdict:
        rewritten = [
            (file["path"], entry["name"])
            for file in report["files"]
            for entry in file["classes"]
            if entry["status"] == "rewritten"
        ]
        self.asked.append([name for _, name in rewritten])
        self.seen.append({path.name: path.read_text() for path in trees.rewritten.glob("*.py")})
        climbs = []
        for file, name in rewritten:
            climb = Climb(file, name, "linen")
            if name in self.bad:
                climb.add(Rung("eval", "fail", "0.5", "more than 0.0001"))
            elif name in self.caseless:
                climb.rest("no case")
            else:
                climb.add(Rung("eval", "pass", "exact"))
            climbs.append(climb)
        return Verdict(climbs, 0)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    made = Judge()
    monkeypatch.setattr(verify, "verify", made)
    return made


def test_rounds_until_nothing_fails(tree: Path, judge: Judge) -> None:
    judge.bad = ["Net"]
    result = rewrite(".")
    assert result.exit_code == 1
    assert (tree / "net.py").read_text() == NET
    assert (tree / "norm.py").read_text() == NORM  # Net, as it was, uses it
    assert sorted(judge.asked[0]) == ["Head", "Net", "Norm"]
    assert judge.asked[1:] == [[]], "Head is as it was and is not run again"


def test_copies_hold_the_new_texts_and_nothing_is_written_before(tree: Path, judge: Judge) -> None:
    judge.bad = ["Net", "Norm", "Head"]
    assert rewrite(".").exit_code == 1
    assert all("nnx" in judge.seen[0][name] for name in FILES)
    assert {name: (tree / name).read_text() for name in FILES} == FILES


def test_what_has_no_case_is_written_and_listed(tree: Path, judge: Judge) -> None:
    judge.caseless = ["Norm"]
    result = rewrite(".")
    assert result.exit_code == 0
    assert "nnx" in (tree / "norm.py").read_text()
    assert "note: not verified, for nothing could be run: norm.py:Norm" in result.output


def test_a_dry_run_shows_what_would_pass(tree: Path, judge: Judge) -> None:
    judge.bad = ["Head"]
    result = rewrite("--check", ".")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["net.py", "norm.py"]
    assert {name: (tree / name).read_text() for name in FILES} == FILES


def test_uncommitted_changes_are_refused_before_anything_runs(tree: Path, judge: Judge) -> None:
    (tree / "head.py").write_text(HEAD + "\n")
    assert rewrite(".").exit_code == 2
    assert not judge.asked


def test_outside_of_git_the_whole_package_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judge: Judge
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "head.py").write_text(HEAD)
    monkeypatch.chdir(package)
    assert gate.root_of([Path("head.py")]) == tmp_path.resolve()
    assert rewrite("head.py").exit_code == 0
    assert judge.asked == [["Head"]]
