"""Symbolic sizes as a person writes them."""

from __future__ import annotations

import random

import pytest

from nnx_codemod.codemod.shapes.printing import render

TEXTS = {
    "s1_": "in_height",
    "s2_": "in_width",
    "s3_": "features",
    "s4_": "config.width",
    "s5_": "2**i",
    "s6_": "a + 1",
    "s7_": "(a + 1) * 3",
}


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ("7", "7"),
        ("-7", "-7"),
        ("s3_", "features"),
        ("2*s3_ + 3", "2 * features + 3"),
        ("s3_*s4_", "features * config.width"),
        ("s4_*s3_*2", "2 * features * config.width"),
        ("s3_ + s4_", "features + config.width"),
        ("s3_*s4_ + s3_*s1_", "in_height * features + features * config.width"),
        ("- s3_ + s4_", "config.width - features"),
        ("3 - s3_", "3 - features"),
        ("- s3_ - 3", "-features - 3"),
        ("s3_^2", "features**2"),
        ("2*s3_^2*s4_", "2 * features**2 * config.width"),
        ("s5_*s3_", "features * 2**i"),
        ("s5_^2", "(2**i) ** 2"),
        ("s3_*s6_", "features * (a + 1)"),
        ("s3_ + s6_", "features + a + 1"),
        ("s3_ - s6_", "features - (a + 1)"),
        ("mod(s3_, 2)", "features % 2"),
        ("mod(s3_ + 4, 2)", "features % 2"),
        ("s3_ - mod(s3_, 8)", "features - features % 8"),
        ("max(s3_, s4_ - 2)", "max(features, config.width - 2)"),
        ("min(s3_, s4_) + 1", "min(features, config.width) + 1"),
        ("floordiv(s3_, s4_)", "features // config.width"),
        ("floordiv(s7_, 3)", "a + 1"),
        ("4*floordiv(s7_, 3)", "(a + 1) * 4"),
        ("floordiv(s7_, 2)", "(a + 1) * 3 // 2"),
        ("s3_*floordiv(s1_, 4)*floordiv(s2_, 4)", "(in_height // 4) * (in_width // 4) * features"),
        ("16*floordiv(s2_, 4)*floordiv(s1_, 4)", "(in_height // 4) * (in_width // 4) * 16"),
        ("- floordiv(- s1_, 2)", "-(-in_height // 2)"),
        ("- floordiv(floordiv(- s1_, 2), 2)", "-(-in_height // 4)"),
        ("8*floordiv(- s1_, 2)*floordiv(- s2_, 2)", "-(-in_height // 2) * -(-in_width // 2) * 8"),
        (
            "floordiv(- s1_, s3_)*floordiv(- s2_, s3_)",
            "-(-in_height // features) * -(-in_width // features)",
        ),
        ("- floordiv(- s1_, s3_)", "-(-in_height // features)"),
        ("floordiv(1 - s1_, s3_)", "(1 - in_height) // features"),
        ("floordiv(floordiv(s1_ - 2, 2) - 1, 2) + 1", "in_height // 4"),
        ("floordiv(s1_ - 3, 2) + 1", "(in_height - 1) // 2"),
        ("floordiv(s1_, 2) + 1", "in_height // 2 + 1"),
        ("floordiv(6*s1_ + 4, 4)", "3 * in_height // 2 + 1"),
        ("16*s1_*s2_ - 32*s1_ - 32*s2_ + 64", "(in_height - 2) * (in_width - 2) * 16"),
        ("s3_*s1_ - 2*s3_", "(in_height - 2) * features"),
        (
            (
                "4*floordiv(s1_ - 3, 2)*floordiv(s2_ - 3, 2) + 4*floordiv(s1_ - 3, 2)"
                " + 4*floordiv(s2_ - 3, 2) + 4"
            ),
            "((in_height - 1) // 2) * ((in_width - 1) // 2) * 4",
        ),
    ],
)
def test_sizes_print_as_written_by_hand(size: str, text: str) -> None:
    assert render(size, TEXTS) == text


def test_what_cannot_be_printed() -> None:
    with pytest.raises(KeyError):
        render("s9_ + 1", TEXTS)
    with pytest.raises(ValueError, match="not an operation on sizes: cos"):
        render("cos(s1_)", TEXTS)
    with pytest.raises(ValueError, match="not a size"):
        render("s1_ if s2_ else s3_", TEXTS)


def expression(chance: random.Random, depth: int) -> str:
    """A size as JAX prints them, but nested and combined in any way."""
    if depth == 0 or chance.random() < 0.15:
        return chance.choice([*TEXTS, str(chance.randrange(1, 5))])
    inner = [expression(chance, depth - 1) for _ in range(3)]
    number = chance.randrange(1, 7)
    return chance.choice(
        [
            f"{inner[0]} + {number}",
            f"{inner[0]} - {number}",
            f"{inner[0]} - {number}*({inner[1]})",
            f"({inner[0]})*({inner[1]})",
            f"{number}*({inner[0]})",
            f"- ({inner[0]})",
            f"({inner[0]})^2",
            f"floordiv({inner[0]}, {number})",
            f"floordiv({inner[0]}, {number})",
            f"floordiv({inner[0]}, {number})*floordiv({inner[1]}, 2)",
            f"mod({inner[0]}, {number})",
            f"max({inner[0]}, {inner[1]})",
            f"min({inner[0]}, {inner[1]}, {inner[2]})",
        ]
    )


OPERATIONS = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min}


@pytest.mark.parametrize("seed", range(400))
def test_what_is_printed_has_the_same_value(seed: int) -> None:
    chance = random.Random(seed)
    size = expression(chance, chance.randrange(1, 5))
    text = render(size, TEXTS)
    for _ in range(20):
        numbers = {"in_height": 0, "in_width": 0, "features": 0, "a": 0, "i": 0, "width": 0}
        numbers = {name: chance.randrange(1, 40) for name in numbers}
        config = type("Config", (), {"width": numbers["width"]})
        names = {**numbers, "config": config, "max": max, "min": min}
        symbols = {symbol: eval(written, {}, names) for symbol, written in TEXTS.items()}
        assert eval(text, {}, names) == eval(size.replace("^", "**"), {}, {**symbols, **OPERATIONS})


@pytest.mark.parametrize("seed", range(40))
def test_what_is_printed_is_settled(seed: int) -> None:
    """Printing does not depend on how the sum was ordered."""
    chance = random.Random(seed)
    terms = [expression(chance, 2) for _ in range(3)]
    shuffled = chance.sample(terms, 3)
    one = render(" + ".join(f"({term})" for term in terms), TEXTS)
    assert one == render(" + ".join(f"({term})" for term in shuffled), TEXTS)


def test_sizes_as_jax_prints_them() -> None:
    export = pytest.importorskip("jax.export")
    h, w, c = export.symbolic_shape("s1_, s2_, s3_", constraints=["s1_ >= 64", "s2_ >= 64"])
    assert (
        render((h // 2 // 2) * (w // 4) * c, TEXTS)
        == "(in_height // 4) * (in_width // 4) * features"
    )
    assert render(-(-h // 2), TEXTS) == "-(-in_height // 2)"
    assert render(((h - 3) // 2 + 1) * 5, TEXTS) == "((in_height - 1) // 2) * 5"
    assert render(3 * c + c - 2 + c * c, TEXTS) == "features**2 + 4 * features - 2"
    assert render(c % 3 + h**3, TEXTS) == "in_height**3 + features % 3"
