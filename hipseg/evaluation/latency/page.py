"""The page of `hipseg benchmark latency`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hipseg.evaluation.plots import COLOURS, Look, new_figure, to_svg
from hipseg.pages import Page
from hipseg.pages.page import Section
from hipseg.runtime.stream import TOTAL

Figures = Mapping[str, Any]

_PERCENTILES = ("p50", "p95", "p99", "max")
_HATCHES = ("", "//", "..", "xx", "--", "\\\\")
_PERCENT = 100


def latency_page(record: Figures) -> Page:
    """The page, ready to be written.

    Args:
        record: of `benchmark.benchmark_latency`.
    """
    page = Page("Latency", subtitle="from the file to the overlay in memory", command=record["command"])
    _add_machine(page, record)
    for model in record["models"]:
        section = page.section(model["name"], model.get("fault", ""))
        if "sizes" in model:
            _add_sizes(section, model["sizes"])
            _add_live(section, model["live"])
            _add_rest(section, model)
    page.section("Software").table(["what", "version"], list(record["versions"].items()))
    return page


def _add_machine(page: Page, record: Figures) -> None:
    found = record["machine"]
    quiet = "was quiet" if found["is_quiet"] else "was BUSY: figures tell of other programs too"
    section = page.section("Machine", f"The machine {quiet}.")
    rows: list[list[object]] = [
        ["processor", f"{found['processor']}, {found['cores']} cores ({', '.join(found['vectors'])})"],
        ["load before and after (runnable tasks)", f"{found['load']:.2f}, {found['load_after']:.2f}"],
        ["threads of the model, provider", f"{record['threads']}, {record['provider']}"],
        ["frames of a measurement", record["num_frames"]],
    ]
    section.table(["what", "value"], rows)


def _add_sizes(section: Section, sizes: Sequence[Figures]) -> None:
    section.svg(_stages_plot(sizes), "Median of each stage, one frame after the other.")
    for size in sizes:
        whole = {
            **size["latency_ms"],
            "file to overlay": size["file_to_overlay_ms"],
            "all but the network": size["all_but_network_ms"],
        }
        whole.pop(TOTAL)
        section.table(
            ["stage", *(f"{name}, ms" for name in _PERCENTILES)],
            [[stage, *(f"{spread[name]:.2f}" for name in _PERCENTILES)] for stage, spread in whole.items()],
            f"{size['width']}x{size['height']}: {size['fps']:.1f} frames a second with the next one read ahead, "
            f"jitter {size['jitter_ms']:.2f} ms",
        )


def _stages_plot(sizes: Sequence[Figures]) -> str:
    figure, axes = new_figure(height_mm=30 + 14 * len(sizes))
    names = [name for name in sizes[0]["latency_ms"] if name != TOTAL]
    labels, left = [f"{size['width']}x{size['height']}" for size in sizes], np.zeros(len(sizes))
    for position, name in enumerate(names):
        widths = np.array([size["latency_ms"][name]["p50"] for size in sizes])
        colour, hatch = COLOURS[position % len(COLOURS)], _HATCHES[position % len(_HATCHES)]
        axes.barh(labels, widths, left=left, label=name, color=colour, hatch=hatch, edgecolor="white")
        left += widths
    axes.set_xlabel("milliseconds")
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=len(names))
    return to_svg(figure)


def _add_live(section: Section, live: Sequence[Figures]) -> None:
    told = [each for each in live if each["age_ms"]]
    if len(told) > 1:
        section.svg(_ages_plot(told), "Age of the shown picture, from capture to overlay.")
    section.table(
        ["Hz", "in", "shown", "dropped", "shown, Hz", "jitter", "p50", "p95", "p99", "p95 / network", "growth/min"],
        [_live_row(each) for each in live],
        "Live: the newest frame only; ages from capture to overlay, all in milliseconds",
    )  # fmt: skip


def _live_row(each: Figures) -> list[object]:
    counts = [f"{each['rate_hz']:g}", each["frames_in"], each["frames_shown"], each["dropped"]]
    if not each["age_ms"]:
        return [*counts, *([None] * 7)]
    growth = each["age_growth_ms"]
    shown = f"{growth['per_minute']:+.2g} [{growth['low']:.2g}, {growth['high']:.2g}]" if growth else None
    ages = [f"{each['age_ms'][name]:.1f}" for name in ("p50", "p95", "p99")]
    return [*counts, f"{each['fps']:.1f}", f"{each['jitter_ms']:.1f}", *ages, each["age_p95_in_network_times"], shown]


def _ages_plot(live: Sequence[Figures]) -> str:
    figure, axes = new_figure(height_mm=65)
    rates = [each["rate_hz"] for each in live]
    for index, name in enumerate(("p50", "p95", "p99")):
        look = Look.of(index)
        ages = [each["age_ms"][name] for each in live]
        axes.plot(rates, ages, label=name, color=look.colour, linestyle=look.line, marker=look.marker)
    axes.set_xlabel("frames a second of the source")
    axes.set_ylabel("age, ms")
    axes.set_ylim(bottom=0)
    axes.legend()
    return to_svg(figure)


def _add_rest(section: Section, model: Figures) -> None:
    start, roof, sharing = model["start"], model["roof"], model["sharing"]
    section.table(
        ["import, ms", "load, ms", "first run, ms", "until ready, ms", "peak memory, MB"],
        [[start[name] for name in ("import_ms", "load_ms", "first_run_ms", "until_ready_ms", "peak_memory_mb")]],
        "Cold start in a new process",
    )
    _add_roof(section, roof)
    section.table(
        ["threads", *(f"{name}, ms" for name in _PERCENTILES)],
        [[each["threads"], *(f"{each['latency_ms'][name]:.2f}" for name in _PERCENTILES)] for each in model["threads"]],
        "Image to segmentation by the number of threads, in turn",
    )
    section.table(
        ["alone, Hz", "together, Hz", "slowest / fastest", "sum / alone"],
        [[sharing["alone_fps"], ", ".join(map(str, sharing["together_fps"])), sharing["fairness"],
          sharing["yield_share"]]],
        "Two sessions in one process at the same time",
    )  # fmt: skip


def _add_roof(section: Section, roof: Figures) -> None:
    if "fault" in roof:
        section.text(f"The network's share of the machine is not known: {roof['fault']}.")
        return
    section.table(
        ["what", "GFLOP/s"],
        [[name, f"{rate:.1f}"] for name, rate in roof["gflops"].items()],
        f"The network alone takes {roof['network_ms']:.2f} ms for {roof['macs'] / 1e9:.3f} GMAC: "
        f"{_PERCENT * roof['share_of_sgemm']:.0f} % of the matrix product's rate, "
        f"{_PERCENT * roof['share_of_convolution']:.0f} % of the convolution's",
    )
