"""Calls and signatures that are longer than a line."""

from __future__ import annotations

import ast
import random
import subprocess
import sys

import pytest

from nnx_codemod.codemod.emit.layout import call, clause, expression, signature


def test_what_fits_stays_on_a_line() -> None:
    assert call("f", ["a", "b=1"], indent="    ", unit="    ", limit=14) == "f(a, b=1)"
    assert call("f", [], indent="", unit="  ", limit=1) == "f()"
    assert signature("f", ["a"], "int", indent="", unit="  ", limit=80) == "def f(a) -> int:"


def test_arguments_on_a_line_of_their_own() -> None:
    text = call(
        "nnx.Linear", ["aaaa", "rngs=rngs"], indent="  ", unit="  ", limit=25, prefix="self.x = "
    )
    assert text == "self.x = nnx.Linear(\n    aaaa, rngs=rngs\n  )"


def test_one_argument_a_line_with_a_comma_behind_the_last() -> None:
    text = call("f", ["a" * 8, "b" * 8], indent="", unit="    ", limit=20, suffix=" + 1")
    assert text == "f(\n    aaaaaaaa,\n    bbbbbbbb,\n) + 1"


def test_a_lone_argument_is_broken_in_turn() -> None:
    text = expression(
        "nnx.Param(normal(stddev=0.02)(rngs.params(), (length, width)))",
        indent="",
        unit="    ",
        limit=40,
        prefix="self.w = ",
    )
    assert text == (
        "self.w = nnx.Param(\n    normal(stddev=0.02)(\n"
        "        rngs.params(), (length, width)\n    )\n)"
    )


def test_brackets_that_stay_open_around() -> None:
    text = call(
        "Block",
        ["width", "rngs=rngs"],
        indent="  ",
        unit="  ",
        limit=30,
        prefix="xs.append(",
        suffix=")",
    )
    assert text == "xs.append(Block(\n    width, rngs=rngs\n  ))"


def test_the_parameters_of_a_lambda_stay_together() -> None:
    text = call(
        "nnx.Linear",
        ["size", "kernel_init=lambda key, shape: {key: (shape, 1)}", "rngs=rngs"],
        indent="",
        unit="    ",
        limit=60,
    )
    assert text == (
        "nnx.Linear(\n    size,\n    kernel_init=lambda key, shape: {key: (shape, 1)},\n    rngs=rngs,\n)"
    )


def test_comprehensions_break_before_their_clauses() -> None:
    text = expression(
        "nnx.List([Block(features, rngs=rngs) for _ in range(number) if wanted('for ,')])",
        indent="",
        unit="  ",
        limit=40,
    )
    assert text == (
        "nnx.List(\n  [\n    Block(features, rngs=rngs)\n    for _ in range(number)\n"
        "    if wanted('for ,')\n  ]\n)"
    )


def test_brackets_of_a_short_subscript_are_left_alone() -> None:
    assert expression("function(argument, other)[...]", indent="", unit="  ", limit=24) == (
        "function(\n  argument, other\n)[...]"
    )


def test_an_argument_with_lines_of_its_own() -> None:
    args = ["x", "[\n  1,\n  2,\n]"]
    assert call("f", args, indent="", unit="  ", limit=20) == "f(x, [\n  1,\n  2,\n])"


def test_signatures() -> None:
    params = ["self", "features: int", "*", "rngs: nnx.Rngs"]
    short = signature("__init__", params, indent="  ", unit="  ", limit=60)
    assert short == "def __init__(self, features: int, *, rngs: nnx.Rngs):"
    filled = signature("__init__", params, "None", indent="  ", unit="  ", limit=54)
    assert filled == ("def __init__(\n    self, features: int, *, rngs: nnx.Rngs\n  ) -> None:")
    stacked = signature("__init__", params, indent="  ", unit="  ", limit=30)
    assert stacked == (
        "def __init__(\n    self,\n    features: int,\n    *,\n    rngs: nnx.Rngs,\n  ):"
    )


