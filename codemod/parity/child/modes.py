"""Flags that switch between training and evaluation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_TRAIN = ("train", "training", "is_training", "is_train", "in_training", "do_train")
_EVAL = (
    "deterministic",
    "eval",
    "evaluation",
    "is_eval",
    "inference",
    "use_running_average",
    "test",
)


@dataclass(frozen=True)
class Flag:
    """A flag: its name, the value that means training, whether it is a field, and whether the rewrite dropped it."""

    name: str
    training: bool
    field: bool
    dropped: bool

    def value(self, mode: str) -> bool:
        """What the flag is in "train" or "eval" mode."""
        return self.training if mode == "train" else not self.training


def flags(
    method: Callable[..., Any], constructor: Callable[..., Any] | None, reported: dict[str, Any]
) -> list[Flag]:
    """The flags of a module, of the call where it has them, else of the constructor."""
    found = []
    called, built = _parameters(method), _parameters(constructor) if constructor else []
    for name in dict.fromkeys([*called, *built, *reported]):
        training = _training(name, reported)
        if training is None or name not in (*called, *built):
            continue
        found.append(Flag(name, training, name not in called, name in reported))
    return found


def _training(name: str, reported: dict[str, Any]) -> bool | None:
    if name in reported:
        return bool(reported[name].get("true") == "train")
    if name in _TRAIN:
        return True
    return False if name in _EVAL else None


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []
