"""The command: trees, exit statuses, reports."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nnx_codemod.cli import cli
from nnx_codemod.codemod.parity import verify as order
from nnx_codemod.codemod.parity.rungs import Climb, Rung
from nnx_codemod.codemod.parity.verify import Verdict

from .pairs import LINEN, NET, NNX, write_report


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with the original committed and the rewrite in the work tree."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "net.py").write_text(LINEN)
    for command in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "originals"),
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    (folder / "net.py").write_text(NNX)
    return folder


@pytest.fixture
def report(tmp_path: Path) -> Path:
    file = {"path": "net.py", "status": "rewritten", "diagnostics": [], "classes": [NET]}
    return write_report(tmp_path, [file])


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["verify", *map(str, arguments)])


def answering(status: str) -> Callable[..., Verdict]:
    """A verification that comes to a status."""
    climb = Climb("net.py", "Net", "linen")
    climb.add(Rung("eval", "pass", "exact"))
    if status == "fail":
        climb.add(Rung("state", "fail", "0.5", "more than 0.0001"))
    return lambda *arguments, **options: Verdict([climb], 0)


@pytest.mark.parametrize(("status", "code"), [("pass", 0), ("fail", 1)])
def test_exit_status(
    tree: Path, report: Path, monkeypatch: pytest.MonkeyPatch, status: str, code: int
) -> None:
    monkeypatch.setattr(order, "verify", answering(status))
    out = tree.parent / "out.json"
    result = run(
        tree, "--rewrite-report", report, "--report", out, "--html", tree.parent / "a.html"
    )
    assert result.exit_code == code, result.output
    assert json.loads(out.read_text())["verdict"] == status
    assert (tree.parent / "a.html").read_text().startswith("<!doctype html>")
    assert ("net.py:Net: state: 0.5" in result.output) is (status == "fail")


def test_nothing_is_rewritten_yet(tree: Path, report: Path) -> None:
    (tree / "net.py").write_text(LINEN)
    result = run(tree, "--rewrite-report", report)
    assert result.exit_code == 2
    assert "nothing is rewritten" in result.output
    assert len(result.output.splitlines()) == 1


def test_a_program_over_code_that_is_not_rewritten_shows_nothing(tree: Path) -> None:
    (tree / "net.py").write_text(LINEN)
    (tree / "run.py").write_text("print(1)\n")
    result = run("--program", tree / "run.py")
    assert result.exit_code == 2
    assert "nothing is rewritten" in result.output


def test_a_report_that_was_written_from_another_folder(
    tree: Path, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = report.read_text().replace('"net.py"', f'"{tree.name}/net.py"')
    report.write_text(text)
    monkeypatch.chdir(tree.parent)
    (tree / "net.py").write_text(LINEN)
    result = run(tree, "--rewrite-report", report)
    assert "nothing is rewritten" in result.output
    (tree / "net.py").write_text("import no_net\n")
    result = run(tree, "--rewrite-report", report)
    assert result.exit_code == 1
    assert "net.py:Net: imports: fails" in result.output


def test_what_was_not_asked_for_is_left_out_of_a_report(tree: Path, report: Path) -> None:
    (tree / "other").mkdir()
    (tree / "other" / "x.py").write_text("x = 1\n")
    result = run(tree / "other", "--rewrite-report", report)
    assert result.exit_code == 0
    assert "0 of 0 modules hold" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "a PATH or a --program is needed"),
        (["missing"], "no such file"),
        ([".", "--against", "nowhere"], "no originals at nowhere"),
        ([".", "--original", "nowhere"], "no such folder"),
        ([".", "--rewrite-report", "net.py"], "no report of a rewrite"),
        (
            [
                "..",
            ],
            "in no git work tree",
        ),
        ([".", "--device", "abacus"], "abacus"),
    ],
)
def test_bad_usage(
    tree: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tree)
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_the_real_thing(tree: Path) -> None:
    """Originals from git, the report from the engine, cases from a search, numbers from both sides."""
    model = tree / "net.py"
    model.write_text(
        "from flax import linen as nn\n\n\nclass Net(nn.Module):\n    features: int\n\n    @nn.compact\n"
        "    def __call__(self, x):\n        return nn.Dense(self.features)(x)\n"
    )
    subprocess.run(
        [
            "git",
            "-C",
            str(tree),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "-qam",
            "x",
        ],
        check=True,
    )
    rewritten = CliRunner().invoke(cli, ["rewrite", str(tree)])
    assert rewritten.exit_code == 0, rewritten.output
    out = tree.parent / "out.json"
    result = run(tree, "--report", out)
    assert result.exit_code == 0, result.output
    (module,) = json.loads(out.read_text())["modules"]
    assert module["case"]["origin"] == "search"
    statuses = {rung["name"]: rung["status"] for rung in module["rungs"]}
    assert [name for name, status in statuses.items() if status != "pass"] == [
        "train",
        "state",
        "sharding",
    ]


KEPT_FLAGS = """from flax import linen as nn
import jax
import jax.numpy as jnp


