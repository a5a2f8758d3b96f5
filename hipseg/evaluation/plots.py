"""Vector plots in one house style; the only module that imports matplotlib for reports.

Colours are those of Okabe and Ito (2008), told apart by the colour-blind; each comes with a line style and a marker of
its own, so that a page printed in grey still reads. The same figure gives the same bytes. Importing this module sets
the style for the whole process: labels and legends take theirs from it long after the figure was made.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8c6d31")
"""In the order they are given out; `Look` cycles through them."""

GREY = "#6b6b6b"
"""Of reference lines: identity, zero, limits."""

_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), (0, (3, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_MM_PER_INCH = 25.4
_HASH_SALT = "hipseg"

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#333333",
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=_LINES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": 9,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "svg.fonttype": "none",
    "svg.hashsalt": _HASH_SALT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}
mpl.rcParams.update(_STYLE)


class Look(NamedTuple):
    """How one of several series is drawn: told apart by colour, by stroke and by marker."""

    colour: str
    line: Any
    marker: str

    @classmethod
    def of(cls, index: int) -> Look:
        """The look of the series number `index`, from 0; after the eighth, colours come back with other markers."""
        turn, round_ = index % len(COLOURS), index // len(COLOURS)
        return cls(COLOURS[turn], _LINES[turn], _MARKERS[(turn + round_) % len(_MARKERS)])


def new_figure(width_mm: float = 170, height_mm: float = 90) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes.

    Args:
        width_mm, height_mm: as printed; 170 mm is the text width of a portrait A4 page.
    """
    figure, axes = new_panels(1, 1, width_mm=width_mm, height_mm=height_mm)
    return figure, axes[0]


def new_panels(
    num_rows: int, num_columns: int, *, width_mm: float = 170, height_mm: float = 90, **options: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure with several pairs of axes, row by row.

    Args:
        num_rows, num_columns: of panels.
        width_mm, height_mm: of the whole, as printed.
        options: `sharex`, `sharey` and others of `Figure.subplots`.
    """
    figure = Figure(figsize=(width_mm / _MM_PER_INCH, height_mm / _MM_PER_INCH))
    axes_RC = figure.subplots(num_rows, num_columns, squeeze=False, **options)
    return figure, list(axes_RC.flat)


def to_svg(figure: Figure) -> str:
    """The figure as an `<svg>` element, without XML prolog, date or program's name; text stays text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def to_png(figure: Figure, *, dots_per_inch: int = 150) -> bytes:
    """The figure as pixels, for places that show no vectors."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return buffer.getvalue()
