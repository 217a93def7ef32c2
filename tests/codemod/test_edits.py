"""Edits on spans: nesting, statements with their lines, items of lists."""

from __future__ import annotations

import ast
import contextlib
import random
import textwrap
from typing import TypeVar

import pytest

from nnx_codemod.codemod.edits import EditConflict, Edits
from nnx_codemod.codemod.source import Source

N = TypeVar("N", bound=ast.AST)


def plain(text: str) -> Edits:
    return Edits(Source("module.py", text.encode()))


def edits(text: str) -> Edits:
    return plain(textwrap.dedent(text).lstrip("\n"))


def nodes(changes: Edits, kind: type[N]) -> list[N]:
    found = [n for n in ast.walk(changes.source.tree) if isinstance(n, kind)]
    return sorted(found, key=lambda n: changes.source.span(n))


def statement(changes: Edits, text: str) -> ast.stmt:
    """The statement whose source begins with `text`."""
    for stmt in nodes(changes, ast.stmt):
        start, _ = changes.source.span(stmt)
        if changes.source.text.startswith(text, start):
            return stmt
    raise LookupError(text)


def expect(changes: Edits, text: str) -> None:
    assert changes.apply() == textwrap.dedent(text).lstrip("\n")


def without(text: str, *starts: str, with_comments: bool = False) -> str:
    changes = edits(text)
    for start in starts:
        changes.delete_statement(statement(changes, start), with_comments=with_comments)
    return changes.apply()


# ---- replacements and rendering -------------------------------------------------------------------


def test_nothing_recorded_changes_nothing() -> None:
    text = "a = 1\r\nb = '''x\r\n'''"
    changes = plain(text)
    assert changes.apply() == text
    assert not changes.touched


def test_replacements_in_any_order() -> None:
    changes = edits("x = nn.relu(nn.Dense(3)(y))\n")
    names = nodes(changes, ast.Attribute)
    changes.replace(names[1], "nnx.Linear")
    changes.replace(names[0], "nnx.relu")
    expect(changes, "x = nnx.relu(nnx.Linear(3)(y))\n")


def test_offsets_count_characters() -> None:
    changes = edits("s = 'ä→', a\n")
    changes.replace(nodes(changes, ast.Name)[1], "b")
    expect(changes, "s = 'ä→', b\n")


def test_an_outer_replacement_takes_in_what_was_rendered() -> None:
    changes = edits("f(g(x), y)\n")
    outer, inner = nodes(changes, ast.Call)
    changes.replace(inner.args[0], "z")
    changes.replace(inner, f"h({changes.render(inner)})")
    changes.replace(outer.args[1], "w")
    assert changes.render(outer) == "f(h(g(z)), w)"
    changes.replace(outer, f"k({changes.render(outer)})")
    expect(changes, "k(f(h(g(z)), w))\n")


def test_an_edit_inside_replaced_text_is_refused() -> None:
    changes = edits("f(g(x))\n")
    inner = nodes(changes, ast.Call)[1]
    changes.replace(inner, "1")
    with pytest.raises(EditConflict, match=r"line 1, column 4 .*line 1, column 2 "):
        changes.replace(inner.args[0], "z")


def test_overlap_in_part_is_refused() -> None:
    changes = edits("a + b + c\n")
    changes.replace((0, 5), "x")
    with pytest.raises(EditConflict):
        changes.replace((4, 9), "y")


def test_an_edit_inside_deleted_text_has_no_effect() -> None:
    changes = edits("f(g(x))\n")
    inner = nodes(changes, ast.Call)[1]
    changes.delete(inner)
    changes.replace(inner.args[0], "z")
    expect(changes, "f()\n")


def test_insertions_keep_their_order() -> None:
    changes = edits("ab\n")
    changes.insert(1, "1")
    changes.insert(1, "2")
    changes.replace((0, 1), "A")
    changes.replace((1, 2), "B")
    changes.insert(0, "<")
    changes.insert(3, ">")
    expect(changes, "<A12B\n>")
    assert plain("").apply() == ""


def test_a_fork_goes_its_own_way() -> None:
    changes = edits("def f(a, b):\n    return a + b\n")
    function = nodes(changes, ast.FunctionDef)[0]
    changes.remove_item(function, function.args.args[0])
    fork = changes.fork()
    fork.remove_item(function, function.args.args[1])
    fork.insert_before(function.body[0], "pass")
    fork.replace(function.body[0].value, "0")
    expect(changes, "def f(b):\n    return a + b\n")
    expect(fork, "def f():\n    pass\n    return 0\n")


