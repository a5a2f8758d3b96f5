"""Pages: one file that stands by itself, shows what is missing, and lets nothing through."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from hipseg import DISCLAIMER
from hipseg.errors import OutputError
from hipseg.pages import Page


class Outline(HTMLParser):
    """What a browser would see: elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page_with_everything() -> Page:
    page = Page("A report", "of things", "hipseg something --out DIR")
    for number in range(4):
        section = page.section(f"Part {number}", "What it is about.")
        section.text("A paragraph.")
        section.table(["name", "Dice"], [["head", "0.96 (0.91-0.98)"], ["neck", None]], "Overlap")
        section.picture(np.arange(256, dtype=np.uint8).reshape(16, 16), "a ramp")
        section.gallery([(np.zeros((4, 4, 3), np.uint8), "one"), (np.zeros((4, 4, 3), np.uint8), "two")])
        section.svg('<?xml version="1.0"?><svg viewBox="0 0 1 1"><path d="M0 0L1 1"/></svg>', "a line")
        section.preformatted("environment", "numpy 2")
    return page


def test_nothing_comes_from_elsewhere() -> None:
    html = page_with_everything().render()
    outline = Outline(html)
    sources = [attributes["src"] for _, attributes in outline.elements if "src" in attributes]
    assert sources
    assert all(source is not None and source.startswith("data:") for source in sources)
    assert not any(tag in ("script", "link", "iframe") for tag, _ in outline.elements)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", html)
    assert DISCLAIMER in outline.text


def test_text_is_escaped_wherever_it_stands() -> None:
    hostile = "<script>alert('x')</script>&\""
    page = Page(hostile, hostile, hostile)
    section = page.section(hostile, hostile)
    section.text(hostile)
    section.table([hostile], [[hostile]], hostile)
    section.picture(np.zeros((2, 2), np.uint8), hostile)
    section.preformatted(hostile, hostile)
    outline = Outline(page.render())
    assert not any(tag == "script" for tag, _ in outline.elements)
    assert outline.text.count(hostile) >= 9


def test_what_is_missing_shows_as_a_dash_and_numbers_stand_flush_right() -> None:
    page = Page("t")
    page.section("s").table(["name", "n"], [["head", 3], ["neck", None], ["capsule", float("nan")]])
    outline = Outline(page.render())
    assert outline.text.count("–") == 2
    assert sum("number" in (attributes.get("class") or "") for _, attributes in outline.elements) == 4


def test_pictures_come_back_as_they_were() -> None:
    image_HW3 = np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    page = Page("t")
    page.section("s").picture(image_HW3)
    found = re.search(r"data:image/png;base64,([^\"]+)", page.render())
    assert found
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), image_HW3)


@pytest.mark.parametrize(
    "drawing", ["no drawing", "<svg><script>1</script></svg>", '<svg><image href="http://x/y"/></svg>']
)
def test_drawings_that_run_or_load_something_are_refused(drawing: str) -> None:
    with pytest.raises(ValueError, match="stands by itself"):
        Page("t").section("s").svg(drawing)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells under 1 columns"):
        Page("t").section("s").table(["a"], [[1, 2]])


def test_the_page_and_its_figures_are_written_side_by_side(tmp_path: Path) -> None:
    page_with_everything().write(tmp_path / "new" / "report.html", {"dice": None})
    assert (tmp_path / "new" / "report.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "new" / "report.json").read_text()) == {"dice": None}
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["report.html", "report.json"]


def test_a_place_that_cannot_be_written_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        Page("t").write(tmp_path / "file" / "report.html")
