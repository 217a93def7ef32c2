"""Constructors of Haiku modules that inherit from others: what cannot follow, and why."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.emit.constructors import super_call
from nnx_codemod.codemod.report import Outcome
from nnx_codemod.codemod.source import Source

BASE = """
    import haiku as hk

    class Base(hk.Module):
        def __init__(self, width, name=None):
            super().__init__(name=name)
            self.width = width

        def __call__(self, x):
            return hk.Linear(self.width)(x)
"""


def rewritten(tmp_path: Path, text: str) -> Outcome:
    path = tmp_path / "model.py"
    path.write_text(dedent(BASE) + dedent(text))
    (outcome, *_) = engine.rewrite([Source(path)], Options())
    return outcome


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            """
            class Sub(Base):
                def __call__(self, x):
                    return hk.Linear(2)(super().__call__(x))
            """,
            "`linear` of `Sub` is the same as the one that `super().__call__` makes",
        ),
        (
            """
            class Sub(Base):
                def __call__(self, x):
                    return hk.Linear(self.width + 1)(x)
            """,
            "`Sub` reads `self.width` of `Base`, but makes none of its layers",
        ),
        (
            """
            class Sub(Base):
                def __init__(self, **kwargs):
                    super().__init__(**kwargs)
            """,
            "arguments are unpacked with * or **",
        ),
        (
            """
            class Sub(Base):
                def __init__(self, width):
                    width = max(width, 4)
                    super().__init__(width)
            """,
            "the constructor does not begin with that of `Base`",
        ),
    ],
)
def test_declined(tmp_path: Path, text: str, why: str) -> None:
    outcome = rewritten(tmp_path, text)
    assert why in [d.message for d in outcome.report.diagnostics]
    assert outcome.new_text is None


def test_the_default_name_is_the_one_of_the_parameters(tmp_path: Path) -> None:
    outcome = rewritten(
        tmp_path,
        """
        class Named(Base):
            def __init__(self, name="head"):
                super().__init__(3, name)

        class Model(hk.Module):
            def __call__(self, x):
                return Named()(x)
        """,
    )
    (model,) = [c for c in outcome.report.classes if c.name == "Model"]
    assert {v["source"] for v in model.variables} == {"head/linear/w", "head/linear/b"}


def test_super_call() -> None:
    (function,) = ast.parse(
        "def __init__(self, a):\n    '''Doc.'''\n    super(C, self).__init__(a)"
    ).body
    assert isinstance(function, ast.FunctionDef)
    call = super_call(function)
    assert call is not None and ast.unparse(call.args[0]) == "a"
