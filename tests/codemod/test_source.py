"""A file's bytes, text and tree, and the places of nodes."""

from __future__ import annotations

import ast
import codecs
from pathlib import Path

import pytest

from nnx_codemod.codemod.source import DEEPEST, Source, Unreadable

ROUND_TRIPS = {
    "empty": b"",
    "line feeds": b"a = 1\nb = 2\n",
    "no final newline": b"a = 1\nb = 2",
    "crlf": b"a = 1\r\nif a:\r\n    b = '''x\r\ny'''\r\n",
    "carriage returns": b"a = 1\rb = 2\r",
    "mixed": b"a = 1\r\nb = 2\nc = 3\r\nd = 4\re = 5\r\n",
    "bom": codecs.BOM_UTF8 + "é = 1\r\n".encode(),
    "bom and cookie": codecs.BOM_UTF8 + b"# coding: utf-8\na = 1\n",
    "latin-1": "# -*- coding: latin-1 -*-\ns = 'é'\n".encode("latin-1"),
    "cookie on line two": "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\ns = '€'\n".encode(
        "cp1252"
    ),
    "cookie and carriage returns": "# coding: latin-1\rs = 'é'\r".encode("latin-1"),
    "form feeds": b"a = 1\n\x0c\nclass A:\n    \x0cb = 2\x0b\n",
    "line separators": "s = 'a\u2028b\x85c\x1cd'\n".encode(),
    "trailing blanks": b"a = 1   \n\n\n   \n\t\n",
}


def source(text: str) -> Source:
    return Source("module.py", text.encode())


def refused(data: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        _ = Source("module.py", data).tree
    assert "\n" not in str(caught.value)
    return caught.value


# ---- bytes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_an_unchanged_text_gives_the_same_bytes(data: bytes) -> None:
    read = Source("module.py", data)
    assert read.encode(read.text) == data


@pytest.mark.parametrize(
    ("data", "added", "expected"),
    [
        (b"a\r\nb\r\n", "c\nd\n", b"a\r\nb\r\nc\r\nd\r\n"),
        (b"a\r\nb\r\n", "c\r\nd\n", b"a\r\nb\r\nc\r\nd\r\n"),
        (b"a\rb\r", "c\n", b"a\rb\rc\r"),
        (b"a\r\nb\n", "c\n", b"a\r\nb\nc\n"),
        (b"a\n", "c\n", b"a\nc\n"),
    ],
)
def test_new_lines_end_as_the_file_s_lines_do(data: bytes, added: str, expected: bytes) -> None:
    read = Source("module.py", data)
    assert read.encode(read.text + added) == expected


def test_the_line_end_used_most_is_the_file_s() -> None:
    assert source("a\r\nb\nc\r\n").newline == "\r\n"
    assert source("a").newline == "\n"


def test_the_cookie_says_how_to_read_and_write() -> None:
    read = Source("module.py", "# coding: latin-1\ns = 'é'\n".encode("latin-1"))
    assert "é" in read.text
    assert read.encode(read.text.replace("é", "ü")).endswith(b"'\xfc'\n")


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        (b"a = 1\nb = '\xe9'\n", 2, 5, "byte 0xe9 is not utf-8"),
        (b"a = 1\r\r\nb = 2\n#\n\xff", 5, 0, "byte 0xff is not utf-8"),
        (b"# coding: klingon\n", 1, 0, "unknown encoding: klingon"),
        (b"# coding: hex\n6162\n", 1, 0, "hex"),
        (b"# coding: ascii\n# \xe9\n", 2, 2, "byte 0xe9 is not ascii"),
        (codecs.BOM_UTF8 + b"# coding: latin-1\n", 1, 0, "encoding problem"),
        ("a = 1\n".encode("utf-16"), 1, 0, "byte 0xff is not utf-8"),
        (b"# coding: utf-7\na = '+AGE-'\n", 1, 0, "several spellings"),
    ],
)
def test_bytes_that_are_no_text_are_located(
    data: bytes, line: int, column: int, message: str
) -> None:
    error = refused(data)
    assert (error.line, error.column) == (line, column)
    assert message in error.message


def test_a_file_that_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"gone\.py:1:1: cannot be read: No such file"):
        Source(tmp_path / "gone.py")