def test_rendering_a_definition_has_the_lines_put_into_it() -> None:
    changes = edits(
        """
        class A:
            def f(self):
                return 1  # one
        """
    )
    function = nodes(changes, ast.FunctionDef)[0]
    changes.insert_after(function.body[0], "x = 2")
    changes.insert_after(function, "\ndef g(self):\n    pass")
    assert changes.render(function) == "def f(self):\n        return 1\n        x = 2"
    owner = nodes(changes, ast.ClassDef)[0]
    assert changes.render(owner).endswith("x = 2\n\n    def g(self):\n        pass")
    expect(
        changes,
        """
        class A:
            def f(self):
                return 1  # one
                x = 2

            def g(self):
                pass
        """,
    )


def test_replacing_a_definition_loses_the_comment_of_its_deleted_last_statement() -> None:
    changes = edits(
        """
        def f():
            a = 1

            b = 2  # gone


        c = 3
        """
    )
    function = nodes(changes, ast.FunctionDef)[0]
    changes.delete_statement(function.body[1])
    changes.replace(function, changes.render(function) + "  # new")
    expect(
        changes,
        """
        def f():
            a = 1  # new


        c = 3
        """,
    )


# ---- deleting statements ---------------------------------------------------------------------------


def test_fields_go_and_leave_no_gap() -> None:
    assert without(
        """
        class A:
            '''Doc.'''

            x: int
            y: int = 2  # two

            def f(self):
                pass
        """,
        "x:",
        "y:",
    ) == textwrap.dedent(
        """\
        class A:
            '''Doc.'''

            def f(self):
                pass
        """
    )


def test_no_blank_line_at_the_start_of_a_block() -> None:
    assert without("class A:\n    x: int\n\n    def f(self): pass\n", "x:") == (
        "class A:\n    def f(self): pass\n"
    )


def test_the_gap_behind_a_block_stays() -> None:
    text = "def f():\n    a\n\n    b\n\n\ndef g():\n    c\n"
    assert without(text, "b") == "def f():\n    a\n\n\ndef g():\n    c\n"


def test_imports_keep_their_groups() -> None:
    text = "import os\nimport a\n\nimport b\nimport c\n\n\nx = 1\n"
    assert without(text, "import a", "import b") == "import os\n\nimport c\n\n\nx = 1\n"
    assert without(text, "import os", "import a") == "import b\nimport c\n\n\nx = 1\n"
    assert without(text, "import c", "import b") == "import os\nimport a\n\n\nx = 1\n"


def test_the_last_statement_of_a_file() -> None:
    assert without("a\n\n\nb\n", "b") == "a\n"
    assert without("a\nb", "b") == "a"
    assert without("a\n", "a") == ""
    assert without("a\r\n\r\nb\r\n", "a") == "b\r\n"


def test_comments_above_stay_unless_asked() -> None:
    text = "a\n# one\n# two\nb\nc\n"
    assert without(text, "b") == "a\n# one\n# two\nc\n"
    assert without(text, "b", with_comments=True) == "a\nc\n"
    apart = "a\n# one\n\n# two\nb\nc\n"
    assert without(apart, "b", with_comments=True) == "a\n# one\n\nc\n"


def test_decorators_go_with_the_definition() -> None:
    text = "a\n\n\n@jit\n@other(\n    1)\ndef f():\n    pass\n\n\nb\n"
    assert without(text, "def f") == "a\n\n\nb\n"


def test_statements_joined_by_semicolons() -> None:
    text = "if x:\n    a; b; c  # note\n"
    assert without(text, "a") == "if x:\n    b; c  # note\n"
    assert without(text, "b") == "if x:\n    a; c  # note\n"
    assert without(text, "b", "c") == "if x:\n    a  # note\n"
    assert without(text, "a", "c") == "if x:\n    b  # note\n"
    assert without("a; b  # note\nc\n", "a", "b") == "c\n"
    assert without("if x: a; b\n", "a") == "if x: b\n"


def test_deleting_before_else() -> None:
    text = "if x:\n    a\n    b\nelse:\n    c\n    d\n"
    assert without(text, "b", "c") == "if x:\n    a\nelse:\n    d\n"


