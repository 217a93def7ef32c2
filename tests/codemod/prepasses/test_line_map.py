"""Which line of the user's text each line of a prepared text comes from."""

from __future__ import annotations

from nnx_codemod.codemod.prepasses.line_map import line_map

OLD = """def call(self, x):
    a = first(
        x,
        name="a")(x)
    b = second(
        x)(a)
    c, d = third(b)
    return last(
        c)(d)
""".split("\n")


def test_lines_that_stayed_and_lines_that_were_put_in() -> None:
    new = ["import x", "", *OLD[:4], "    # here", *OLD[4:]]
    assert line_map(OLD, new)[:8] == [1, 1, 1, 2, 3, 4, 4, 5]


def test_lines_that_were_written_anew_are_told_by_what_they_assign() -> None:
    new = [
        "def call(self, x):",
        "    a = self.first(x)",
        "    b = self.second(a)",
        "    c, d = self.third(b)",
        "    return self.last(d)",
        "",
    ]
    assert line_map(OLD, new)[:4] == [1, 2, 5, 7]


def test_names_that_several_lines_assign_are_told_where_all_do_in_one_order() -> None:
    old = ["x = a(", "  x)", "x = b(", "  x)", "y = 1"]
    assert line_map(old, ["x = A(x)", "x = B(x)", "y = 2"]) == [1, 3, 5]
    assert line_map(old, ["x = A(x)", "y = 2"]) == [1, 5]