# ---- what is no Python -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a = 1\nb = = 2\n", 2, 4, "not Python: invalid syntax"),
        ("print 'hello'\n", 1, 0, "Python 2 code: Missing parentheses"),
        ("try:\n  pass\nexcept A, e:\n  pass\n", 3, 7, "Python 2 code: multiple exception types"),
        ("x = 0777\n", 1, 4, "Python 2 code: leading zeros"),
        ("a\r= \r1 +\r", 2, 0, "not Python: invalid syntax"),
        ("if a:\n\tb\n        c\n", 3, 9, "not Python: inconsistent use of tabs"),
        ("def f(:\n", 1, 6, "not Python: invalid syntax"),
        ("a = 1\nb\0\n", 2, 1, "not Python: a null byte"),
    ],
)
def test_what_is_no_python_is_located(text: str, line: int, column: int, message: str) -> None:
    error = refused(text.encode())
    assert message in error.message
    assert error.line == line
    if "tabs" not in message:
        assert error.column == column


DEEP = 20_000
NESTED = {
    "parentheses": "(" * DEEP + "1" + ")" * DEEP,
    "brackets": "[" * DEEP + "]" * DEEP,
    "calls": "f(" * DEEP + ")" * DEEP,
    "signs": "-" * DEEP + "1",
    "negations": "not " * DEEP + "1",
    "attributes": "a" + ".b" * DEEP,
    "call chain": "a" + ".f()" * DEEP,
    "subscripts": "a" + "[0]" * DEEP,
    "sum": "a" + " + a" * DEEP,
    "powers": "a" + " ** a" * DEEP,
    "lambdas": "lambda: " * DEEP + "1",
    "conditions": "1 if a else " * DEEP + "2",
    "f-strings": "f'{" * 150 + "1" + "}'" * 150,
}


@pytest.mark.parametrize("expression", NESTED.values(), ids=NESTED)
def test_an_expression_nested_thousands_deep_fails_alone(expression: str) -> None:
    error = refused(f"a = 1\n\nb = {expression}\n".encode())
    assert error.line == 3


def test_branches_nested_thousands_deep_fail_alone() -> None:
    assert (
        "too deeply" in refused(("if a:\n  pass\n" + "elif a:\n  pass\n" * DEEP).encode()).message
    )


@pytest.mark.parametrize("expression", ["a" + " + a" * DEEPEST, "a" + ".b()" * DEEPEST])
def test_what_the_parser_still_takes_may_be_too_deep_for_everything_after_it(
    expression: str,
) -> None:
    assert ast.parse(expression)
    assert "too deeply" in refused(expression.encode()).message


def test_a_long_sum_that_people_might_write_is_fine() -> None:
    assert source("a = 1" + " + 1" * 200).tree.body


def test_the_parser_s_warnings_are_not_shown(recwarn: pytest.WarningsRecorder) -> None:
    assert source("s = '\\d'\nif a is 1: pass\n").tree.body
    assert not recwarn.list


# ---- places ----------------------------------------------------------------------------------------


def named(read: Source, name: str) -> list[ast.expr]:
    """The expressions, in order, that `name` is the source of."""
    found = [n for n in ast.walk(read.tree) if isinstance(n, ast.expr) and ast.unparse(n) == name]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_segments_whatever_the_line_ends(newline: str) -> None:
    text = "é = 'ü'; x = (é +\n  y.z)\n\x0c\ndef f():\n    '''a\n    b'''\n    return w\n"
    read = source(text.replace("\n", newline))
    assert [
        read.segment(node) for name in ("é + y.z", "y.z", "w") for node in named(read, name)
    ] == [
        f"é +{newline}  y.z",
        "y.z",
        "w",
    ]


