"""Names that JAX had when a file was written and has no more: put back while user code runs, and told.

Only what has the same meaning under another name today is put back: an annotation or a renamed function. Whoever asks for
one is the user's code, as JAX asks for nothing that it lacks.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_TREES = ("map", "leaves", "flatten", "unflatten", "structure", "transpose")
_TODAY: dict[str, dict[str, str]] = {  # by module: the old name, and where its meaning is to be had
    "jax": {
        "tree_multimap": "jax.tree_util:tree_map",
        **{f"tree_{name}": f"jax.tree_util:tree_{name}" for name in _TREES},
    },
    "jax.random": {"KeyArray": "jax:Array"},
    "jax.numpy": {
        "DeviceArray": "jax:Array",
        "alltrue": "jax.numpy:all",
        "sometrue": "jax.numpy:any",
        "product": "jax.numpy:prod",
        "cumproduct": "jax.numpy:cumprod",
        "in1d": "jax.numpy:isin",
        "row_stack": "jax.numpy:vstack",
        "trapz": "jax.numpy:trapezoid",
        "round_": "jax.numpy:round",
    },
    "jax.nn": {"normalize": "jax.nn:standardize"},
}
_used: set[str] = set()
_done: set[str] = set()


def put_back() -> None:
    """Lets the old names be found, where JAX has them no more."""
    for module, names in _TODAY.items():
        if module not in _done:
            _done.add(module)
            _extend(importlib.import_module(module), names)
    if "jax.config" not in sys.modules:
        import jax

        config: Any = ModuleType("jax.config")
        config.config = jax.config
        sys.modules["jax.config"] = config


def used() -> list[str]:
    """The names that were asked for."""
    return sorted(_used)


def _extend(module: Any, names: dict[str, str]) -> None:
    before = getattr(module, "__getattr__", None)

    def getattr_(name: str) -> Any:
        if before is not None:
            try:
                return before(name)
            except AttributeError:
                if name not in names:
                    raise
        if name not in names:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        place, _, attribute = names[name].partition(":")
        value = getattr(importlib.import_module(place), attribute)
        _used.add(f"{module.__name__}.{name}")
        return value

    module.__getattr__ = getattr_
