"""Random draws that depend on their distribution and shape alone, so that a layer and its rewrite draw equal numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from nnx_codemod.codemod import equal_draws

_PATCHED = ("key", "PRNGKey", "split", "fold_in")


@contextmanager
def equal_bits() -> Iterator[None]:
    """Within it, every key is the same key."""
    saved = {name: getattr(jax.random, name) for name in _PATCHED}
    equal_draws.install()
    try:
        yield
    finally:
        for name, function in saved.items():
            setattr(jax.random, name, function)
