"""The command line, with an engine made for the purpose: it knows `nn.Dense`, and that it cannot do `nn.scan`."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nnx_codemod import __version__
from nnx_codemod.cli import cli
from nnx_codemod.codemod import engine, show, write
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.report import ClassReport, Diagnostic, FileReport, Outcome
from nnx_codemod.codemod.source import Source

MODEL = "from flax import linen as nn\n\n\nclass MLP(nn.Module):\n    layer = nn.Dense(3)\n"
SCAN = "from flax import linen as nn\n\nbody = 1\nx = nn.scan(body)\n"


def rewrite(sources: Sequence[Source], options: Options, **_: object) -> list[Outcome]:
    return [_outcome(source) for source in sources]


def _outcome(source: Source) -> Outcome:
    report = FileReport(str(source.path))
    text = source.text.replace("nn.Dense", "nnx.Linear")
    if text != source.text:
        report.status = "rewritten"
        report.classes.append(ClassReport("MLP", "linen", "rewritten"))
    at = source.text.find("nn.scan")
    if at >= 0:
        report.status = "partial"
        report.diagnostics.append(
            Diagnostic("LN800", *source.location(at), "`nn.scan` stays", "write a loop")
        )
    return Outcome(report, source, text if text != source.text else None)


@pytest.fixture(autouse=True)
def simple_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "rewrite", rewrite)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model in it, the current one."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "models.py").write_text(MODEL)
    (folder / "tools.py").write_text("import os\n")
    monkeypatch.chdir(folder)
    return folder


def call(*arguments: str, status: int = 0) -> Result:
    """Runs a command and expects it to end with a status and without a traceback."""
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def commit() -> None:
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "x")


# ---- rewriting ---------------------------------------------------------------------------------------


def test_rewriting_in_place(tree: Path) -> None:
    result = call("rewrite", ".")
    assert "nnx.Linear(3)" in (tree / "models.py").read_text()
    assert (tree / "tools.py").read_text() == "import os\n"
    assert result.stdout == ""
    assert [line.split() for line in result.stderr.splitlines()] == [
        ["Files", "1", "rewritten", "0", "partial", "0", "failed", "1", "unchanged"],
        ["Classes", "1", "rewritten", "0", "bridged", "0", "kept"],
        ["Diagnostics", "0", "left"],
    ]


def test_helpers_beside_a_path_are_updated_with_it(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpers = tree / "nnx_layers.py"
    helpers.write_text("# Helpers.\n")

    def with_helpers(sources: Sequence[Source], options: Options, **_: object) -> list[Outcome]:
        report = FileReport(str(helpers), "rewritten")
        return [*rewrite(sources, options), Outcome(report, Source(helpers), "# More helpers.\n")]

    monkeypatch.setattr(engine, "rewrite", with_helpers)
    lines = call("rewrite", "models.py").stderr.splitlines()
    assert ["Files", "2", "rewritten", "0", "partial", "0", "failed", "0", "unchanged"] in [
        line.split() for line in lines
    ]


def test_a_second_run_has_nothing_to_do(tree: Path) -> None:
    call("rewrite", ".")
    before = (tree / "models.py").stat()
    result = call("rewrite", ".")
    assert result.stderr == "Nothing to rewrite in 2 Python files.\n"
    after = (tree / "models.py").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_diff(tree: Path) -> None:
    result = call("rewrite", "--diff", ".", status=1)
    assert result.stdout.startswith("--- a/models.py\n+++ b/models.py\n@@ -2,4 +2,4 @@\n")
    assert result.stdout.endswith("-    layer = nn.Dense(3)\n+    layer = nnx.Linear(3)\n")
    assert "Nothing was written." in result.stderr
    assert (tree / "models.py").read_text() == MODEL


def test_check(tree: Path) -> None:
    assert call("rewrite", "--check", ".", status=1).stdout == "models.py\n"
    assert (tree / "models.py").read_text() == MODEL
    call("rewrite", ".")
    assert call("rewrite", "--check", ".").stdout == ""


def test_a_diff_keeps_the_file_s_own_bytes(tree: Path) -> None:
    data = "# coding: latin-1\r\n# é\r\nfrom flax import linen as nn\r\nx = nn.Dense(3)".encode(
        "latin-1"
    )
    (tree / "models.py").write_bytes(data)
    patch = call("rewrite", "--diff", ".", status=1).stdout_bytes
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=patch, check=True)
    assert (tree / "models.py").read_bytes() == data.replace(b"nn.Dense", b"nnx.Linear")


def test_what_is_left_is_said_in_one_line_and_a_help(tree: Path) -> None:
    (tree / "rnn.py").write_text(SCAN)
    result = call("rewrite", ".", status=1)
    assert "rnn.py:4:5: LN800 `nn.scan` stays\n  help: write a loop\n" in result.stderr
    assert "nnx.Linear" in (tree / "models.py").read_text()
    assert result.stdout == ""


def test_two_paths_at_once(tree: Path) -> None:
    (tree / "pkg").mkdir()
    (tree / "pkg/net.py").write_text(MODEL)
    call("rewrite", "models.py", "pkg")
    assert "nnx.Linear" in (tree / "pkg/net.py").read_text()


# ---- the report --------------------------------------------------------------------------------------


def test_report(tree: Path) -> None:
    (tree / "rnn.py").write_text(SCAN)
    call("rewrite", ".", "--report", "out.json", status=1)
    report = json.loads((tree / "out.json").read_bytes())
    assert (report["version"], report["tool"]) == (1, __version__)
    assert [(file["path"], file["status"]) for file in report["files"]] == [
        ("models.py", "rewritten"),
        ("rnn.py", "partial"),
    ]
    assert report["files"][1]["diagnostics"] == [
        {
            "code": "LN800",
            "line": 4,
            "column": 4,
            "message": "`nn.scan` stays",
            "help": "write a loop",
        }
    ]


def test_report_on_the_standard_output(tree: Path) -> None:
    result = call("rewrite", str(tree), "--report", "-")
    (file,) = json.loads(result.stdout)["files"]
    assert file["path"] == str(tree / "models.py")


def test_a_report_that_cannot_be_written(tree: Path) -> None:
    call("rewrite", ".", "--report", "no/such/out.json", status=2)
    call("rewrite", ".", "--report", "/", status=2)
    assert (tree / "models.py").read_text() != ""


@pytest.mark.parametrize("dry", ["--diff", "--check"])
def test_one_result_at_a_time_on_the_standard_output(tree: Path, dry: str) -> None:
    call("rewrite", ".", "--report", "-", dry, status=2)
    call("rewrite", ".", "--diff", "--check", status=2)


# ---- options -----------------------------------------------------------------------------------------


def test_flags_beat_the_configuration(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Options] = []

    def work(sources: Sequence[Source], options: Options, **_: object) -> list[Outcome]:
        seen.append(options)
        return []

    monkeypatch.setattr(engine, "rewrite", work)
    (tree / "pyproject.toml").write_text("[tool.nnx-codemod]\nnames = 'original'\nselect = ['LN']")
    call("rewrite", ".")
    call(
        "rewrite",
        ".",
        "--names",
        "pythonic",
        "--mode-flags",
        "keep",
        "--select",
        "LN101,LN2",
        "--ignore",
        "LN201",
    )
    assert [(o.names, o.mode_flags, o.select, o.ignore) for o in seen] == [
        ("original", "drop", ("LN",), ()),
        ("pythonic", "keep", ("LN101", "LN2"), ("LN201",)),
    ]


def test_a_mistake_in_the_configuration(tree: Path) -> None:
    (tree / "pyproject.toml").write_text("[tool.nnx-codemod]\nname = 'original'")
    result = call("rewrite", ".", status=2)
    assert (
        result.stderr
        == f"error: {tree}/pyproject.toml: [tool.nnx-codemod] has no key name, did you mean names?\n"
    )
    assert (tree / "models.py").read_text() == MODEL


@pytest.mark.parametrize(
    "flags", [["--select", "XX"], ["--names", "mine"], ["--what"], ["--ignore", "LN101,QQ"]]
)
def test_a_mistake_in_the_flags(tree: Path, flags: list[str]) -> None:
    call("rewrite", ".", *flags, status=2)
    assert (tree / "models.py").read_text() == MODEL


def test_excluded_files_stay(tree: Path) -> None:
    (tree / "pyproject.toml").write_text("[tool.nnx-codemod]\nexclude = ['models.py']")
    call("rewrite", ".", "models.py")
    assert (tree / "models.py").read_text() == MODEL


# ---- git ---------------------------------------------------------------------------------------------


def test_a_clean_work_tree_is_rewritten(tree: Path) -> None:
    commit()
    call("rewrite", ".")
    assert "nnx.Linear" in (tree / "models.py").read_text()


@pytest.mark.parametrize("change", ["modified", "other modified", "staged", "untracked"])
def test_uncommitted_changes_are_in_the_way(tree: Path, change: str) -> None:
    if change == "untracked":
        git("init", "-q")
    else:
        commit()
    if change != "untracked":
        name = "tools.py" if change == "other modified" else "models.py"
        (tree / name).write_text((tree / name).read_text() + "# mine\n")
    if change == "staged":
        git("add", ".")
    before = (tree / "models.py").read_text()
    result = call("rewrite", ".", status=2)
    assert "uncommitted changes" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (tree / "models.py").read_text() == before
    call("rewrite", "--diff", ".", status=1)
    call("rewrite", ".", "--allow-dirty")
    assert "nnx.Linear" in (tree / "models.py").read_text()


def test_what_git_does_not_know_is_in_the_way_only_if_it_changes(tree: Path) -> None:
    commit()
    (tree / "notes.py").write_text("import flax.linen\n")
    call("rewrite", ".")


def test_with_nothing_to_do_a_work_tree_may_be_as_it_is(tree: Path) -> None:
    commit()
    call("rewrite", ".")
    call("rewrite", ".")


# ---- bad input ---------------------------------------------------------------------------------------

DEEP = "x = " + "a + " * 20_000 + "a\n"
BAD = {
    "no Python": (
        b"import flax.linen as nn\ndef f(:\n",
        "bad.py:2:7: E001 not Python: invalid syntax",
    ),
    "Python 2": (
        b"import flax\nprint 'x'\n",
        "bad.py:2:1: E001 Python 2 code: Missing parentheses",
    ),
    "not UTF-8": (b"import flax\n# \xe9\n", "bad.py:2:3: E001 byte 0xe9 is not utf-8"),
    "a wrong cookie": (
        b"# coding: ascii\nimport flax\n# \xe9\n",
        "bad.py:3:3: E001 byte 0xe9 is not ascii",
    ),
    "an unknown cookie": (
        b"# coding: klingon\nimport flax\n",
        "bad.py:1:1: E001 unknown encoding: klingon",
    ),
    "null bytes": (b"import flax\nx = '\0'\n", "bad.py:2:6: E001 not Python: a null byte"),
    "deep": (
        b"import flax\n" + DEEP.encode(),
        "bad.py:2:1: E001 an expression or statement is nested too deeply",
    ),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_parsed_fails_alone(tree: Path, data: bytes, message: str) -> None:
    (tree / "bad.py").write_bytes(data)
    result = call("rewrite", ".", status=2)
    assert result.stderr.splitlines()[0].startswith(message)
    assert (tree / "bad.py").read_bytes() == data
    assert "nnx.Linear" in (tree / "models.py").read_text()


GOOD = {
    "empty": b"",
    "BOM": b"\xef\xbb\xbf" + MODEL.encode(),
    "CRLF": MODEL.replace("\n", "\r\n").encode(),
    "mixed line ends": MODEL.replace("\n\n", "\r\n\r\n").encode(),
    "no final newline": MODEL.rstrip("\n").encode(),
    "latin-1": ("# coding: latin-1\n# é\n" + MODEL).encode("latin-1"),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_every_byte_that_no_rule_asked_for_stays(tree: Path, data: bytes) -> None:
    (tree / "models.py").write_bytes(data)
    call("rewrite", "models.py")
    assert (tree / "models.py").read_bytes() == data.replace(b"nn.Dense", b"nnx.Linear")


def test_a_path_that_does_not_exist(tree: Path) -> None:
    result = call("rewrite", "gone.py", "models.py", status=2)
    assert result.stderr.splitlines()[0] == "error: gone.py: no such file or directory"
    assert "nnx.Linear" in (tree / "models.py").read_text()


def test_a_read_only_file(tree: Path) -> None:
    (tree / "more.py").write_text(MODEL)
    (tree / "models.py").chmod(0o444)
    result = call("rewrite", ".", status=2)
    assert (
        result.stderr.splitlines()[0]
        == "models.py:1:1: E003 cannot be written: the file is read-only"
    )
    assert (tree / "models.py").read_text() == MODEL
    assert "nnx.Linear" in (tree / "more.py").read_text()


def test_a_symlink_out_of_the_tree(tree: Path) -> None:
    (tree.parent / "theirs.py").write_text(MODEL)
    os.symlink("../theirs.py", tree / "link.py")
    result = call("rewrite", ".", status=2)
    assert (
        result.stderr.splitlines()[0]
        == "error: link.py: a symlink out of the tree, to ../theirs.py"
    )
    assert (tree.parent / "theirs.py").read_text() == MODEL
    assert (tree / "link.py").is_symlink()
    assert "nnx.Linear" in (tree / "models.py").read_text()


def test_the_mode_of_a_file_stays(tree: Path) -> None:
    (tree / "models.py").chmod(0o755)
    call("rewrite", ".")
    assert stat.S_IMODE((tree / "models.py").stat().st_mode) == 0o755


def test_an_engine_that_fails_at_a_file(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(
        sources: Sequence[Source], options: Options, progress: Callable[[str], None], **_: object
    ) -> list[Outcome]:
        for source in sources:
            progress(str(source.path))
            if source.path.name == "more.py":
                raise AssertionError("not\nhere")
        return rewrite(sources, options)

    monkeypatch.setattr(engine, "rewrite", work)
    (tree / "more.py").write_text(MODEL)
    result = call("rewrite", ".", status=2)
    assert result.stderr.startswith(
        "more.py:1:1: E002 internal error: AssertionError: not here (test_cli.py:"
    )
    assert (tree / "more.py").read_text() == MODEL
    assert "nnx.Linear" in (tree / "models.py").read_text()


def test_a_disk_that_fills_up(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "more.py").write_text(MODEL)
    written: list[Path] = []

    def replace(path: Path, data: bytes, expected: bytes | None) -> None:
        if path.name == "more.py":
            raise OSError(28, "No space left on device")
        written.append(path)
        path.write_bytes(data)

    monkeypatch.setattr(write, "_replace", replace)
    result = call("rewrite", ".", status=2)
    assert (
        result.stderr
        == "error: more.py: cannot be written: No space left on device; nothing was written\n"
    )
    assert written
    assert (tree / "models.py").read_text() == MODEL


def test_names_that_are_no_text(tree: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    (tree / name).write_text(MODEL)
    assert call("rewrite", ".", "--check", status=1).stdout_bytes.splitlines() == [
        b"caf\xe9.py",
        b"models.py",
    ]
    call("rewrite", ".", "--report", "out.json")
    paths = [file["path"] for file in json.loads((tree / "out.json").read_bytes())["files"]]
    assert paths == [name, "models.py"]


# ---- as a program ------------------------------------------------------------------------------------


def program(*arguments: str, **environment: str) -> list[str]:
    return [sys.executable, "-m", "nnx_codemod", *arguments]


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['nnx-codemod', '--help']\nimport nnx_codemod.cli as c\ntry: c.main()\nexcept SystemExit: pass\n"
    code += "print([m for m in ('jax', 'flax', 'rich', 'numpy', 'nnx_codemod.codemod.engine') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version() -> None:
    assert call("--version").stdout == f"nnx-codemod {__version__}\n"


def test_an_interruption_is_quiet(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object, **__: object) -> list[Outcome]:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "rewrite", work)
    result = call("rewrite", ".", status=128 + signal.SIGINT)
    assert result.output == ""
    assert (tree / "models.py").read_text() == MODEL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing_behind(tree: Path, number: signal.Signals) -> None:
    code = (
        "import os, sys, nnx_codemod.cli as c, nnx_codemod.codemod.engine as e, nnx_codemod.codemod.write as w\n"
        "from nnx_codemod.codemod.report import FileReport, Outcome\n"
        "e.rewrite = lambda s, o, **k: [Outcome(FileReport(str(x.path)), x, x.text + '# new') for x in s]\n"
        f"os.replace = lambda *a: os.kill(os.getpid(), {number:d})\n"
        # A job in the background starts with SIGINT ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.argv = ['nnx-codemod', 'rewrite', '--no-cache', '.']\n"
        "c.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + number
    assert done.stdout + done.stderr == ""
    assert sorted(os.listdir(tree)) == ["models.py", "tools.py"]
    assert (tree / "models.py").read_text() == MODEL


# ---- rules -------------------------------------------------------------------------------------------


def test_rules_are_listed() -> None:
    lines = call("rules").stdout.splitlines()
    assert "LN101  nn.Dense becomes nnx.Linear" in lines
    assert all(line[:2].isupper() for line in lines)
    assert len(call("rules", "LN1").stdout.splitlines()) < len(lines)


def test_a_rule_is_explained() -> None:
    text = call("rules", "LN101").stdout
    assert "nn.Dense becomes nnx.Linear" in text
    assert "\nBefore\n\n    x = nn.Dense" in text
    assert "\nAfter\n\n    self.linear" in text


def test_a_rule_that_does_not_exist() -> None:
    assert "did you mean LN101?" in call("rules", "LM101", status=2).stderr


# ---- colours and progress ----------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False
    )
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.usefixtures("terminal")
def test_colours_on_a_terminal(tree: Path) -> None:
    (tree / "rnn.py").write_text(SCAN)
    result = call("rewrite", "--diff", ".", status=1)
    assert "\x1b[31m-    layer = nn.Dense(3)\n" in result.stdout
    assert "\x1b[1mrnn.py:4:5:" in result.stderr


@pytest.mark.usefixtures("terminal")
def test_no_color_is_honoured(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    (tree / "rnn.py").write_text(SCAN)
    assert "\x1b" not in call("rewrite", "--diff", ".", status=1).output
    assert "\x1b" not in call("rules", "LN101").output


@pytest.mark.usefixtures("terminal")
def test_much_to_do_is_shown_on_a_terminal(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(
        sources: Sequence[Source], options: Options, progress: Callable[[str], None], **_: object
    ) -> list[Outcome]:
        for source in sources:
            progress(str(source.path))
        return rewrite(sources, options)

    monkeypatch.setattr(engine, "rewrite", work)
    bars: list[object] = []
    real = show._new_bar
    monkeypatch.setattr(show, "_new_bar", lambda: bars.append(1) or real())
    call("rewrite", "--check", ".", status=1)
    assert not bars
    for number in range(show.MANY):
        (tree / f"model{number}.py").write_text(MODEL)
    call("rewrite", "--check", ".", status=1)
    assert bars
