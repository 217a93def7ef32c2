"""Every fixture: the text that the rewrite gives, a second run, and the numbers that both versions print."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.source import Source

from .programs import printed, same

FIXTURES = sorted(p for p in (Path(__file__).parents[1] / "fixtures").iterdir() if p.is_dir())

STAY_IN_PART = (
    *("linen_bridge_in_module", "haiku_stays_beside", "haiku_shared_initializers"),
    *("haiku_chunked_calls", "haiku_bridge_mode", "linen_shared_layers"),
)

pytestmark = pytest.mark.parametrize("fixture", FIXTURES, ids=lambda folder: folder.name)


def rewritten(fixture: Path, *names: str) -> dict[str, str]:
    """What files of a fixture become, and what is made beside them."""
    outcomes = engine.rewrite([Source(fixture / name) for name in names], Options())
    found = {name: (fixture / name).read_text() for name in names}
    texts = {Path(o.report.path).name: o.new_text for o in outcomes if o.new_text is not None}
    return {**found, **texts}


def made(fixture: Path) -> dict[str, str]:
    """The files that the rewrite is expected to make."""
    return {
        path.name: path.read_text() for path in fixture.glob("*.py") if path.name != "before.py"
    }


def test_text(fixture: Path) -> None:
    found = rewritten(fixture, "before.py")
    assert {"after.py": found.pop("before.py"), **found} == made(fixture)


def test_second_run(fixture: Path) -> None:
    assert rewritten(fixture, *made(fixture)) == made(fixture)


def test_nothing_of_the_old_frameworks_is_left(fixture: Path) -> None:
    tree = ast.parse((fixture / "after.py").read_text())
    names = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    names |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    left = [name for name in names if name.startswith(("flax.linen", "haiku"))]
    assert bool(left) == (fixture.name in STAY_IN_PART)


def test_numbers(fixture: Path) -> None:
    before, after = printed(fixture / "before.py"), printed(fixture / "after.py", strict=True)
    assert before
    assert same(before, after), (before, after)
