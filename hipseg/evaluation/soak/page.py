"""The page of `hipseg benchmark soak`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hipseg.evaluation.plots import new_figure, to_svg
from hipseg.evaluation.report.wording import title_of
from hipseg.pages import Page, Section

Figures = Mapping[str, Any]

_SECONDS_A_MINUTE = 60
_UNITS = {"memory_mb": "memory, MB", "handles": "open handles", "threads": "threads"}


def soak_page(record: Figures) -> Page:
    """The page, ready to be written.

    Args:
        record: with `live` and `kills`, None where they were left out.
    """
    page = Page("Soak", subtitle="a long live run with faults thrown in", command=record["command"])
    machine = record["machine"]
    page.section("Machine").text(f"{machine['processor']}, {machine['cores']} cores, load {machine['load']:.2f}.")
    if record["live"] is not None:
        _add_live(page, record["live"])
    if record["kills"] is not None:
        section = page.section("Killed and taken up again", "kill -9 at random moments, then --resume.")
        section.table(["what", "value"], [[title_of(name), value] for name, value in record["kills"].items()])
    return page


def _add_live(page: Page, live: Figures) -> None:
    ending = "" if live["is_complete"] else " Stopped before its time."
    section = page.section("Live run", f"{live['seconds']:.0f} s at {live['rate_hz']:g} Hz.{ending}")
    counts = ("exit_code", "lines", "broken_lines", "out_of_order", "frames_in", "dropped", "unaccounted_frames",
              "shown_though_old", "losses", "reopened")  # fmt: skip
    section.table(["what", "value"], [[title_of(name), live[name]] for name in counts])
    _add_growth(section, live)
    section.table(
        ["state", "times", "seconds in all"],
        [[title_of(name), each["count"], f"{each['seconds']:.1f}"] for name, each in live["conditions"].items()],
    )
    section.table(["fault", "times"], [[title_of(name), count] for name, count in live["faults"].items()])
    section.table(
        ["alert", "raised", "cleared"],
        [[title_of(name), each.get("raised", 0), each.get("cleared", 0)] for name, each in live["alerts"].items()],
    )


def _add_growth(section: Section, live: Figures) -> None:
    """Does anything grow? Slopes of Theil and Sen over the medians of equal spans, without the first tenth."""
    rows = [
        [title, each["first"], each["last"], each["highest"], *_growth(each["growth"])]
        for name, title in _UNITS.items() if (each := live[name])
    ]  # fmt: skip
    words = "Medians of the first and the last tenth; growth with its 95 % interval."
    section.table(["figure", "first", "last", "highest", "growth a minute", "grows"], rows, words)
    titles = {"age": "age of the shown frame, ms", "latency": "all stages, ms"}
    rows = [
        [title, *(each[key] for key in ("p50", "p95", "p99", "max")), *_growth(live[f"{name}_growth_ms"])]
        for name, title in titles.items()
        if (each := live[f"{name}_ms"])
    ]
    section.table(["figure", "p50", "p95", "p99", "max", "growth a minute", "grows"], rows)
    if live["memory_mb"]:
        section.svg(_course(live["memory_mb"]["course"], "memory, MB"))
    if live["age_ms"]:
        section.svg(_course(live["age_course"], "age, ms"))


def _growth(growth: Figures | None) -> tuple[str | None, str | None]:
    if growth is None:
        return None, None
    shown = f"{growth['per_minute']:+.3g} [{growth['low']:.3g}, {growth['high']:.3g}]"
    return shown, "yes" if growth["is_growth"] else "no"


def _course(course: Mapping[str, list[float]], title: str) -> str:
    figure, axes = new_figure(height_mm=50)
    axes.plot([time_s / _SECONDS_A_MINUTE for time_s in course["time_s"]], course["value"], linewidth=1)
    axes.set_xlabel("minutes")
    axes.set_ylabel(title)
    axes.set_ylim(bottom=0)
    return to_svg(figure)
