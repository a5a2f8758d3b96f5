"""A page is a title and sections of text, tables, pictures and plots; its looks are in `page.html.j2`."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hipseg import DISCLAIMER, __version__
from hipseg.io.records import write_json
from hipseg.io.writing import output_errors, write_atomically

Picture = npt.NDArray[np.uint8] | bytes
"""Grey [H, W] or RGB [H, W, 3], or an encoded PNG, JPEG or WebP."""

MISSING = "–"
"""Stands in a table where there is no value: never 0, never empty."""

_SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}


@dataclass(frozen=True, slots=True)
class Block:
    """One element of a section: the macro of `page.html.j2` that shows it, and what it shows."""

    kind: str
    content: Mapping[str, Any]


class Section:
    """A headed part of a page. Everything given is text and is escaped."""

    def __init__(self, title: str, intro: str = "") -> None:
        self.title, self.intro = title, intro
        self.blocks: list[Block] = []

    def text(self, text: str) -> None:
        """Adds a paragraph."""
        self._add("text", text=text)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> None:
        """Adds a table.

        Args:
            columns: heads.
            rows: cells, as many as there are columns; None and NaN show as a dash. Numbers stand flush right.
            caption: above the table.

        Raises:
            ValueError: a row of another length.
        """
        cells = [[_cell(value) for value in row] for row in rows]
        for row in cells:
            if len(row) != len(columns):
                raise ValueError(f"a row of {len(row)} cells under {len(columns)} columns")
        numeric = [bool(cells) and all(_is_number(row[index]) for row in cells) for index in range(len(columns))]
        self._add("table", columns=list(columns), rows=cells, numeric=numeric, caption=caption)

    def picture(self, image: Picture, caption: str = "", width_px: int | None = None) -> None:
        """Adds a picture, at most as wide as the page or `width_px`."""
        self._add("picture", source=_data_address(image), caption=caption, width_px=width_px)

    def gallery(self, pictures: Iterable[tuple[Picture, str]]) -> None:
        """Adds pictures with a caption each, side by side as they fit."""
        self._add("gallery", pictures=[(_data_address(image), caption) for image, caption in pictures])

    def svg(self, svg: str, caption: str = "") -> None:
        """Adds a drawing of our own making: it goes into the page as it is, so hand over nothing from outside.

        Args:
            svg: text with one `<svg>` element; what stands before it (XML declaration, document type) is cut.
            caption: below the drawing.

        Raises:
            ValueError: no drawing, or one that runs or loads something.
        """
        start = svg.find("<svg")
        lowered = svg.lower()
        if start < 0 or "<script" in lowered or 'href="http' in lowered:
            raise ValueError("not an SVG drawing that stands by itself")
        self._add("svg", svg=Markup(svg[start:]), caption=caption)

    def preformatted(self, title: str, text: str) -> None:
        """Adds text in a fixed-width face, folded under its title."""
        self._add("preformatted", title=title, text=text)

    def _add(self, kind: str, **content: Any) -> None:
        self.blocks.append(Block(kind, content))


class Page:
    """A report.

    Args:
        title: what it is.
        subtitle: of what.
        command: the exact command that makes it again.
    """

    def __init__(self, title: str, subtitle: str = "", command: str = "") -> None:
        self.title, self.subtitle, self.command = title, subtitle, command
        self.sections: list[Section] = []

    def section(self, title: str, intro: str = "") -> Section:
        """Adds a section and returns it to be filled."""
        section = Section(title, intro)
        self.sections.append(section)
        return section

    def render(self) -> str:
        """The page as HTML: one file, without scripts, styles, fonts or pictures from elsewhere."""
        template = _environment().get_template("page.html.j2")
        return template.render(page=self, disclaimer=DISCLAIMER, version=__version__)

    def write(self, path: Path, data: Mapping[str, Any] | None = None) -> None:
        """Writes the page, and with `data` its figures beside it: `report.html` and `report.json`.

        Args:
            path: of the page.
            data: figures that another program can compare.

        Raises:
            OutputError: a file cannot be written.
        """
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, self.render().encode())
        if data is not None:
            write_json(path.with_suffix(".json"), data)


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("hipseg.pages", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return str(value)


def _is_number(cell: str) -> bool:
    """Whether a cell reads as a figure, with an interval or a unit or without."""
    return cell == MISSING or cell.lstrip("+-−±<>≤≥ ")[:1].isdigit()


def _data_address(image: Picture) -> str:
    """The picture itself as an address (RFC 2397)."""
    content = image if isinstance(image, bytes) else _png(image)
    for signature, kind in _SIGNATURES.items():
        if content.startswith(signature):
            return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    raise ValueError("not a PNG, JPEG or WebP picture")


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    shown = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".png", shown)
    return encoded.tobytes()
