"""The page: whole in itself, and safe against what names and messages hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from nnx_codemod.codemod.parity.document import document, dumps
from nnx_codemod.codemod.parity.page import page
from nnx_codemod.codemod.parity.programs import Compared, Line
from nnx_codemod.codemod.parity.rungs import TITLES, Climb, Rung
from nnx_codemod.codemod.parity.verify import Verdict

NUMBERS = {
    "error": 1e-7,
    "tolerance": 1e-4,
    "histogram": [(-18, 5), (-7, 2)],
    "tolerance64": 1e-6,
    "histogram64": [(-16, 7)],
}


def verdict() -> Verdict:
    good = Climb(
        "a.py", "Net", "linen", case={"origin": "code", "kwargs": {"n": 3}, "inputs": ["f32[2]"]}
    )
    good.add(Rung("eval", "pass", "1.0e-07", numbers=NUMBERS))
    losses = {"before": [3.0, 2.0, 1.0], "after": [3.0, 2.0, float("nan")]}
    good.add(Rung("trajectory", "pass", "exact", numbers=losses))
    good.rest("not asked for")
    bad = Climb("b.py", "<script>alert(1)</script>", "haiku")
    bad.add(Rung("builds", "fail", "fails", 'ValueError: <b>"no"</b>'))
    bad.rest("the rewrite fails")
    programs = [
        Compared("train.py", [Line("loss 1", "loss 2"), Line("x 1", None)], "", "NameError")
    ]
    return Verdict(
        [good, bad], 0, {"original": {"status": "ok", "jax": "0"}}, ["c.py:Old"], programs
    )


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br", "rect", "line", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line", "polyline"):
            assert self.open.pop() == tag


def made() -> str:
    return page(document(verdict(), "1"), "1 of 2 hold", {"a.py": "--- a\n+++ b\n-x < 1\n+x\n"})


def test_the_page_is_well_formed_and_whole() -> None:
    tags = Tags()
    tags.feed(made())
    assert tags.open == []
    assert not any({"src", "href", "action", "data"} & attrs.keys() for _, attrs in tags.seen)
    assert sum(tag == "script" for tag, _ in tags.seen) == 1
    assert sum(attrs.get("class") == "module" for _, attrs in tags.seen) == 2
    assert sum(attrs.get("class") == "plot" for _, attrs in tags.seen) == 2


def test_the_page_names_no_place_outside() -> None:
    text = made()
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttp", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text


def test_what_users_write_is_escaped() -> None:
    text = made()
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    assert '<span class="removed">-x &lt; 1</span>' in text


def test_all_rungs_are_there() -> None:
    text = made()
    assert all(f'<th scope="row">{title}</th>' in text for title in TITLES.values())


def test_failures_come_first() -> None:
    tags = Tags()
    tags.feed(made())
    modules = [attrs["data-status"] for _, attrs in tags.seen if attrs.get("class") == "module"]
    assert modules == ["fail", "pass"]


def test_files_that_were_changed_since_are_named() -> None:
    one = verdict()
    one.different = ["changed/<since>.py"]
    assert "changed/&lt;since&gt;.py" in page(document(one, "1"), "", {})


def test_the_document_is_plain_json() -> None:
    data = document(verdict(), "1")
    assert data["verdict"] == "fail"
    assert "NaN" not in dumps(data) and '"nan"' in dumps(data)
    assert [module["status"] for module in data["modules"]] == ["pass", "fail"]