def test_comments_of_parameters_keep_them_apart() -> None:
    text = signature(
        "f",
        ["a", "b=(1, 2)", "*c"],
        indent="",
        unit="  ",
        limit=80,
        comments=["", "# above\n# it\n# behind", "# above\n"],
    )
    assert text == "def f(\n  a,\n  # above\n  # it\n  b=(1, 2),  # behind\n  # above\n  *c,\n):"


def random_call(chance: random.Random, depth: int) -> str:
    names = ["features", "rngs", "kernel_init", "x", "'a, (b'", "config.width", "3"]
    args = []
    for _ in range(chance.randrange(1, 6)):
        value = (
            random_call(chance, depth - 1)
            if depth and chance.random() < 0.5
            else chance.choice(names)
        )
        args.append(value)
    keyed = [f"key_{i}={arg}" if chance.random() < 0.5 else arg for i, arg in enumerate(args)]
    keyed.sort(key=lambda arg: arg.startswith("key_"))
    return f"{chance.choice(['nnx.Linear', 'f', 'module.function'])}({', '.join(keyed)})"


def random_sum(chance: random.Random) -> str:
    """A sum of names, choices and sums in parentheses."""
    names = ["in_features", "config.width", "(actions_features if actions else 0)"]
    names += ["2 * hidden_features", "(width - 1)", "len(sizes)"]
    terms = [chance.choice(names) for _ in range(chance.randrange(2, 6))]
    text = terms[0]
    for term in terms[1:]:
        text += f" {chance.choice('+-')} {term}"
    return text


@pytest.mark.parametrize("seed", range(100))
def test_broken_lines_mean_the_same_and_fit(seed: int) -> None:
    chance = random.Random(seed)
    text = random_call(chance, 3) if seed % 2 else random_sum(chance)
    laid = expression(text, indent="", unit="    ", limit=60, prefix="value = ")
    assert ast.dump(ast.parse(laid)) == ast.dump(ast.parse(f"value = {text}"))
    longest = max(len(line) for line in laid.split("\n"))
    assert longest <= 60 or longest == max(map(len, laid.split()))


def test_lines_are_broken_as_a_formatter_breaks_them() -> None:
    pytest.importorskip("ruff")
    chance = random.Random(0)
    texts = [f"value{i} = {random_call(chance, 3)}" for i in range(100)]
    texts += [f"value{i} = {random_sum(chance)}" for i in range(50)]
    texts += [f"value{i} = f({random_sum(chance)}, rngs=rngs)" for i in range(50)]
    texts += [
        f"value{i} = f({random_sum(chance)}, a={random_sum(chance)} if padded else width, b={random_sum(chance)})"
        for i in range(50)
    ]
    texts += [
        f"value{i} = {random_sum(chance)} if {chance.choice(['padded', 'stage < len(sizes)'])} else width"
        for i in range(50)
    ]
    laid = "".join(
        expression(
            text.split(" = ", 1)[1],
            indent="",
            unit="    ",
            limit=72,
            prefix=text.split(" = ")[0] + " = ",
        )
        + "\n"
        for text in texts
    )
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=72"]
    command += ["--config", "format.quote-style='preserve'", "-"]
    formatted = subprocess.run(
        command,
        input="".join(text + "\n" for text in texts),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert laid == formatted


@pytest.mark.parametrize(
    ("test", "limit", "lines"),
    [
        ("a", 80, ["  if a:"]),
        ("a\n    == b", 80, ["  if a == b:"]),
        ("f(\n    b\n  )", 80, ["  if f(", "    b", "  ):"]),
        ("a\n    == b", 10, ["  if (", "    a", "    == b", "  ):"]),
        ("a  # why\n    == b", 80, ["  if (", "    a  # why", "    == b", "  ):"]),
    ],
)
def test_a_test_that_goes_over_lines(test: str, limit: int, lines: list[str]) -> None:
    assert clause("if", test, indent="  ", unit="  ", limit=limit) == lines
