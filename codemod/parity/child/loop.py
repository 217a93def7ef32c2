"""The loop of a child process: a line of JSON in for each job, a line of JSON out."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any, TextIO

from . import limits
from .failure import describe


def main() -> None:
    """Serves jobs until the standard input ends. The first line holds the settings of the process."""
    answers = _own_channel()
    settings = json.loads(sys.stdin.readline())
    limits.apply(settings.get("memory"))
    if settings.get("x64"):
        os.environ["JAX_ENABLE_X64"] = "1"
    for line in sys.stdin:
        _answer(answers, {**_done(json.loads(line)), "used": limits.used()})


def _own_channel() -> TextIO:
    """A stream for the answers alone: what user code prints goes to the standard error stream."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return answers


def _done(job: dict[str, Any]) -> dict[str, Any]:
    """The result of a job; whatever user code raises is a result, too."""
    from .jobs import perform

    try:
        return perform(job)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        traceback.print_exc()
        return {"status": "failed", "stage": "job", "error": describe(error)}


def _answer(stream: TextIO, result: dict[str, Any]) -> None:
    stream.write(json.dumps(result) + "\n")
    stream.flush()
