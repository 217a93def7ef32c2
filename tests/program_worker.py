"""Runs programs one after the other in one process, with equal draws: what all share is compiled once.

Started by `programs.py`. Each line of the input is `["path/of/a/program.py", strict]`; each line of the output
answers with what it printed, and with its traceback if it failed. `strict` makes deprecation warnings errors.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import runpy
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import flax.linen  # noqa: F401 (what most programs import is imported before they are)
import haiku  # noqa: F401
import jax
import numpy as np
import optax  # noqa: F401
from flax.nnx import variablelib

from nnx_codemod.codemod import equal_draws

_COLLECT = 8  # programs between two collections of what they compiled


@contextlib.contextmanager
def own_surroundings(program: Path, strict: bool) -> Iterator[None]:
    """What a program imports, registers, prints or seeds does not reach the next one."""
    modules, path, folder = set(sys.modules), list(sys.path), os.getcwd()
    registered = dict(variablelib.VariableTypeCache)
    sys.path.insert(0, str(program.parent))
    sys.argv = [str(program)]
    os.chdir(program.parent)
    np.random.seed(0)
    try:
        with warnings.catch_warnings():
            if strict:
                warnings.simplefilter("error", DeprecationWarning)
            yield
    finally:
        os.chdir(folder)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(program.parent):
                del sys.modules[name]
        variablelib.VariableTypeCache.clear()
        variablelib.VariableTypeCache.update(registered)


def run(program: Path, strict: bool) -> dict[str, str | None]:
    """What a program prints, and its traceback if it fails."""
    printed, failed = io.StringIO(), None
    with own_surroundings(program, strict), contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(str(program), run_name="__main__")
        except (Exception, SystemExit):
            failed = traceback.format_exc()
    return {"printed": printed.getvalue(), "failed": failed}


def main() -> None:
    equal_draws.install()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library writes to the output is no answer
    for number, line in enumerate(sys.stdin, start=1):
        program, strict = json.loads(line)
        print(json.dumps(run(Path(program), strict)), file=answers, flush=True)
        if number % _COLLECT == 0:
            jax.clear_caches()
            gc.collect()


if __name__ == "__main__":
    main()
