"""Plots: the same bytes each time, well-formed, told apart without colour."""

from __future__ import annotations

from xml.etree import ElementTree

from matplotlib.figure import Figure

from hipseg.evaluation.plots import COLOURS, Look, new_figure, new_panels, to_png, to_svg


def _drawn() -> Figure:
    figure, axes = new_figure()
    axes.plot([0, 1, 2], [0.2, 0.9, 0.4], label="<model> & Co")
    axes.set_xlabel("depth, mm")
    axes.legend()
    return figure


def test_the_same_figure_gives_the_same_bytes() -> None:
    assert to_svg(_drawn()) == to_svg(_drawn())
    assert to_png(_drawn()) == to_png(_drawn())


def test_an_svg_is_one_element_without_outside_resources_whose_text_stays_text() -> None:
    svg = to_svg(_drawn())
    texts = {element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")}
    assert svg.startswith("<svg")
    assert {"depth, mm", "<model> & Co"} <= texts
    assert "http" not in svg.replace("http://www.w3.org/", "")


def test_series_differ_in_stroke_and_marker_too() -> None:
    looks = [Look.of(index) for index in range(len(COLOURS))]
    assert len({look.marker for look in looks}) == len({str(look.line) for look in looks}) == len(looks)
    assert len({(look.colour, look.marker) for look in map(Look.of, range(24))}) == 24


def test_panels_come_row_by_row() -> None:
    _, axes = new_panels(2, 3, sharex=True)
    assert len(axes) == 6
    assert axes[1].get_subplotspec().colspan.start == 1
