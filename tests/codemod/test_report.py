"""Outcomes and the report's JSON."""

from __future__ import annotations

import json
from pathlib import Path

from nnx_codemod.codemod.report import (
    AddedParameter,
    ClassReport,
    Diagnostic,
    FileReport,
    Outcome,
    dumps,
    unreadable,
)
from nnx_codemod.codemod.source import Source, Unreadable


def test_the_json_of_a_report() -> None:
    report = FileReport(
        "models.py",
        "partial",
        [
            Diagnostic("HK900", 7, 2, "unknown `hk.Foo`", "write it by hand"),
            Diagnostic("HK901", 3, 4, "é"),
        ],
        [
            ClassReport(
                "Block",
                "linen",
                "rewritten",
                added_parameters=[AddedParameter("in_features", "x.shape[-1]")],
                mode_arguments={"training": {"true": "train", "false": "eval"}},
                variables=[{"path": "params/Dense_0/kernel"}],
            ),
            ClassReport("net_fn", "haiku-function", "kept", "Net"),
        ],
    )
    assert json.loads(dumps([report, FileReport("a.py")], "1.2.3")) == {
        "version": 1,
        "tool": "1.2.3",
        "files": [
            {"path": "a.py", "status": "unchanged", "diagnostics": [], "classes": []},
            {
                "path": "models.py",
                "status": "partial",
                "diagnostics": [
                    {"code": "HK901", "line": 3, "column": 4, "message": "é", "help": ""},
                    {
                        "code": "HK900",
                        "line": 7,
                        "column": 2,
                        "message": "unknown `hk.Foo`",
                        "help": "write it by hand",
                    },
                ],
                "classes": [
                    {
                        "name": "Block",
                        "source": "linen",
                        "status": "rewritten",
                        "new_name": "Block",
                        "added_parameters": [
                            {"name": "in_features", "from": "x.shape[-1]", "method": "__call__"}
                        ],
                        "mode_arguments": {"training": {"true": "train", "false": "eval"}},
                        "variables": [{"path": "params/Dense_0/kernel"}],
                    },
                    {
                        "name": "net_fn",
                        "source": "haiku-function",
                        "status": "kept",
                        "new_name": "Net",
                        "added_parameters": [],
                        "mode_arguments": {},
                        "variables": [],
                    },
                ],
            },
        ],
    }


def test_a_report_survives_its_json() -> None:
    report = FileReport(
        "models.py",
        "partial",
        [Diagnostic("HK900", 7, 2, "unknown", "write it")],
        [
            ClassReport(
                "Block",
                "linen",
                "bridged",
                "NewBlock",
                [AddedParameter("in_features", "x.shape[-1]", "encode")],
                {"training": {"true": "train"}},
                [{"path": "params/Dense_0/kernel"}],
            )
        ],
    )
    assert FileReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_the_new_bytes_of_an_outcome() -> None:
    source = Source("a.py", b"a = 1\r\n")
    assert Outcome(FileReport("a.py"), source).new_bytes() is None
    assert Outcome(FileReport("a.py"), source, "a = 1\r\n").new_bytes() is None
    assert Outcome(FileReport("a.py"), source, "a = 2\n").new_bytes() == b"a = 2\r\n"


def test_a_file_that_the_run_creates() -> None:
    outcome = Outcome(FileReport("nnx_layers.py"), new_text="é = 1\n")
    assert outcome.created
    assert outcome.new_bytes() == "é = 1\n".encode()
    assert not Outcome(FileReport("a.py"), Source("a.py", b""), "a").created


def test_a_file_that_cannot_be_read() -> None:
    outcome = unreadable(Unreadable(Path("a.py"), 3, 4, "not Python: invalid syntax"))
    assert outcome.report.to_json() == {
        "path": "a.py",
        "status": "failed",
        "diagnostics": [
            {
                "code": "E001",
                "line": 3,
                "column": 4,
                "message": "not Python: invalid syntax",
                "help": "",
            }
        ],
        "classes": [],
    }
