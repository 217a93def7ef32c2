"""Child processes: what user code can do to them, and what they see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnx_codemod.codemod.parity.process import Child, Settings, environment


def job(tree: Path, module: str) -> dict[str, Any]:
    """A job that ends, one way or the other, with the import of a module."""
    folder = tree / "results"
    folder.mkdir(exist_ok=True)
    return {
        "side": "original",
        "module": module,
        "name": "Missing",
        "paths": [str(tree)],
        "tree": str(tree),
        "folder": str(folder),
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    modules = {
        "fine": "",
        "broken": "raise ValueError('no luck')",
        "leaving": "import sys; sys.exit(3)",
        "crashing": "import os; os.abort()",
        "hanging": "import time\nwhile True: time.sleep(1)",
        "greedy": "import numpy as np\nnp.ones(1 << 29)",
        "noisy": "import os, sys\nprint('{\"status\": \"ok\"}'); os.write(1, b'junk')\nsys.stdout.write('x')",
        "curious": "import json, os\njson.dump(dict(os.environ), open('seen.json', 'w'))",
    }
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_one_module_costs_itself_alone(tree: Path) -> None:
    child = Child(Settings(timeout=20, memory=2 << 30), tree)
    told = {
        name: child.ask(job(tree, name))["error"]
        for name in (
            "fine",
            "broken",
            "leaving",
            "greedy",
            "noisy",
            "crashing",
            "fine",
            "hanging",
            "fine",
        )
    }
    starts = child.starts
    child.close()
    assert told.pop("fine").startswith("Missing is not to be had")
    assert told.pop("noisy").startswith("Missing is not to be had")
    assert told["broken"] == "ValueError: no luck (broken.py:1)"
    assert told["leaving"].startswith("SystemExit: 3")
    assert "MemoryError" in told["greedy"]
    assert "SIGABRT" in told["crashing"]
    assert told["hanging"] == "no end after 20 s"
    assert starts == 3  # again after the crash and after the hang, and never else


def test_no_secrets_reach_user_code(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    child = Child(Settings(timeout=120), tree, str(tree))
    child.ask(job(tree, "curious"))
    child.close()
    seen = json.loads((tree / "seen.json").read_text())
    assert "hunter2" not in json.dumps(seen)
    assert seen["HOME"] == str(tree)
    assert seen["JAX_PLATFORMS"] == "cpu"


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--anything")
    assert "XLA_FLAGS" not in environment(Settings(), "/")
    assert "device_count=4" in environment(Settings(devices=4), "/")["XLA_FLAGS"]
    assert "JAX_PLATFORMS" not in environment(Settings(device=""), "/")


def test_an_interpreter_that_is_none(tree: Path) -> None:
    child = Child(Settings(python=str(tree / "python")), tree)
    answer = child.ask(job(tree, "fine"))
    assert answer["status"] == "failed"
    assert "python" in answer["error"]


def test_a_process_that_holds_much_begins_anew(tree: Path) -> None:
    (tree / "keeping.py").write_text("import numpy as np\nkept = np.ones(3 << 27)\n")
    child = Child(Settings(timeout=60), tree)
    for name in ("fine", "fine", "keeping", "fine"):
        assert "Missing" in child.ask(job(tree, name))["error"]
    child.close()
    assert child.starts == 2
