"""Tests of assignments that happen at once."""

import pytest

from nnx_codemod.codemod.emit.updates import in_turn

CASES = [
    [("a", "b"), ("b", "c + 1")],
    [("b", "c + 1"), ("a", "b")],
    [("a", "b"), ("b", "a")],
    [("a", "a + b"), ("b", "2 * b"), ("c", "a")],
    [("a", "a")],
]


@pytest.mark.parametrize("assignments", CASES)
def test_every_text_reads_the_names_as_they_were(assignments):
    before = {"a": 2, "b": 3, "c": 5}
    after = dict(before)
    exec("\n".join(f"{name} = {text}" for name, text in in_turn(assignments)), {}, after)
    assert after == {**before, **{name: eval(text, {}, dict(before)) for name, text in assignments}}


def test_a_name_that_keeps_its_value_is_not_written():
    assert in_turn([("a", "a"), ("b", "a")]) == [("b", "a")]


def test_an_attribute_is_not_the_name_that_it_ends_with():
    assert in_turn([("size", "2"), ("a", "config.size")]) == [
        ("size", "2"),
        ("a", "config.size"),
    ]


def test_parentheses_around_a_whole_expression_go():
    assert in_turn([("a", "(b if c else a)"), ("b", "(c) + (d)")]) == [
        ("a", "b if c else a"),
        ("b", "(c) + (d)"),
    ]