def test_a_nested_statement_goes_with_its_parent() -> None:
    changes = edits("a\nfor x in y:\n    b\n    c\nd\n")
    changes.delete_statement(statement(changes, "c"))
    changes.insert_after(statement(changes, "c"), "e")
    changes.replace(statement(changes, "b"), "f")
    changes.delete_statement(statement(changes, "for"))
    expect(changes, "a\nd\n")


def test_new_lines_in_the_place_of_deleted_ones() -> None:
    changes = edits(
        """
        class A:
            '''Doc.'''

            x: int

            y: int

            def f(self):
                pass
        """
    )
    first, second = statement(changes, "x"), statement(changes, "y")
    changes.delete_statement(first)
    changes.delete_statement(second)
    changes.insert_before(first, "def __init__(self):\n    '''a\nb'''\n")
    expect(
        changes,
        """
        class A:
            '''Doc.'''

            def __init__(self):
                '''a
        b'''

            def f(self):
                pass
        """,
    )


def test_the_first_line_of_a_file_replaced_by_new_ones() -> None:
    changes = edits("import a\nimport b\n")
    changes.delete_statement(statement(changes, "import a"))
    changes.insert_before(statement(changes, "import a"), "import c")
    changes.insert_after(statement(changes, "import a"), "import d")
    expect(changes, "import c\nimport d\nimport b\n")


# ---- inserting statements --------------------------------------------------------------------------


def test_inserting_above_comments_or_below() -> None:
    changes = edits("a\n# about b\n@deco\ndef b(): pass\n")
    target = statement(changes, "def b")
    changes.insert_before(target, "x\ny")
    changes.insert_before(target, "z", below_comments=True)
    expect(changes, "a\nx\ny\n# about b\nz\n@deco\ndef b(): pass\n")


def test_order_of_lines_between_two_statements() -> None:
    changes = edits("def f():\n    a  # a\n    b\n")
    a, b = statement(changes, "a"), statement(changes, "b")
    changes.insert_before(b, "3")
    changes.insert_before(b, "4")
    changes.insert_after(a, "1")
    changes.insert_after(a, "2")
    expect(changes, "def f():\n    a  # a\n    1\n    2\n    3\n    4\n    b\n")


def test_inserting_at_the_ends_of_a_file() -> None:
    changes = edits("a")
    changes.insert_before(statement(changes, "a"), "x\n\n")
    changes.insert_after(statement(changes, "a"), "\ny")
    expect(changes, "x\n\na\n\ny")


def test_inserting_into_a_joined_line() -> None:
    changes = edits("def f():\n    a; b; c  # note\n")
    changes.insert_before(statement(changes, "b"), "x")
    expect(changes, "def f():\n    a\n    x\n    b\n    c  # note\n")
    changes.delete_statement(statement(changes, "b"))
    expect(changes, "def f():\n    a\n    x\n    c  # note\n")


def test_inserting_into_a_block_on_its_headers_line() -> None:
    changes = edits("if x: a\nb\n")
    changes.insert_after(statement(changes, "a"), "c")
    expect(changes, "if x:\n    a\n    c\nb\n")


def test_line_ends_are_the_files_own() -> None:
    changes = edits("a\r\nb\r\n")
    changes.insert_after(statement(changes, "a"), "x\ny")
    changes.delete_statement(statement(changes, "b"))
    expect(changes, "a\r\nx\r\ny\r\n")
    changes = edits("a\rb\r# c\rd\r\rx = '''\r'''")
    changes.insert_before(statement(changes, "d"), "if a:\r  y\n")
    changes.delete_statement(statement(changes, "b"))
    expect(changes, "a\rif a:\r  y\r# c\rd\r\rx = '''\r'''")


# ---- items of lists --------------------------------------------------------------------------------


def items(owner: ast.AST) -> list[ast.AST]:
    """Everything that can be removed from `owner`, in the order of the text."""
    match owner:
        case ast.Call():
            return [*owner.args, *owner.keywords]
        case ast.ClassDef():
            return [*owner.bases, *owner.keywords]
        case ast.FunctionDef() | ast.Lambda():
            args = owner.args
            rest = [args.vararg] * bool(args.vararg), [args.kwarg] * bool(args.kwarg)
            return [*args.posonlyargs, *args.args, *rest[0], *args.kwonlyargs, *rest[1]]
        case ast.Tuple() | ast.List() | ast.Set():
            return owner.elts
        case ast.Subscript(slice=ast.Tuple(elts=elts)):
            return elts
        case ast.Dict():
            return [key or value for key, value in zip(owner.keys, owner.values, strict=True)]
        case ast.Import() | ast.ImportFrom():
            return owner.names
        case ast.With():
            return owner.items
        case ast.Delete():
            return owner.targets
    raise TypeError(owner)


