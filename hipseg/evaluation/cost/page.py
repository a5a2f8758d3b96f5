"""The page of `hipseg benchmark models` and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hipseg.evaluation.cost.benchmark import CostRequest, Entry, measure_cost, pareto_front
from hipseg.evaluation.cost.candidates import RELEASED, TRAINED, UNTRAINED
from hipseg.evaluation.plots import COLOURS, GREY, new_figure, new_panels, to_svg
from hipseg.evaluation.report.environment import add_environment
from hipseg.evaluation.report.wording import with_interval
from hipseg.pages import Page

PAGE = "models.html"
_MILLION, _BILLION = 1e6, 1e9
_MARKS = {RELEASED: ("o", COLOURS[0]), TRAINED: ("s", COLOURS[1]), UNTRAINED: ("^", COLOURS[2])}


def benchmark_models(request: CostRequest, out: Path) -> Path:
    """Measures, and writes models.html and models.json.

    Args:
        request: what is measured.
        out: folder, made when it is missing.

    Returns:
        The page.

    Raises:
        UsageError, SourceError: the data cannot be used.
        OutputError: the folder cannot be written.
    """
    entries, record = measure_cost(request)
    path = out / PAGE
    cost_page(entries, record).write(path, record)
    return path


def cost_page(entries: Sequence[Entry], record: dict[str, Any]) -> Page:
    """The page, ready to be written."""
    size = record["image"]
    page = Page("Accuracy against cost", subtitle=f"on {record['data']['name']}", command=record["command"])
    section = page.section(
        "Models and networks",
        "Dice is the mean over structures of the means over patients, with its 95 % interval; untrained networks have "
        f"none. Latency is from an image of {size['width']}x{size['height']} in memory to its segmentation, all models "
        f"in turn on the same {record['num_frames']} frames. Operations are multiply-accumulates of one image.",
    )
    accurate = [entry for entry in entries if entry.dice is not None and _p50(entry) is not None]
    if accurate:
        section.svg(_pareto(accurate), "Bars: 95 % intervals. Line: those that no other one beats.")
    timed = [entry for entry in entries if _p50(entry) is not None and entry.candidate.arithmetic is not None]
    if len(timed) > 1:
        section.svg(_scaling(timed), "What arithmetic, parameters and file size tell of latency.")
    columns = ["name", "state", "Dice", "p50, ms", "p95, ms", "params, M", "MACs, G", "file, MB", "n (patients)"]
    section.table(columns, [_row(entry) for entry in entries])
    _add_faults(page, entries)
    add_environment(page, {"benchmark": record})
    return page


def _row(entry: Entry) -> list[object]:
    candidate, arithmetic = entry.candidate, entry.candidate.arithmetic
    size = candidate.size_bytes
    return [
        candidate.name,
        candidate.origin,
        with_interval(entry.dice, entry.interval),
        _number(_p50(entry), 1),
        _number(entry.latency_ms.get("p95"), 1),
        None if arithmetic is None else f"{arithmetic.num_parameters / _MILLION:.2f}",
        None if arithmetic is None else f"{arithmetic.macs / _BILLION:.3f}",
        _number(None if size is None else size / _MILLION, 1),
        f"{entry.num_cases} ({entry.num_patients})" if entry.dice is not None else None,
    ]


def _add_faults(page: Page, entries: Sequence[Entry]) -> None:
    faults = [[entry.candidate.name, entry.candidate.fault] for entry in entries if entry.candidate.fault]
    if faults:
        page.section("Not measured").table(["name", "why"], faults)


def _pareto(entries: Sequence[Entry]) -> str:
    figure, axes = new_figure(height_mm=90)
    latencies, dices = [_p50(entry) or 0.0 for entry in entries], [entry.dice or 0.0 for entry in entries]
    front = pareto_front(latencies, dices)
    axes.step([latencies[k] for k in front], [dices[k] for k in front], where="post", color=GREY, linestyle="--")
    for entry, latency, dice in zip(entries, latencies, dices, strict=True):
        marker, colour = _MARKS[entry.candidate.origin]
        low, high = entry.interval or (dice, dice)
        axes.plot([latency, latency], [low, high], color=colour, linestyle="-", linewidth=1)
        axes.scatter([latency], [dice], c=colour, marker=marker, s=36, zorder=3)
        axes.annotate(entry.candidate.name, (latency, dice), xytext=(6, 4), textcoords="offset points", fontsize=8)
    axes.set_xlabel("latency p50, ms")
    axes.set_ylabel("Dice, mean over structures")
    axes.set_xlim(left=0)
    axes.margins(x=0.25, y=0.15)
    return to_svg(figure)


def _scaling(entries: Sequence[Entry]) -> str:
    figure, panels = new_panels(1, len(_QUANTITIES), height_mm=70, sharey=True)
    for axes, (label, value) in zip(panels, _QUANTITIES.items(), strict=True):
        for entry in entries:
            marker, colour = _MARKS[entry.candidate.origin]
            axes.scatter(value(entry), _p50(entry) or 0.0, c=colour, marker=marker, s=18)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.tick_params(axis="x", which="minor", labelbottom=False)
        axes.set_xlabel(label)
    panels[0].set_ylabel("latency p50, ms")
    for origin, (marker, colour) in _MARKS.items():
        panels[0].scatter([], [], c=colour, marker=marker, s=18, label=origin)
    figure.legend(loc="outside upper right", ncols=3)
    return to_svg(figure)


def _gigamacs(entry: Entry) -> float:
    arithmetic = entry.candidate.arithmetic
    return 0.0 if arithmetic is None else arithmetic.macs / _BILLION


def _megaparameters(entry: Entry) -> float:
    arithmetic = entry.candidate.arithmetic
    return 0.0 if arithmetic is None else arithmetic.num_parameters / _MILLION


def _megabytes(entry: Entry) -> float:
    return (entry.candidate.size_bytes or 0) / _MILLION


_QUANTITIES = {"MACs, G": _gigamacs, "parameters, M": _megaparameters, "file, MB": _megabytes}


def _p50(entry: Entry) -> float | None:
    return entry.latency_ms.get("p50")


def _number(value: float | None, decimals: int) -> str | None:
    return None if value is None else f"{value:.{decimals}f}"
