"""Started as a script: runs another script within a limit of memory.

python limited.py BYTES SCRIPT [ARGUMENT ...]
"""

import importlib.util
import runpy
import sys
from pathlib import Path


def main() -> None:
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location("limits", folder / "limits.py")
    assert spec is not None and spec.loader is not None
    limits = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(limits)
    limits.apply(int(sys.argv[1]) or None)
    del sys.argv[:2]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
