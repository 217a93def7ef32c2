"""A run over paths, with engines made for the purpose."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nnx_codemod.codemod import engine, run
from nnx_codemod.codemod.cache import Cache
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.report import Diagnostic, FileReport, Outcome
from nnx_codemod.codemod.run import Examined, examine
from nnx_codemod.codemod.source import Source

Engine = Callable[..., list[Outcome]]
MODEL = "import flax.linen as nn\nclass MLP(nn.Module): pass\n"


def marking(sources: Sequence[Source], options: Options, **_: object) -> list[Outcome]:
    """An engine that writes a line at the end of each file."""
    return [Outcome(FileReport(str(s.path), "rewritten"), s, s.text + "# seen\n") for s in sources]


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here needs what the real engine does."""
    monkeypatch.setattr(
        engine,
        "rewrite",
        lambda sources, options, **_: [Outcome(FileReport(str(s.path)), s) for s in sources],
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "models.py").write_text(MODEL)
    (folder / "train.py").write_text("from models import MLP\nMLP()\n")
    (folder / "tools.py").write_text("import os\n")
    return folder


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Engine], None]:
    """Puts an engine in the place of the real one."""
    return lambda other: monkeypatch.setattr(engine, "rewrite", other)


def statuses(examined: Examined) -> dict[str, str]:
    return {Path(o.report.path).name: o.report.status for o in examined.outcomes}


def codes(examined: Examined) -> list[tuple[str, str]]:
    return [
        (Path(o.report.path).name, d.code) for o in examined.outcomes for d in o.report.diagnostics
    ]


def test_the_engine_gets_what_is_concerned(tree: Path, use: Callable[[Engine], None]) -> None:
    use(marking)
    examined = examine([tree], Options())
    assert statuses(examined) == {"models.py": "rewritten", "train.py": "rewritten"}
    assert examined.files == 3
    assert [change.path.name for change in examined.changes] == ["models.py", "train.py"]


def test_new_files_are_written_first(tree: Path, use: Callable[[Engine], None]) -> None:
    def creating(sources: Sequence[Source], options: Options, **rest: object) -> list[Outcome]:
        created = Outcome(FileReport(str(tree / "nnx_layers.py"), "rewritten"), None, "x = 1\n")
        return [*marking(sources, options), created]

    use(creating)
    assert [c.path.name for c in examine([tree], Options()).changes] == [
        "nnx_layers.py",
        "models.py",
        "train.py",
    ]


def test_a_file_that_does_not_parse_fails_alone(tree: Path, use: Callable[[Engine], None]) -> None:
    use(marking)
    (tree / "broken.py").write_text("import flax.linen as nn\ndef f(:\n")
    (tree / "latin.py").write_bytes(b"import flax.linen\n# \xe9\n")
    examined = examine([tree], Options())
    assert codes(examined) == [("broken.py", "E001"), ("latin.py", "E001")]
    assert [change.path.name for change in examined.changes] == ["models.py", "train.py"]


def test_a_file_that_is_named_is_parsed_whatever_is_in_it(tree: Path) -> None:
    (tree / "broken.py").write_text("def f(:\n")
    assert not codes(examine([tree], Options()))
    assert codes(examine([tree, tree / "broken.py"], Options())) == [("broken.py", "E001")]


# ---- files that stay -------------------------------------------------------------------------------


def recording(seen: list[tuple[list[str], list[str]]]) -> Engine:
    def work(
        sources: Sequence[Source], options: Options, fixed: Sequence[Source] = (), **_: object
    ) -> list[Outcome]:
        seen.append(([s.path.name for s in sources], [s.path.name for s in fixed]))
        return marking(sources, options)

    return work


def test_a_read_only_file_stays_and_the_others_are_told(
    tree: Path, use: Callable[[Engine], None]
) -> None:
    seen: list[tuple[list[str], list[str]]] = []
    use(recording(seen))
    (tree / "train.py").chmod(0o444)
    examined = examine([tree], Options())
    assert codes(examined) == [("train.py", "E003")]
    assert [change.path.name for change in examined.changes] == ["models.py"]
    assert seen == [(["models.py", "train.py"], []), (["models.py"], ["train.py"])]


def test_a_read_only_file_that_does_not_change_is_no_trouble(tree: Path) -> None:
    (tree / "train.py").chmod(0o444)
    assert not codes(examine([tree], Options()))