class Dropped(nn.Module):
    rate: float
    deterministic: bool | None = None

    @nn.compact
    def __call__(self, x):
        if self.deterministic:
            return x
        keep = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.rate, x.shape)
        return jnp.where(keep, x, 0.0)


class Block(nn.Module):
    width: int
    train: bool = True

    @nn.compact
    def __call__(self, x):
        x = nn.BatchNorm(use_running_average=not self.train)(nn.Dense(self.width)(x))
        return nn.Dropout(0.5, deterministic=not self.train)(x)
"""


def test_flags_that_are_fields_and_stay(tree: Path) -> None:
    (tree / "net.py").write_text(KEPT_FLAGS)
    commit(tree)
    rewritten = CliRunner().invoke(cli, ["rewrite", "--mode-flags", "keep", str(tree)])
    assert rewritten.exit_code == 0, rewritten.output
    out = tree.parent / "out.json"
    assert run(tree, "--report", out).exit_code == 0
    modules = json.loads(out.read_text())["modules"]
    rungs = [{rung["name"]: rung["status"] for rung in module["rungs"]} for module in modules]
    assert [(r["eval"], r["train"]) for r in rungs] == [("pass", "pass")] * 2


def commit(folder: Path) -> None:
    for command in (
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)


def test_a_file_that_was_rewritten_with_the_whole_tree(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself it would stay, as a file that stays goes by the names of its variables; edits since are told."""
    (tree / "net.py").write_text(
        "from flax import linen as nn\n\n\nclass Net(nn.Module):\n    @nn.compact\n"
        "    def __call__(self, x):\n        return nn.Dense(3)(x)\n"
    )
    (tree / "run.py").write_text(
        "import jax\nimport jax.numpy as jnp\nfrom net import Net\n\nmodel = Net()\nx = jnp.ones((2, 4))\n"
        "params = model.init(jax.random.key(0), x)\nprint(model.apply(params, x).sum())\n"
    )
    commit(tree)
    assert CliRunner().invoke(cli, ["rewrite", str(tree)]).exit_code == 0
    seen: list[str] = []

    def statuses(
        trees: object,
        report: dict[str, list[dict[str, list[dict[str, str]]]]],
        *rest: object,
        **more: object,
    ) -> Verdict:
        seen.extend(one["status"] for file in report["files"] for one in file["classes"])
        return Verdict([], 0)

    monkeypatch.setattr(order, "verify", statuses)
    result = run(tree / "net.py")
    assert "rewritten" in seen and "not as the rewrite" not in result.output
    (tree / "net.py").write_text((tree / "net.py").read_text() + "\n# edited\n")
    result = run(tree / "net.py")
    assert "not as the rewrite leaves them" in result.output and "net.py" in result.output


def test_an_interpreter_that_is_not_there(tree: Path, report: Path) -> None:
    result = run(tree, "--rewrite-report", report, "--original-python", "no/python")
    assert result.exit_code == 2
    assert "the original cannot be run: no/python" in result.output


def test_a_device_that_is_not_there(tree: Path, report: Path) -> None:
    """JAX would take another one, and the figures would be that one's."""
    result = run(tree, "--rewrite-report", report, "--device", "tpu")
    assert result.exit_code == 2
    assert "there is no tpu for the original" in result.output


PARTITIONED = """from flax import linen as nn


class Net(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "model"))
        return nn.Dense(self.features, kernel_init=init)(nn.relu(x))
"""


def test_several_devices(tmp_path: Path) -> None:
    """A forward pass over virtual devices, where the module says how it is laid out."""
    folders = tmp_path / "before", tmp_path / "after"
    for folder in folders:
        folder.mkdir()
        (folder / "net.py").write_text(PARTITIONED)
    assert CliRunner().invoke(cli, ["rewrite", "--no-cache", str(folders[1])]).exit_code == 0
    out = tmp_path / "out.json"
    result = run(folders[1], "--original", folders[0], "--devices", "4", "--report", out)
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert {facts["devices"] for facts in found["platforms"].values()} == {4}
    (module,) = found["modules"]
    rungs = {rung["name"]: rung["status"] for rung in module["rungs"]}
    assert rungs["sharding"] == "pass"