def relisted(text: str, kind: type[ast.AST], *gone: int, add: tuple = ()) -> str:
    """`text` after removing items of its first node of `kind` and adding others."""
    changes = edits(text)
    owner = nodes(changes, kind)[0]
    for index in gone:
        changes.remove_item(owner, items(owner)[index])
    for place, new in add:
        changes.add_item(owner, new, place)
    result = changes.apply()
    ast.parse(result)
    return result


@pytest.mark.parametrize(
    ("text", "kind", "gone", "result"),
    [
        ("f(a, b, c)", ast.Call, [0], "f(b, c)"),
        ("f(a, b, c)", ast.Call, [1], "f(a, c)"),
        ("f(a, b, c)", ast.Call, [1, 2], "f(a)"),
        ("f(a, b, c)", ast.Call, [2, 0], "f(b)"),
        ("f(a, b, c)", ast.Call, [0, 1, 2], "f()"),
        ("f((a), k=(b), *(c))", ast.Call, [2], "f((a), *(c))"),
        ("f((a), k=(b), *(c))", ast.Call, [0, 1], "f(k=(b))"),
        ("f(x for x in y)", ast.Call, [0], "f()"),
        ("(f)(a, **b)", ast.Call, [1], "(f)(a)"),
        ("f(')', b)", ast.Call, [1], "f(')')"),
        ("f( a, b )", ast.Call, [1], "f( a )"),
        ("f(a,\n  b, c,\n  d)", ast.Call, [1], "f(a,\n  c,\n  d)"),
        ("f(a,\n  b, c,\n  d)", ast.Call, [2], "f(a,\n  b,\n  d)"),
        ("f(a,\n  b, c,\n  d)", ast.Call, [3], "f(a,\n  b, c)"),
        ("f(\n    a,\n    b,\n    c,\n)", ast.Call, [1], "f(\n    a,\n    c,\n)"),
        ("f(\n    a,\n    b,\n    c,\n)", ast.Call, [0, 2], "f(\n    b,\n)"),
        ("f(\n    a,\n    b,\n    c,\n)", ast.Call, [0, 1, 2], "f()"),
        ("f(\n    a,  # A\n    b,  # B\n    c  # C\n)", ast.Call, [1], "f(\n    a,  # A\n    c  # C\n)"),
        ("f(\n    a,  # A\n    b,  # B\n    c  # C\n)", ast.Call, [2], "f(\n    a,  # A\n    b  # B\n)"),
        ("f(\n    a,  # A\n    b,  # B\n    c  # C\n)", ast.Call, [0], "f(\n    b,  # B\n    c  # C\n)"),
        ("f(\n    # A\n    a,\n    # B\n    b,\n)", ast.Call, [1], "f(\n    # A\n    a,\n    # B\n)"),
        ("f(a,  # A, (\n  b)", ast.Call, [1], "f(a  # A, (\n  )"),
        ("(a, b)", ast.Tuple, [1], "(a,)"),
        ("((a), (b))", ast.Tuple, [1], "((a),)"),
        ("(a), b", ast.Tuple, [1], "(a),"),
        ("(a), b", ast.Tuple, [0], "b,"),
        ("a, b, c = f()", ast.Tuple, [1], "a, c = f()"),
        ("a, b = f()", ast.Tuple, [0], "b, = f()"),
        ("(a,\n b,\n)", ast.Tuple, [0, 1], "()"),
        ("[a, b,]", ast.List, [0], "[b,]"),
        ("{a, b}", ast.Set, [0], "{b}"),
        ("{'a': (1), **b, (c): d}", ast.Dict, [0], "{**b, (c): d}"),
        ("{'a': (1), **b, (c): d}", ast.Dict, [1], "{'a': (1), (c): d}"),
        ("{'a': (1), **b, (c): d}", ast.Dict, [2], "{'a': (1), **b}"),
        ("x: Dict[str, int]", ast.Subscript, [1], "x: Dict[str]"),
        ("x[a, b,]", ast.Subscript, [0], "x[b]"),
        ("x[a, b]", ast.Tuple, [0], "x[b]"),
        ("x[\n    a,\n    b,\n]", ast.Tuple, [1], "x[\n    a\n]"),
        ("class A(b, (c), d=e): x", ast.ClassDef, [1], "class A(b, d=e): x"),
        ("class A(b, (c), d=e): x", ast.ClassDef, [0, 1], "class A(d=e): x"),
        ("class A(b): x", ast.ClassDef, [0], "class A: x"),
        ("import a as b, c", ast.Import, [0], "import c"),
        ("from . import (a as b, c)", ast.ImportFrom, [1], "from . import (a as b)"),
        ("from .imports.a import (\n    b,\n    c,\n)", ast.ImportFrom, [0], "from .imports.a import (\n    c,\n)"),
        ("from a import b, \\\n    c, d", ast.ImportFrom, [1], "from a import b, \\\n    d"),
        ("with (a) as b, c: d", ast.With, [1], "with (a) as b: d"),
        ("with (a as b, c): d", ast.With, [0], "with (c): d"),
        ("with (a as b, c): d", ast.With, [1], "with (a as b): d"),
        ("with a as (b), (c): d", ast.With, [0], "with (c): d"),
        ("del a, (b)", ast.Delete, [0], "del (b)"),
        ("lambda a, b=1, *, c: 0", ast.Lambda, [2], "lambda a, b=1: 0"),
        ("lambda a: 0", ast.Lambda, [0], "lambda: 0"),
        ("lambda a=(1), /: 0", ast.Lambda, [0], "lambda: 0"),
        ("def f(a, /, b: int = (1), *c, d=(2), **e) -> (x): y", ast.FunctionDef, [0], "def f(b: int = (1), *c, d=(2), **e) -> (x): y"),
        ("def f(a, /, b: int = (1), *c, d=(2), **e) -> (x): y", ast.FunctionDef, [1], "def f(a, /, *c, d=(2), **e) -> (x): y"),
        ("def f(a, /, b: int = (1), *c, d=(2), **e) -> (x): y", ast.FunctionDef, [2], None),
        ("def f(a, /, b: int = (1), *c, d=(2), **e) -> (x): y", ast.FunctionDef, [3, 4], "def f(a, /, b: int = (1), *c) -> (x): y"),
        ("def f(a, *, b=(1), **c): y", ast.FunctionDef, [1], "def f(a, **c): y"),
        ("def f(a, *, b=(1),): y", ast.FunctionDef, [1], "def f(a,): y"),
        ("def f(self, *args): y", ast.FunctionDef, [1], "def f(self): y"),
    ],
)  # fmt: skip
def test_removing_items(
    text: str, kind: type[ast.AST], gone: list[int], result: str | None
) -> None:
    if result is not None:
        assert relisted(text, kind, *gone) == result


