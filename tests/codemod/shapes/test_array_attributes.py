"""What is no attribute of an array says nothing of one: `state.observation` of what a mapped function returns, say."""

from __future__ import annotations

import ast

import pytest

from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.rulebook import Rulebook
from nnx_codemod.codemod.shapes import calls
from nnx_codemod.codemod.shapes.interpreter import Interpreter
from nnx_codemod.codemod.shapes.values import UNKNOWN, Array


@pytest.mark.parametrize(
    ("name", "known"),
    [("reshape", True), ("block_until_ready", True), ("tolist", True), ("observation", False)],
)
def test_only_arrays_have_methods_of_arrays(name: str, known: bool) -> None:
    interp = Interpreter(Project({}), Rulebook(()))
    found = calls.attribute(interp, Array(None), name, ast.Pass())
    assert (found is not UNKNOWN) is known
