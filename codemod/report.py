"""What became of each file, and the report's JSON (version 1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .source import Source, Unreadable

VERSION = 1
FileStatus = Literal["rewritten", "unchanged", "partial", "failed"]
ClassSource = Literal["linen", "haiku", "haiku-function"]
ClassStatus = Literal["rewritten", "bridged", "kept"]


@dataclass(frozen=True)
class Diagnostic:
    """Something that was left as it was: `line` counts from 1, `column` from 0; `help` says what a person does next."""

    code: str
    line: int
    column: int
    message: str
    help: str = ""

    @property
    def order(self) -> tuple[int, int, str, str]:
        """The key by which diagnostics of one file are listed."""
        return self.line, self.column, self.code, self.message

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "help": self.help,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Diagnostic:
        """The inverse of `to_json`."""
        return cls(**data)


@dataclass(frozen=True)
class AddedParameter:
    """A constructor parameter that the original did not have.

    `from_` is a Python expression over the argument names of the original's `method` and, as `self.<field>`, its
    constructor fields.
    """

    name: str
    from_: str
    method: str = "__call__"

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "from": self.from_, "method": self.method}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AddedParameter:
        """The inverse of `to_json`."""
        return cls(data["name"], data["from"], data["method"])


@dataclass
class ClassReport:
    """What became of one module class or transformed function.

    `mode_arguments` maps each call argument that went to the mode method for each of its values, as in
    `{"training": {"true": "train", "false": "eval"}}`. `variables` tells where each original variable went,
    `traced` the lines and columns of the code whose sizes a run of the original told.
    """

    name: str
    source: ClassSource
    status: ClassStatus
    new_name: str = ""
    added_parameters: list[AddedParameter] = field(default_factory=list)
    mode_arguments: dict[str, dict[str, str]] = field(default_factory=dict)
    variables: list[dict[str, Any]] = field(default_factory=list)
    traced: list[dict[str, int]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        traced = {"traced": self.traced} if self.traced else {}
        return {
            "name": self.name,
            "source": self.source,
            "status": self.status,
            "new_name": self.new_name or self.name,
            "added_parameters": [parameter.to_json() for parameter in self.added_parameters],
            "mode_arguments": self.mode_arguments,
            "variables": self.variables,
            **traced,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ClassReport:
        """The inverse of `to_json`."""
        added = [AddedParameter.from_json(parameter) for parameter in data["added_parameters"]]
        return cls(**{**data, "added_parameters": added})


@dataclass
class FileReport:
    """What became of one file; `path` is as the user named it."""

    path: str
    status: FileStatus = "unchanged"
    diagnostics: list[Diagnostic] = field(default_factory=list)
    classes: list[ClassReport] = field(default_factory=list)
    # what stays for want of a size
    unsized: list[tuple[str, ClassSource]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "status": self.status,
            "diagnostics": [
                diagnostic.to_json()
                for diagnostic in sorted(self.diagnostics, key=lambda d: d.order)
            ],
            "classes": [cls.to_json() for cls in self.classes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FileReport:
        """The inverse of `to_json`."""
        return cls(
            data["path"],
            data["status"],
            [Diagnostic.from_json(diagnostic) for diagnostic in data["diagnostics"]],
            [ClassReport.from_json(one) for one in data["classes"]],
        )


@dataclass
class Outcome:
    """A file with its new text.

    `new_text` is None where nothing changes. `source` is None for a file that the run creates and for one that could
    not be read. The file to write is `report.path`.
    """

    report: FileReport
    source: Source | None = None
    new_text: str | None = None

    @property
    def created(self) -> bool:
        return self.source is None and self.new_text is not None

    def has(self, code: str) -> bool:
        """Whether a diagnostic has this code."""
        return any(diagnostic.code == code for diagnostic in self.report.diagnostics)

    def new_bytes(self) -> bytes | None:
        """The file's new content, None where nothing changes."""
        if self.new_text is None:
            return None
        if self.source is None:
            return self.new_text.encode()
        data = self.source.encode(self.new_text)
        return None if data == self.source.bytes else data


UNREADABLE = "E001"
INTERNAL_ERROR = "E002"
UNWRITABLE = "E003"
# What the user has to see to before anything else.
FATAL = frozenset((UNREADABLE, INTERNAL_ERROR, UNWRITABLE))


def failed(path: Path | str, diagnostic: Diagnostic) -> Outcome:
    """The outcome of a file that could not be dealt with and stays as it is."""
    return Outcome(FileReport(str(path), "failed", [diagnostic]))


def unreadable(error: Unreadable) -> Outcome:
    """The outcome of a file that is no Python that can be read."""
    return failed(error.path, Diagnostic(UNREADABLE, error.line, error.column, error.message))


def document(reports: Iterable[FileReport], tool: str) -> dict[str, Any]:
    """The report of a run; `tool` is this program's version."""
    files = sorted(reports, key=lambda report: report.path)
    return {"version": VERSION, "tool": tool, "files": [report.to_json() for report in files]}


def dumps(reports: Iterable[FileReport], tool: str) -> str:
    """The report as text, the same for the same reports."""
    return json.dumps(document(reports, tool), indent=1, ensure_ascii=False) + "\n"