def test_what_may_not_be_empty_says_so() -> None:
    for text, kind in [
        ("import a", ast.Import),
        ("a, b = c", ast.Tuple),
        ("x[a, b]", ast.Subscript),
    ]:
        with pytest.raises(ValueError, match="no item would be left"):
            relisted(text, kind, *range(len(items(nodes(edits(text), kind)[0]))))


def test_an_item_of_another_list() -> None:
    changes = edits("f(a); g(b)")
    first, second = nodes(changes, ast.Call)
    with pytest.raises(ValueError, match="not an item"):
        changes.remove_item(first, second.args[0])
    with pytest.raises(TypeError, match="no list of items"):
        changes.add_item(first.args[0], "x")


def test_comments_above_an_item_go_when_asked() -> None:
    changes = edits("f(\n    # A\n    a,\n    # B\n    b,\n)\n")
    call = nodes(changes, ast.Call)[0]
    changes.remove_item(call, call.args[0], with_comments=True)
    expect(changes, "f(\n    # B\n    b,\n)\n")
    changes.remove_item(call, call.args[1], with_comments=True)
    changes.add_item(call, "c")
    expect(changes, "f(\n    c,\n)\n")


def test_removing_decorators() -> None:
    changes = edits(
        "class A:\n    @a  # A\n    @b(\n        1)\n    # f\n    @c\n    def f(self): pass\n"
    )
    function = nodes(changes, ast.FunctionDef)[0]
    changes.remove_item(function, function.decorator_list[0])
    changes.remove_item(function, function.decorator_list[2])
    expect(changes, "class A:\n    @b(\n        1)\n    # f\n    def f(self): pass\n")
    changes.remove_item(function, function.decorator_list[1])
    expect(changes, "class A:\n    # f\n    def f(self): pass\n")


