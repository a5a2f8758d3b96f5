"""The page of `hipseg benchmark peers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hipseg.evaluation.plots import COLOURS, GREY, new_figure, to_svg
from hipseg.pages import Page

_INTRO = {
    "segmentation": "An image in memory to its label map. hipseg gives landmarks, probabilities and the view besides.",
    "whole chain": "A picture's file to hipseg's overlay with guidance and alerts; for FAST to its segmentation only.",
}


def peers_page(record: Mapping[str, Any]) -> Page:
    """The page, ready to be written.

    Args:
        record: of `run.benchmark_peers`.
    """
    size, found = record["size"], record["machine"]
    subtitle = f"the network of {record['model']['name']}, {size['width']}x{size['height']}"
    page = Page("Peers", subtitle=subtitle, command=record["command"])
    quiet = (
        "was quiet"
        if found["is_quiet"]
        else "was BUSY: others took part in every figure, also in the ratios, for threads that spin lose most"
    )
    page.section("Machine", f"The machine {quiet}.").text(
        f"{found['processor']}, {found['cores']} cores, load {found['load']:.2f} before and {found['load_after']:.2f} "
        f"after; {record['threads']} threads for each, {record['num_frames']} frames, frame about frame."
    )
    for name, figures in record["comparisons"].items():
        section = page.section(name.capitalize(), _INTRO[name])
        if len(figures) > 1:
            section.svg(_ratio_plot(figures), "Times as long as hipseg; bars are 95 % intervals.")
        section.table(
            ["who", "p50, ms", "p95, ms", "p99, ms", "frames a second", "times as long as hipseg"],
            [_row(who, each) for who, each in figures.items()],
        )
    if record["absent"]:
        page.section("Not there").table(["who", "why"], list(record["absent"].items()))
    page.section("Software").table(["what", "version"], list(record["versions"].items()))
    return page


def _row(who: str, figures: Mapping[str, Any]) -> list[object]:
    value, low, high = figures["time_over_hipseg"]
    spread = figures["latency_ms"]
    shown = f"{value:.2f} [{low:.2f}, {high:.2f}]"
    return [who, spread["p50"], spread["p95"], spread["p99"], f"{figures['fps']:.1f}", shown]


def _ratio_plot(figures: Mapping[str, Any]) -> str:
    figure, axes = new_figure(height_mm=25 + 9 * len(figures))
    for who, each in figures.items():
        value, low, high = each["time_over_hipseg"]
        axes.plot([low, high], [who, who], color=COLOURS[0], linestyle="-", linewidth=3)
        axes.scatter([value], [who], c=COLOURS[1], zorder=3)
    axes.axvline(1.0, color=GREY, linestyle="--")
    axes.set_xscale("log")
    axes.set_xlabel("times as long as hipseg")
    axes.invert_yaxis()
    return to_svg(figure)
