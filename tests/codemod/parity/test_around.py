"""Cases from runs of what is around a class."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.parity import around, subjects, trees
from nnx_codemod.codemod.parity.rungs import Climb
from nnx_codemod.codemod.parity.verify import Wishes, verify
from nnx_codemod.codemod.run import examine

# No search finds what the inner module wants: these sizes, and a table of them.
LINEN = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Inner(nn.Module):
    widths: dict[str, int]

    @nn.compact
    def __call__(self, x):
        assert x.shape[1:] == (7, 5)
        return nn.Dense(self.widths["wide"])(x)


class Net(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        y = Inner({"wide": 6})(x[:, :7, :5])
        return nn.Dense(self.features)(y)


def main():
    print(jax.tree.map(jnp.shape, Net(3).init(jax.random.key(0), jnp.ones((2, 8, 8)))))
"""

HAIKU = """
import haiku as hk
import jax
import jax.numpy as jnp


def main():
    @hk.transform
    def model(x):
        return hk.Linear(3)(x)

    x = jnp.ones((2, 4))
    params = model.init(jax.random.PRNGKey(0), x)
    print(model.apply(params, None, x))
"""


def climbs(folder: Path, text: str) -> dict[str, Climb]:
    """The climbs of a rewrite of one file, by name."""
    before, after, scratch = folder / "before", folder / "after", folder / "scratch"
    for each in (before, after, scratch):
        each.mkdir()
    (before / "net.py").write_text(text)
    (after / "net.py").write_text(text)
    for change in examine([after], Options()).changes:
        Path(change.path).write_bytes(change.data)
    both = trees.from_folder([after], before, scratch)
    verdict = verify(both, subjects.reported(both, Options()), Options(), Wishes())
    return {climb.name: climb for climb in verdict.climbs}


def test_what_a_class_is_given_inside_of_another_is_its_case(tmp_path: Path) -> None:
    found = climbs(tmp_path, LINEN)
    assert {name: climb.status for name, climb in found.items()} == {
        "Inner": "pass",
        "Net": "pass",
    }, found
    case = found["Inner"].case
    assert case is not None
    assert case["origin"] == "code, in Net"
    assert case["inputs"] == ["f32[2,7,5]"]
    assert found["Net"].case is not None
    assert found["Net"].case["origin"] == "code"


def test_a_function_inside_of_a_function_is_run(tmp_path: Path) -> None:
    (climb,) = climbs(tmp_path, HAIKU).values()
    assert climb.status == "pass", climb
    assert {"eval", "gradients", "parameters"} <= {
        r.name for r in climb.rungs if r.status == "pass"
    }


def test_the_nearest_around_come_first_and_each_runs_once(tmp_path: Path) -> None:
    text = "class A: pass\nclass B:\n    x = A()\nclass C:\n    x = B()\nclass D: pass\n"
    named: dict[str, dict[str, Any]] = {name: {"name": name} for name in "ABCD"}
    users = around.Users.of([("m.py", ast.parse(text), named)])
    assert users.around("A") == [("m.py", "B"), ("m.py", "C")]
    asked: list[around.Place] = []

    def run(place: around.Place) -> dict[str, Any]:
        asked.append(place)
        if place[1] == "B":
            return {"status": "failed", "error": "no"}
        inside = [
            {"file": str((tmp_path / "m.py").resolve()), "name": name, "case": {"inputs": [name]}}
            for name in ("A", "B")
        ]
        return {"status": "ok", "case": {"origin": "search"}, "inside": inside}

    runs = around.Runs(tmp_path, users, run)
    (tmp_path / "m.py").write_text(text)
    for name in "AAB":
        one = subjects.Subject(Path("m.py"), named[name], subjects.Place("m", (".",)))
        assert list(runs.cases(one)) == [{"inputs": [name], "origin": "search, in C"}]
    assert asked == [("m.py", "B"), ("m.py", "C")]