@pytest.mark.parametrize("separator", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028"])
def test_what_splitlines_takes_for_line_ends_are_none(separator: str) -> None:
    read = source(f"a = 'x{separator}y'\nb = c\n")
    assert read.segment(named(read, "c")[0]) == "c"
    assert read.location(read.text.index("b")) == (2, 0)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_segments_in_f_strings(newline: str) -> None:
    text = (
        "print(f'é {a.b} ü {{a.b}} {c:>{w}}' 'a.b'\n  f'{a.b!r} é {f(a.b)=}')\n"
        'x = f"""a.b\n  {a.b}\n {g(\n   a.b)}"""\n'
    ).replace("\n", newline)
    read = source(text)
    assert [read.segment(node) for node in named(read, "a.b")] == ["a.b"] * 5
    assert [read.segment(node) for node in named(read, "w")] == ["w"]
    spans = {read.span(node) for node in named(read, "a.b")}
    assert all(text[start - 1] in "{( " for start, _ in spans)
    assert len(spans) == 5


def test_spans_with_and_without_decorators() -> None:
    read = source("x = 1\n@ a(\n  @b)\n@c\nclass D: pass\n".replace("@b", "b"))
    cls = read.tree.body[1]
    assert read.segment(cls) == "class D: pass"
    start, end = read.span(cls, decorators=True)
    assert read.text[start:end] == "@ a(\n  b)\n@c\nclass D: pass"


@pytest.mark.parametrize("decorator", ["@a @ b", "@ a", "@(  # @ b\n  # @ c\n  a)", "@a\r  @b"])
def test_the_sign_of_a_decorator(decorator: str) -> None:
    read = source(f"if x:\n  {decorator}\n  def f(): pass\n")
    function = read.tree.body[0].body[0]  # type: ignore[attr-defined]
    assert read.span(function, decorators=True)[0] == read.text.index("@")


def test_parents() -> None:
    read = source("f(a + b)\n")
    (total,) = named(read, "a + b")
    assert read.parents[named(read, "a")[0]] is total
    assert read.parents[read.tree.body[0]] is read.tree
    assert read.tree not in read.parents


def test_lines_and_their_indentation() -> None:
    read = source("if a:\n \tb = 1\n")
    at = read.text.index("b")
    assert read.location(at) == (2, 2)
    assert read.text[read.line_start(at) :].startswith(" \tb")
    assert read.line_indent(at) == " \t"


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("a = 1\n", "    "),
        ("if a:\n  b\n", "  "),
        ("if a:\n\tb\n", "\t"),
        ("class A:\n   def f():\n      pass\n   def g():\n         pass\n", "   "),
        ("if a: b\n", "    "),
        ("def f(a,\n          b):\n  return (a +\n              b)\n", "  "),
    ],
)
def test_the_file_s_own_step_of_indentation(text: str, unit: str) -> None:
    assert source(text).indent_unit == unit


@pytest.mark.parametrize(
    ("text", "indent"),
    [
        ("def f():\n  return g(\n      1,\n      2)\n", "    "),
        ("def f(\n    a,\n    b=1,\n):\n  return a\n", "    "),
        ("x = a(\n  b).c(\n    1)\n", "  "),
        ("def f():\n  return g(1,\n           2)\n", "  "),
        ("def f():\n  return g(1)\n", "  "),
        ("f(\n  1)\nf(\n    1)\nf(\n    x=2)\n", "    "),
        ("f(\n1)\n", "    "),
        ("f(\n  # why\n  1)\n", "    "),
        ("class A:\n\tdef f(\n\t\t\tself,\n\t):\n\t\tpass\n", "\t\t"),
    ],
)
def test_what_lines_within_brackets_are_indented_by(text: str, indent: str) -> None:
    assert source(text).hanging_indent == indent


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_comments(newline: str) -> None:
    text = "# é\na = '# no'  # one\nb = '''\n# no\n'''\nif a:  #two\n\t# three\n\tpass\n# end"
    read = source(text.replace("\n", newline))
    assert [comment for *_, comment in read.comments] == [
        "# é",
        "# one",
        "#two",
        "# three",
        "# end",
    ]
    assert all(read.text[start:end] == comment for start, end, comment in read.comments)


def test_a_header_ends_at_its_colon_whatever_comments_say():
    text = "def f(\n    x: int = {1: 2}[1],  # one: two\n) -> dict[str, int]:  # three: four\n\n    # five: six\n    y = 1\n"
    source = Source("module.py", text.encode())
    function = source.tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    assert source.text[: source.header_end(function)].endswith(") -> dict[str, int]:")
    assert source.text[source.start_with_comments(function.body[0]) :] == "# five: six\n    y = 1\n"
