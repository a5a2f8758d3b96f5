"""The page of `hipseg benchmark soak`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hipseg.evaluation.report.wording import title_of
from hipseg.pages import Page

Figures = Mapping[str, Any]

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
    rows = [_growth_row(title, live[name]["first"], live[name]["last"], live[name]["highest"], live[name]["growth"])
            for name, title in _UNITS.items() if live[name]]  # fmt: skip
    for name, title in (("age", "age, ms"), ("latency", "latency, ms")):
        if live[f"{name}_ms"]:
            spread = live[f"{name}_ms"]
            rows.append(_growth_row(title, f"p50 {spread['p50']}", f"p95 {spread['p95']}", spread["max"],
                                    live[f"{name}_growth_ms"]))  # fmt: skip
    section.table(["figure", "first", "last", "highest", "growth a minute", "grows"], rows)
    section.table(["fault", "times"], [[title_of(name), count] for name, count in live["faults"].items()])
    section.table(
        ["alert", "raised", "cleared"],
        [[title_of(name), each.get("raised", 0), each.get("cleared", 0)] for name, each in live["alerts"].items()],
    )


def _growth_row(title: str, first: object, last: object, highest: object, growth: Figures | None) -> list[object]:
    if growth is None:
        return [title, first, last, highest, None, None]
    shown = f"{growth['per_minute']:+.3g} [{growth['low']:.3g}, {growth['high']:.3g}]"
    return [title, first, last, highest, shown, "yes" if growth["is_growth"] else "no"]
