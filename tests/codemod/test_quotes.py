"""Strings in the quotes of their file."""

from __future__ import annotations

import pytest

from nnx_codemod.codemod import quotes

DOUBLE = 'x = "a"\n'
SINGLE = "x = 'a'\n"


@pytest.mark.parametrize(
    ("text", "original", "result"),
    [
        ("y = sizes['height']\n", DOUBLE, 'y = sizes["height"]\n'),
        ('y = sizes["height"], b"a"\n', SINGLE, "y = sizes['height'], b'a'\n"),
        ("y = sizes['height']\n", DOUBLE + SINGLE, "y = sizes['height']\n"),
        ("y = sizes['height']\n", "x = 1\n", "y = sizes['height']\n"),
        ("y = 'say \"no\"', 'a\\n'\n", DOUBLE, "y = 'say \"no\"', 'a\\n'\n"),
        ("y = ''\n", DOUBLE, "y = ''\n"),
        ("y = f\"{sizes['height']}\"\n", DOUBLE, "y = f\"{sizes['height']}\"\n"),
        ("y = '''a'''\n", DOUBLE, "y = '''a'''\n"),
        ("# 'a'\ny = ('a',\n     'b', 'c')\n", DOUBLE, '# \'a\'\ny = ("a",\n     "b", "c")\n'),
        ("y = ü['ä'], ['b']\r\n", DOUBLE, 'y = ü["ä"], ["b"]\r\n'),
        ("y = 'a'\n", '"""It\'s a file."""\n' + SINGLE, "y = 'a'\n"),
        ("y = f'{x}', 'a'\n", "x = f'{y}'\n", "y = f'{x}', 'a'\n"),
        ("y = 'a'\n", "x = f\"{y['b']}\"\n", 'y = "a"\n'),
    ],
)
def test_strings_have_the_quotes_of_the_file(text: str, original: str, result: str) -> None:
    assert quotes.like(text, original) == result