@pytest.mark.parametrize(
    ("text", "kind", "gone", "add", "result"),
    [
        ("f()", ast.Call, [], [("last", "a")], "f(a)"),
        ("f(a)", ast.Call, [], [("last", "b"), ("last", "c")], "f(a, b, c)"),
        ("f(a)", ast.Call, [], [(0, "b"), (0, "c")], "f(b, c, a)"),
        ("f(a, b,)", ast.Call, [], [("last", "c")], "f(a, b, c,)"),
        ("f(a, k=b)", ast.Call, [1], [(1, "c"), ("last", "d")], "f(a, c, d)"),
        ("f(a)", ast.Call, [0], [("last", "d")], "f(d)"),
        ("f(\n    a,\n    b,\n)", ast.Call, [], [("last", "c"), (0, "d"), (1, "e")], "f(\n    d,\n    a,\n    e,\n    b,\n    c,\n)"),
        ("f(\n    a,\n    b\n)", ast.Call, [], [("last", "c")], "f(\n    a,\n    b,\n    c\n)"),
        ("f(\n    a,  # A\n    b  # B\n)", ast.Call, [], [("last", "c")], "f(\n    a,  # A\n    b,  # B\n    c\n)"),
        ("f(\n    a,  # A\n    # b\n    b,\n)", ast.Call, [], [(1, "c")], "f(\n    a,  # A\n    c,\n    # b\n    b,\n)"),
        ("f(\n    a, b\n)", ast.Call, [], [("last", "c")], "f(\n    a, b, c\n)"),
        ("f(a,\n  b)", ast.Call, [], [("last", "c"), (0, "d")], "f(d,\n  a,\n  b,\n  c)"),
        ("f(a,\n  b, c)", ast.Call, [], [("last", "d"), (1, "e")], "f(a,\n  e, b, c, d)"),
        ("f(\n    a,\n)", ast.Call, [0], [("last", "b")], "f(\n    b,\n)"),
        ("x = ()", ast.Tuple, [], [("last", "a")], "x = (a,)"),
        ("x = a,", ast.Tuple, [0], [("last", "b")], "x = b,"),
        ("x = a, b", ast.Tuple, [0], [("last", "c")], "x = b, c"),
        ("[]", ast.List, [], [(0, "a")], "[a]"),
        ("class A: x", ast.ClassDef, [], [(0, "B")], "class A(B): x"),
        ("class A(B): x", ast.ClassDef, [0], [(0, "C")], "class A(C): x"),
        ("lambda: 0", ast.Lambda, [], [(0, "a")], "lambda a: 0"),
        ("lambda a: 0", ast.Lambda, [0], [(0, "b")], "lambda b: 0"),
        ("from a import c", ast.ImportFrom, [], [(0, "b")], "from a import b, c"),
        ("from a import \\\n    b, \\\n    c", ast.ImportFrom, [], [("last", "d")], "from a import \\\n    b, \\\n    c, d"),
        ("def f(self, a, name=None): x", ast.FunctionDef, [2], [(1, "n: int"), ("keyword", "rngs")], "def f(self, n: int, a, *, rngs): x"),
        ("def f(self, *, a): x", ast.FunctionDef, [], [(1, "n"), ("keyword", "r")], "def f(self, n, *, a, r): x"),
        ("def f(self, *, a): x", ast.FunctionDef, [1], [(1, "n"), ("keyword", "r")], "def f(self, n, *, r): x"),
        ("def f(self, *a, **k): x", ast.FunctionDef, [], [("keyword", "r")], "def f(self, *a, r, **k): x"),
        ("def f(self, **k): x", ast.FunctionDef, [], [("keyword", "r"), ("keyword", "s")], "def f(self, *, r, s, **k): x"),
        ("def f(\n    self,\n    a: int,  # A\n):\n    x", ast.FunctionDef, [], [("keyword", "r")], "def f(\n    self,\n    a: int,  # A\n    *,\n    r,\n):\n    x"),
        ("def f(): x", ast.FunctionDef, [], [("keyword", "r")], "def f(*, r): x"),
    ],
)  # fmt: skip
def test_adding_items(
    text: str, kind: type[ast.AST], gone: list[int], add: list[tuple], result: str
) -> None:
    assert relisted(text, kind, *gone, add=add) == result


def test_edits_in_items_that_stay_and_in_items_that_go() -> None:
    changes = edits("f(g(a), (b), c)\n")
    outer, inner = nodes(changes, ast.Call)
    changes.replace(inner.args[0], "x")
    changes.remove_item(outer, outer.args[2])
    changes.replace(outer.args[2], "gone")
    changes.replace(outer.args[1], "y")
    changes.insert(changes.source.span(outer.args[1])[1], "z")
    expect(changes, "f(g(x), (yz))\n")


