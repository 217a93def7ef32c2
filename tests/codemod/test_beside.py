"""How files import the helpers beside them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nnx_codemod.codemod.beside import helper_module, import_either_way
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
        ({"lib/__init__.py": "", "lib/net.py": SCRIPT}, ".nnx_layers"),
        # Run from its own folder, but not without the package around it.
        (
            {"lib/__init__.py": "", "lib/examples/net.py": "import lib as l"},
            "lib.examples.nnx_layers",
        ),
        ({"lib/__init__.py": "", "lib/examples/net.py": "import other"}, "nnx_layers"),
        # Its own imports say by which name the folder above is known.
        ({"lib/a.py": "", "lib/sub/net.py": "from lib import a"}, "lib.sub.nnx_layers"),
        ({"lib/a/b.py": "", "lib/a/c/net.py": "import lib.a.b"}, "lib.a.c.nnx_layers"),
        ({"lib/a.py": "", "sub/net.py": "from lib import a"}, "nnx_layers"),
        # A folder without `__init__.py` whose files speak of each other as parts of a package.
        ({"lib/a.py": "from .net import Net", "lib/net.py": ""}, ".nnx_layers"),
        ({"lib/a.py": "from . import net", "lib/net.py": ""}, ".nnx_layers"),
        ({"lib/a.py": "", "lib/net.py": "from .a import b"}, ".nnx_layers"),
        ({"lib/a.py": "from .b import Net", "lib/b.py": "", "lib/net.py": ""}, "nnx_layers"),
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


@pytest.mark.parametrize(
    ("files", "either_way"),
    [
        ({"lib/__init__.py": "", "lib/net.py": SCRIPT}, True),
        ({"lib/__init__.py": "", "lib/net.py": SCRIPT, "test.py": "from lib import net"}, False),
        ({"lib/__init__.py": "", "lib/net.py": f"from . import a\n{SCRIPT}"}, False),
        ({"lib/__init__.py": "", "lib/net.py": "import os"}, False),
        ({"lib/net.py": SCRIPT}, False),
        ({"lib/net.py": SCRIPT, "main.py": "from lib import net"}, True),
        ({"lib/net.py": SCRIPT, "lib/a.py": "", "main.py": "from lib import a"}, True),
        ({"lib/net.py": f"from lib import a\n{SCRIPT}", "lib/a.py": ""}, False),
        ({"lib/net.py": "import os", "main.py": "from lib import net"}, False),
        ({"lib/net.py": "import os", "lib/a.py": "", "lib/main.py": "from lib import a"}, False),
    ],
)
def test_a_script_in_a_package_finds_its_helpers_either_way(
    tmp_path: Path, files: dict[str, str], either_way: bool
) -> None:
    sources = []
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        sources.append(Source(path))
    project = Project.of(sources)
    module = next(m for path, m in project.modules.items() if path.name == "net.py")
    line = f"from {helper_module(module, project)} import merge_param\n"
    text = import_either_way(f"import jax\n{line}", module, project)
    if not either_way:
        assert text == f"import jax\n{line}"
        return
    (module.path.parent / "nnx_layers.py").write_text("merge_param = 1\n")
    (module.path.parent / "net.py").write_text(
        text.replace("import jax\n", "") + "print(merge_param)\n"
    )
    for command in (["lib/net.py"], ["-m", "lib.net"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.stdout == "1\n", done.stderr


def test_files_of_a_package_that_is_not_found_by_its_name_find_their_helpers_either_way(
    tmp_path: Path,
) -> None:
    files = {"net.py": "import os", "a.py": "from lib import net"}
    texts = {}
    for place in ("lib", "lib-main"):
        sources = []
        for name, text in files.items():
            path = tmp_path / place / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text)
            sources.append(Source(path))
        project = Project.of(sources)
        for module in project.modules.values():
            line = f"from {helper_module(module, project)} import merge_param\n"
            texts[place, module.path.name] = import_either_way(line, module, project)
    alone = {place for place, text in texts.items() if "imported on its own" in text}
    assert alone == {("lib-main", "net.py")}
