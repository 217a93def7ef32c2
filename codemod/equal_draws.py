"""Runs a program with every random draw made independent of its key.

    python -m nnx_codemod.codemod.equal_draws PROGRAM [ARGUMENT ...]

A program and its rewrite derive their keys differently, so they start from different weights and drop different
units. Here every key is the same one, and a draw depends on its distribution and shape alone: two programs that
compute the same thing print the same numbers.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any


def install() -> None:
    """Makes all of JAX's keys one key, in this process."""
    import jax

    key, raw_key, split = jax.random.key, jax.random.PRNGKey, jax.random.split

    def same_key(seed: Any = 0, **kind: Any) -> Any:
        return key(0, **kind)

    def same_raw_key(seed: Any = 0, **kind: Any) -> Any:
        return raw_key(0, **kind)

    def same_keys(key: Any, num: int | tuple[int, ...] = 2) -> Any:
        return jax.numpy.broadcast_to(key, split(key, num).shape)

    def unfolded(key: Any, data: Any) -> Any:
        return key

    jax.random.key, jax.random.PRNGKey = same_key, same_raw_key
    jax.random.split, jax.random.fold_in = same_keys, unfolded


def main() -> None:
    program, *arguments = sys.argv[1:]
    install()
    sys.argv = [program, *arguments]
    sys.path[0] = str(Path(program).resolve().parent)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