def test_the_rest_of_the_work_tree_is_told(tree: Path, use: Callable[[Engine], None]) -> None:
    seen: list[tuple[list[str], list[str]]] = []
    use(recording(seen))
    examine([tree / "models.py"], Options())
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    examine([tree / "models.py"], Options())
    assert seen == [(["models.py"], []), (["models.py"], ["train.py"])]


def test_paths_relative_to_the_working_directory_lead_to_the_same(
    tree: Path, use: Callable[[Engine], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pre-commit names files so: what they import and who uses them lies where it lies."""
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    (tree / "sub").mkdir()
    seen: list[list[Path]] = []

    def work(
        sources: Sequence[Source], options: Options, *, fixed: Sequence[Source] = (), **_: object
    ) -> list[Outcome]:
        seen.append([source.path for source in (*sources, *fixed)])
        created = Outcome(FileReport(str(tree / "made.py"), "rewritten"), None, "x = 1\n")
        return [*marking(sources, options), created]

    use(work)
    monkeypatch.chdir(tree / "sub")
    examined = examine([Path("../models.py")], Options())
    assert seen == [[(tree / name).resolve() for name in ("models.py", "train.py")]]
    assert [str(change.path) for change in examined.changes] == ["../made.py", "../models.py"]


# ---- an engine with bugs ---------------------------------------------------------------------------


def failing_at(name: str, error: Exception) -> Engine:
    def work(
        sources: Sequence[Source],
        options: Options,
        progress: Callable[[str], None] = lambda path: None,
        **_: object,
    ) -> list[Outcome]:
        for source in sources:
            progress(str(source.path))
            if source.path.name == name:
                raise error
        return marking(sources, options)

    return work


@pytest.mark.parametrize("error", [ValueError("two\nlines"), RecursionError("deep"), MemoryError()])
def test_an_exception_costs_one_file(
    tree: Path, use: Callable[[Engine], None], error: Exception
) -> None:
    use(failing_at("models.py", error))
    examined = examine([tree], Options())
    assert statuses(examined) == {"models.py": "failed", "train.py": "rewritten"}
    (failed,) = [o.report.diagnostics[0] for o in examined.outcomes if o.report.diagnostics]
    assert failed.code == "E002"
    assert failed.message.startswith(f"internal error: {type(error).__name__}")
    assert "\n" not in failed.message
    assert "test_run.py:" in failed.message


def test_an_exception_nowhere_costs_all_files(tree: Path, use: Callable[[Engine], None]) -> None:
    def work(*_: object, **__: object) -> list[Outcome]:
        raise KeyError("x")

    use(work)
    assert codes(examine([tree], Options())) == [("models.py", "E002"), ("train.py", "E002")]


@pytest.mark.parametrize(
    ("text", "message"), [("def f(:\n", "no Python"), ("s = 'Ω'\n", "no Python")]
)
def test_a_new_text_that_is_no_python_is_not_written(
    tree: Path, use: Callable[[Engine], None], text: str, message: str
) -> None:
    def work(sources: Sequence[Source], options: Options, **_: object) -> list[Outcome]:
        return [
            Outcome(
                FileReport(str(s.path), "rewritten"),
                s,
                text if s.path.name == "models.py" else s.text + "# seen\n",
            )
            for s in sources
        ]

    use(work)
    (tree / "models.py").write_text("# coding: ascii\n" + MODEL)
    examined = examine([tree], Options())
    assert codes(examined) == [("models.py", "E002")]
    assert message in examined.outcomes[0].report.diagnostics[0].message
    assert [change.path.name for change in examined.changes] == ["train.py"]


def test_an_interruption_is_not_swallowed(tree: Path, use: Callable[[Engine], None]) -> None:
    def work(*_: object, **__: object) -> list[Outcome]:
        raise KeyboardInterrupt

    use(work)
    with pytest.raises(KeyboardInterrupt):
        examine([tree], Options())


# ---- the cache -------------------------------------------------------------------------------------


def counting(calls: list[int], then: Engine = marking) -> Engine:
    def work(sources: Sequence[Source], options: Options, **rest: object) -> list[Outcome]:
        calls.append(len(sources))
        return then(sources, options, **rest)

    return work


def test_the_same_question_is_worked_out_once(
    tree: Path, tmp_path: Path, use: Callable[[Engine], None]
) -> None:
    calls: list[int] = []

    def work(sources: Sequence[Source], options: Options, **_: object) -> list[Outcome]:
        first, *others = marking(sources, options)
        first.report.diagnostics.append(Diagnostic("LN900", 1, 2, "é", "help"))
        return [first, *others, Outcome(FileReport("nnx_layers.py", "rewritten"), None, "x = 1\n")]

    use(counting(calls, work))
    cache = Cache(tmp_path / "cache")
    once, again = examine([tree], Options(), cache=cache), examine([tree], Options(), cache=cache)
    assert calls == [2]
    assert [o.report for o in once.outcomes] == [o.report for o in again.outcomes]
    assert once.changes == again.changes
    assert len(once.changes) == 3


@pytest.mark.parametrize("what", ["content", "other content", "options", "named", "mode"])
def test_another_question_is_worked_out(
    tree: Path, tmp_path: Path, use: Callable[[Engine], None], what: str
) -> None:
    calls: list[int] = []
    use(counting(calls))
    cache = Cache(tmp_path / "cache")
    examine([tree], Options(), cache=cache)
    if what == "content":
        (tree / "models.py").write_text(MODEL + "# more\n")
    if what == "other content":
        (tree / "tools.py").write_text("import sys\n")
    if what == "mode":
        (tree / "models.py").chmod(0o444)
    paths = [tree, tree / "tools.py"] if what == "named" else [tree]
    examine(paths, Options(names="original") if what == "options" else Options(), cache=cache)
    assert len(calls) == 2


def test_files_that_were_read_besides_count(
    tree: Path, tmp_path: Path, use: Callable[[Engine], None]
) -> None:
    calls: list[int] = []

    def work(
        sources: Sequence[Source],
        options: Options,
        load: Callable[[Path], Source | None],
        **_: object,
    ) -> list[Outcome]:
        assert load(tmp_path / "absent.py") is None
        assert load(tree / "tools.py") is not None
        beside = load(tmp_path / "beside.py")
        assert beside is not None
        return marking(sources, options)

    use(counting(calls, work))
    (tmp_path / "beside.py").write_text("a = 1")
    cache = Cache(tmp_path / "cache")
    examine([tree], Options(), cache=cache)
    (tmp_path / "beside.py").touch()
    examine([tree], Options(), cache=cache)
    assert len(calls) == 1
    (tmp_path / "beside.py").write_text("a = 2")
    examine([tree], Options(), cache=cache)
    assert len(calls) == 2


def test_a_file_is_looked_for_once(
    tree: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Engine], None]
) -> None:
    def work(
        sources: Sequence[Source],
        options: Options,
        load: Callable[[Path], Source | None],
        **_: object,
    ) -> list[Outcome]:
        for name in ("tools.py", "absent.py", "broken.py") * 2:
            load(tree / name)
        assert load(tree / "tools.py") is load(tree / "tools.py")
        assert load(tree / "broken.py") is None
        assert load(tree) is None
        return marking(sources, options)

    use(work)
    (tree / "broken.py").write_text("def f(:\n")
    asked: list[Path] = []
    real = run._content
    monkeypatch.setattr(run, "_content", lambda path: asked.append(path) or real(path))
    assert not codes(examine([tree], Options()))
    assert asked == [tree / "absent.py", tree]


def test_bugs_are_not_kept(tree: Path, tmp_path: Path, use: Callable[[Engine], None]) -> None:
    cache = Cache(tmp_path / "cache")
    use(failing_at("models.py", ValueError("x")))
    assert codes(examine([tree], Options(), cache=cache))
    use(marking)
    assert not codes(examine([tree], Options(), cache=cache))


def test_the_cache_is_not_asked_without_being_given(tree: Path, tmp_path: Path) -> None:
    examine([tree], Options())
    assert os.listdir(tmp_path) == ["tree"]


@pytest.mark.parametrize("named", [".", "models.py"])
def test_configurations_of_the_work_tree_are_handed_on(
    named: str, tree: Path, tmp_path: Path, use: Callable[[Engine], None]
) -> None:
    """They count as what is read: a change of one is no case for the cache."""
    subprocess.run(["git", "-C", str(tree), "init", "-q"], check=True)
    (tree / "configs").mkdir()
    asked = []

    def engine_of(sources: Sequence[Source], options: Options, **given: object) -> list[Outcome]:
        asked.append(given["configurations"])
        return marking(sources, options)

    use(engine_of)
    for text in ("a.model = @MLP", "a.model = @Other", "a.model = @Other"):
        (tree / "configs" / "base.gin").write_text(text)
        examine([tree / named], Options(), cache=Cache(tmp_path / "cache"))
    assert asked == [
        {(tree / "configs" / "base.gin").resolve(): text}
        for text in ("a.model = @MLP", "a.model = @Other")
    ]
