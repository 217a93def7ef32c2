"""Started as a script: loads the package that it stands in, whatever interpreter runs it, and serves jobs."""

import importlib
import importlib.util
import sys
from pathlib import Path

NAME = "nnx_codemod_parity_child"


def main() -> None:
    folder = Path(__file__).resolve().parent
    sys.path.pop(0)  # this folder: its modules are nobody's top-level modules
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)
    importlib.import_module(f"{NAME}.loop").main()


if __name__ == "__main__":
    main()
