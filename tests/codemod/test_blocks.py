"""Moving blocks of text to another indentation."""

from __future__ import annotations

import ast
import random

import pytest

from nnx_codemod.codemod.blocks import dedent_block, lines_in_strings, move, strings


def test_moving_leaves_strings_alone() -> None:
    text = 'x = """\n    a\n  b"""\n    if y:\n        z\n\n'
    assert move(text, "    ", "  ") == '  x = """\n    a\n  b"""\n  if y:\n      z\n\n'


def test_moving_what_stands_further_left() -> None:
    assert move("f(\n  a,\n      b)", "    ", "") == "f(\na,\n  b)"
    assert move("        a\n        b", "        ", "    ") == "    a\n    b"
    assert move("a\r\n\r\nb", "", "  ") == "  a\r\n\r\n  b"


def test_dedenting() -> None:
    assert dedent_block("    a\n\n      '''\nb'''\n") == "a\n\n  '''\nb'''\n"
    assert dedent_block("a\n  b") == "a\n  b"


def test_strings_are_found_past_comments_and_escapes() -> None:
    text = "# it's\nx = 'a\\'b' + r'\\' ' # \"\"\"\ny = '''\n''' \"open\nz = 'c'"
    found = [text[start:end] for start, end in strings(text)]
    assert found == ["'a\\'b'", "'\\' '", "'''\n'''", '"open\n', "'c'"]
    assert lines_in_strings(text) == {3}


def test_a_string_that_goes_on_behind_a_backslash() -> None:
    assert lines_in_strings("'a\\\nb'\nc\n'''d\ne\n") == {1, 4}


@pytest.mark.parametrize("seed", range(100))
def test_a_moved_program_means_the_same(seed: int) -> None:
    chance = random.Random(seed)
    pieces = [
        "x = 1  # it's\n",
        "y = '''a\n  b\\'\n''' + \"#\"\n",
        "f(\n    'c', # \"\n  d)\n",
        'if x:\n  z = f"{x}\\"" \'e\\\n  f\'\n',
        "\n",
    ]
    text = "".join(chance.choices(pieces, k=8)) + "pass\n"
    moved = move(text, "", "    ")
    assert ast.dump(ast.parse("if 1:\n" + moved)) == ast.dump(
        ast.parse("if 1:\n" + move(moved, "    ", "\t"))
    )
    body = ast.Module(ast.parse("if 1:\n" + moved).body[0].body, [])
    assert ast.dump(body) == ast.dump(ast.parse(text))
    assert dedent_block(moved) == move(text, "", "")