def test_a_list_in_a_removed_item() -> None:
    changes = edits("f(g(a, b), c)\n")
    outer, inner = nodes(changes, ast.Call)
    changes.remove_item(inner, inner.args[0])
    changes.remove_item(outer, outer.args[0])
    expect(changes, "f(c)\n")
    changes.replace(outer, changes.render(outer) + "()")
    expect(changes, "f(c)()\n")
    with pytest.raises(EditConflict):
        changes.remove_item(outer, outer.args[1])


# ---- whatever is asked -----------------------------------------------------------------------------

LISTS = [
    ("f(", ")", ast.Call, ["a", "b", "(c)", "'d,'", "*e", "k=1", "m=(2)", "**n"]),
    ("def f(", "): pass", ast.FunctionDef, ["a", "b: int", "c", "*d", "e", "g=(2)", "**h"]),
    ("x = [", "]", ast.List, ["a", "(b)", "(c, d)", "*e"]),
    ("x = {", "}", ast.Dict, ["a: 1", "(b): (2)", "**c"]),
    ("from a import (", ")", ast.ImportFrom, ["b", "c as d", "e"]),
    ("class A(", "): pass", ast.ClassDef, ["B", "(C)", "d=1"]),
]


def written(chance: random.Random, head: str, tail: str, parts: list[str]) -> str:
    """A list in some layout, with a comment `# note i` behind some of its items."""
    layout = chance.choice(["one line", "stacked", "hanging", "filled"])
    text = head + ("\n    " if layout == "stacked" else "")
    for number, part in enumerate(parts):
        last = number + 1 == len(parts)
        comma = not last or (layout == "stacked" and not part.startswith("**"))
        broken = layout in ("stacked", "hanging") or (layout == "filled" and chance.random() < 0.5)
        note = f"  # note {number}" if broken and chance.random() < 0.4 else ""
        gap = ("\n" if layout == "stacked" or note else "") if last else "\n    " if broken else " "
        text += part + "," * comma + note + gap
    return f"{text}{tail}\n"


@pytest.mark.parametrize("seed", range(300))
def test_any_items_leave_any_layout_whole(seed: int) -> None:
    chance = random.Random(seed)
    head, tail, kind, parts = chance.choice(LISTS)
    text = written(chance, head, tail, parts)
    changes = edits(text)
    owner = nodes(changes, kind)[0]
    members = sorted(items(owner), key=changes.source.span)
    gone = chance.sample(range(len(members)), chance.randrange(len(members)))
    for index in gone:
        changes.remove_item(owner, members[index])
    added = chance.random() < 0.3 and kind is ast.Call
    if added:
        changes.add_item(owner, "new=3")
    new = changes.apply()
    after = nodes(edits(new), kind)[0]

    left = [ast.dump(item) for item in items(after)]
    kept = [ast.dump(item) for i, item in enumerate(members) if i not in gone]
    assert sorted(item for item in left if "new" not in item) == sorted(kept)
    assert len(left) == len(kept) + added
    notes = {f"note {i}" for i in range(len(parts)) if f"note {i}" in text}
    assert {note for note in notes if note in new} == notes - {f"note {i}" for i in gone}
    assert all(line == line.rstrip() for line in new.split("\n"))


def program(chance: random.Random) -> str:
    """Nested blocks of numbered statements with single blank lines here and there."""
    lines: list[str] = []
    numbers = iter(range(1000))

    def block(indent: str, depth: int) -> None:
        for place in range(chance.randrange(1, 5)):
            lines.extend([""] * (chance.choice([0, 0, 1]) if place else 0))
            name = f"{indent}x{next(numbers)}"
            if depth and chance.random() < 0.4:
                lines.append(f"{indent}if {name.strip()}:")
                block(indent + "    ", depth - 1)
            else:
                lines.append(name + " = '''\n\n'''" + chance.choice(["", "  # note"]))

    block("", 3)
    return "\n".join(lines) + chance.choice(["", "\n"])


