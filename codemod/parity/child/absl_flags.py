"""Flags of absl that user code defines: nobody parses a command line here, so they have their defaults."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from typing import Any


def settle() -> None:
    """Lets flags be read."""
    values = _values()
    if values is not None and not values.is_parsed():
        values.mark_as_parsed()


def forget(modules: Iterable[str]) -> None:
    """Drops the flags that these modules defined: they may be imported again, and define them anew."""
    values = _values()
    if values is None:
        return
    defined = values.flags_by_module_dict()
    for module in modules:
        for flag in defined.get(module, ()):
            with contextlib.suppress(AttributeError):
                delattr(values, flag.name)


def _values() -> Any:
    module = sys.modules.get("absl.flags")
    return getattr(module, "FLAGS", None)
