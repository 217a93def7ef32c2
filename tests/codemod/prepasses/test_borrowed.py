"""Parameters that functions make in the name of their callers: which functions can be modules of their own."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.prepasses import borrowed
from nnx_codemod.codemod.source import Source


def qualified(node: ast.expr) -> str:
    return ast.unparse(node).replace("hk.", "haiku.")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hk.get_parameter('w', [2])", {"w"}),
        ("hk.get_parameter(name='w', shape=[2])", {"w"}),
        ("hk.get_parameter(name, [2])", None),
        ("hk.get_state('w', [2])", None),
        ("hk.Linear(2)(x)", set()),
    ],
)
def test_names(text: str, found: set[str] | None) -> None:
    assert borrowed.names(ast.parse(text), qualified) == found


def calls(text: str) -> tuple[list[ast.Call], Mapping[ast.AST, ast.AST]]:
    tree = ast.parse("class A:\n  def f(self):\n" + "\n".join(f"    {x}" for x in text.split("\n")))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    return [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "g"
    ], parents


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("g()", True),
        ("g(); g()", False),
        ("for _ in x: g()", False),
        ("[g() for _ in x]", False),
        ("h(lambda: g())", False),
        ("if a:\n  g()\nelse:\n  g()", True),
        ("if a:\n  g()\nelif b:\n  g()", True),
        ("if a:\n  g()\nif b:\n  g()", False),
        ("if g(): g()", False),
    ],
)
def test_at_most_once(text: str, once: bool) -> None:
    assert borrowed.at_most_once(*calls(text)) is once


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return bias(x)", "rewritten"),
        ("return bias(x) + bias(x)", "kept"),
        ("return bias(x) * hk.get_parameter('b', [], init=jnp.ones)", "kept"),
        ("return bias(x) * hk.get_parameter('scale', [], init=jnp.ones)", "rewritten"),
    ],
)
def test_a_parameter_that_two_calls_share_stays(tmp_path: Path, body: str, status: str) -> None:
    path = tmp_path / "model.py"
    path.write_text(
        dedent(
            f"""
            import haiku as hk
            import jax.numpy as jnp

            def bias(x):
                return x + hk.get_parameter('b', [x.shape[-1]], init=jnp.ones)

            class Model(hk.Module):
                def __call__(self, x):
                    {body}
            """
        )
    )
    (outcome, *_) = engine.rewrite([Source(path)], Options())
    assert {c.name: c.status for c in outcome.report.classes}["Model"] == status