@pytest.mark.parametrize("seed", range(300))
def test_any_statements_leave_a_program_that_reads_well(seed: int) -> None:
    chance = random.Random(seed)
    text = program(chance)
    changes = plain(text)
    alive: list[str] = []

    def thin(stmts: list[ast.stmt], gone: bool) -> None:
        keeper = chance.choice(stmts)
        for stmt in stmts:
            deleted = stmt is not keeper and chance.random() < 0.5
            if deleted:
                changes.delete_statement(stmt)
            elif not gone:
                alive.extend(stmt_name(stmt))
            if isinstance(stmt, ast.If):
                thin(stmt.body, gone or deleted)
                if not deleted and chance.random() < 0.3:
                    changes.replace(stmt, changes.render(stmt))

    def stmt_name(stmt: ast.stmt) -> list[str]:
        return [ast.unparse(stmt).replace("if ", "").split()[0].rstrip(":")]

    thin(changes.source.tree.body, False)
    new = changes.apply()
    assert sorted(n for s in nodes(edits(new), ast.stmt) for n in stmt_name(s)) == sorted(alive)
    bare = new.replace("'''\n\n'''", "")
    assert "\n\n\n" not in bare
    assert ":\n\n" not in bare
    assert new.endswith("\n") == text.endswith("\n")
    assert not new.startswith("\n")
    assert not new.endswith("\n\n")


def test_lines_in_a_case() -> None:
    changes = edits("match a:\n    case b:\n        c\n    case d:\n        e\n        f\n")
    changes.insert_after(statement(changes, "c"), "x")
    changes.delete_statement(statement(changes, "f"))
    expect(changes, "match a:\n    case b:\n        c\n        x\n    case d:\n        e\n")


def test_an_elif_is_no_statement_of_its_own() -> None:
    changes = edits("if a:\n    b\nelif c:\n    d\nelse:\n    e\nf\n")
    clause = nodes(changes, ast.If)[1]
    with pytest.raises(ValueError, match="elif"):
        changes.insert_before(clause, "x")
    with pytest.raises(ValueError, match="elif"):
        changes.insert_after(clause, "x")
    changes.delete_statement(clause)
    expect(changes, "if a:\n    b\nf\n")


def test_lines_below_the_ends_of_nested_blocks() -> None:
    changes = edits("if a:\n    if b:\n        c\nd\n")
    outer, inner = nodes(changes, ast.If)
    for stmt, new in [
        (outer, "x1"),
        (inner, "y1"),
        (inner.body[0], "z"),
        (inner, "y2"),
        (outer, "x2"),
    ]:
        changes.insert_after(stmt, new)
    expect(changes, "if a:\n    if b:\n        c\n        z\n    y1\n    y2\nx1\nx2\nd\n")


# ---- what is left as it was -----------------------------------------------------------------------


def shows_a_mark(changes: Edits, name: ast.Name) -> bool:
    """Whether a mark that is put into a name is there in the end."""
    trial = changes.fork()
    try:
        trial.insert(changes.source.span(name)[0] + 1, "_mark_")
    except EditConflict:
        return False
    return "_mark_" in trial.apply()


def record_something(changes: Edits, chance: random.Random) -> None:
    """One edit of some kind at some place."""
    target = chance.choice(nodes(changes, ast.Name | ast.Call | ast.stmt))
    match target:
        case ast.Call(args=[first, *_]) if chance.random() < 0.5:
            changes.remove_item(target, first)
        case ast.Call() if chance.random() < 0.5:
            changes.add_item(target, "new=3")
        case ast.stmt() if chance.random() < 0.5:
            changes.insert_before(target, "added = 1")
        case ast.stmt():
            changes.delete_statement(target)
        case _:
            changes.replace(target, chance.choice(["other", ""]))


@pytest.mark.parametrize("seed", range(100))
def test_a_name_that_is_kept_shows_a_mark(seed: int) -> None:
    chance = random.Random(seed)
    changes = edits(
        "xx = ff(aa, gg(bb, cc))\nif xx:\n    yy = ff(xx)\n    zz = [aa, gg(yy)]\nprint(xx); hh(zz)\n"
    )
    for _ in range(chance.randrange(1, 6)):
        with contextlib.suppress(EditConflict):
            record_something(changes, chance)
        for name in nodes(changes, ast.Name):
            assert changes.keeps(name) == shows_a_mark(changes, name)


def test_text_that_is_replaced_by_the_same_is_kept() -> None:
    changes = edits("y = f(x, 1)\n")
    call, name = nodes(changes, ast.Call)[0], nodes(changes, ast.Name)[-1]
    changes.replace(name, "x")
    assert changes.keeps(name) and changes.keeps(call)
    changes.replace(call, "f(x, 1)")
    assert changes.keeps(call) and not changes.keeps(name)
