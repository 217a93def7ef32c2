"""Started as a script: runs a program with equal draws, and keeps arrays that it names when it ends.

python kept.py FILE NAME,... PROGRAM
"""

import importlib.util
import runpy
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    file, names, program = sys.argv[1:4]
    place = Path(__file__).resolve().parents[2] / "equal_draws.py"
    spec = importlib.util.spec_from_file_location("nnx_codemod_equal_draws", place)
    assert spec is not None and spec.loader is not None
    draws = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draws)
    draws.install()
    sys.argv = [program]
    sys.path[0] = str(Path(program).resolve().parent)
    found = runpy.run_path(program, run_name="__main__")
    _keep(found, names.split(","), file)


def _keep(found: dict[str, Any], names: list[str], file: str) -> None:
    import jax
    import numpy as np

    arrays: dict[str, Any] = {}
    for name in names:
        if name not in found:
            sys.exit(f"the program defines no `{name}` at its top")
        for number, leaf in enumerate(jax.tree.leaves(found[name])):
            array = np.asarray(leaf)
            if array.dtype.kind not in "biufcV":
                sys.exit(f"`{name}` holds more than arrays")
            arrays[f"{name}:{number}"] = (
                array.astype(np.float32) if array.dtype.kind == "V" else array
            )
    np.savez(file, **arrays)


if __name__ == "__main__":
    main()
