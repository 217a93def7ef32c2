"""Errors of user code, in a line."""

from __future__ import annotations

import os
import traceback

_LONGEST = 300


class Failure(Exception):
    """A stage that did not succeed; `stage` is the rung that it belongs to."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message


def describe(error: BaseException) -> str:
    """The kind of an exception, the first line of its message and where it was raised."""
    if isinstance(error, Failure):
        return error.message
    lines = [line for line in str(error).strip().splitlines() if line.strip()] or [""]
    frames = traceback.extract_tb(error.__traceback__)
    own = os.path.dirname(os.path.abspath(__file__))
    users = [frame for frame in frames if not frame.filename.startswith(own)]
    place = ""
    for frame in reversed(users):
        if "site-packages" not in frame.filename and not frame.filename.startswith("<"):
            place = f" ({os.path.basename(frame.filename)}:{frame.lineno})"
            break
    return f"{type(error).__name__}: {lines[0][:_LONGEST]}{place}"
