"""An exception knows the file that it belongs to, and the others go on without that file."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.culprit import culprit, working_on
from nnx_codemod.codemod.prepasses import functions
from nnx_codemod.codemod.run import examine

FUNCTION = """
import haiku as hk


def NAME(x):
    return hk.Linear(3)(hk.Linear(4)(x))


NAME_t = hk.transform(NAME)
"""


def test_the_innermost_file_is_the_culprit() -> None:
    with pytest.raises(ZeroDivisionError) as raised, working_on(Path("a")), working_on(Path("b")):
        raise ZeroDivisionError
    assert culprit(raised.value) == Path("b")
    assert culprit(ValueError()) is None


def test_the_other_files_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("good", "bad"):
        (tmp_path / f"{name}.py").write_text(FUNCTION.replace("NAME", name))
    real = functions._prepare_module

    def failing(interp: object, explorer: object, module: object, *rest: object) -> None:
        if module.path.stem == "bad":  # type: ignore[attr-defined]
            raise RuntimeError("a bug")
        real(interp, explorer, module, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(functions, "_prepare_module", failing)
    examined = examine([tmp_path], Options())
    done = {Path(o.report.path).stem: o for o in examined.outcomes}
    assert [d.code for d in done["bad"].report.diagnostics] == ["E002"]
    assert "nnx.Module" in (done["good"].new_text or "")
