"""How files import the helpers beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.beside import helper_module
from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.source import Source

SCRIPT = "import os\nif __name__ == '__main__':\n    pass\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"net.py": ""}, "nnx_layers"),
        ({"__init__.py": "", "net.py": ""}, ".nnx_layers"),
        ({"lib/__init__.py": "", "lib/net.py": ""}, ".nnx_layers"),
        (
            {"lib/__init__.py": "", "lib/b/__init__.py": "", "lib/b/net.py": "from lib import a"},
            "lib.b.nnx_layers",
        ),
        ({"lib/__init__.py": "", "lib/net.py": "import lib\nfrom . import a"}, ".nnx_layers"),
        ({"lib/__init__.py": "", "lib/a.py": "", "lib/net.py": "import a"}, "nnx_layers"),
        ({"lib/net.py": "", "main.py": "from lib import net"}, "lib.nnx_layers"),
        ({"lib/net.py": "", "main.py": "import lib.net as n"}, "lib.nnx_layers"),
        # A script, which is no part of the package when it is run.
        ({"lib/__init__.py": "", "lib/net.py": SCRIPT}, "nnx_layers"),
        (
            {"lib/__init__.py": "", "lib/net.py": SCRIPT, "test.py": "from lib import net"},
            ".nnx_layers",
        ),
        # Run from its own folder, but not without the package around it.
        (
            {"lib/__init__.py": "", "lib/examples/net.py": "import lib as l"},
            "lib.examples.nnx_layers",
        ),
        ({"lib/__init__.py": "", "lib/examples/net.py": "import other"}, "nnx_layers"),
    ],
)
@pytest.mark.parametrize("relative", [False, True])
def test_helper_module(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    expected: str,
    relative: bool,
) -> None:
    sources = []
    if relative:
        monkeypatch.chdir(tmp_path)
        tmp_path = Path()
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        sources.append(Source(path))
    project = Project.of(sources)
    module = next(m for path, m in project.modules.items() if path.name == "net.py")
    assert helper_module(module, project) == expected
