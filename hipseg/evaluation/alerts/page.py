"""The page of the benchmark: figures of every eye, and the timeline of every miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hipseg.display.report.timeline import draw_timeline
from hipseg.evaluation.alerts.judge import Verdict
from hipseg.evaluation.alerts.play import PlayedCase
from hipseg.pages import Page

Judged = Mapping[str, Sequence[Verdict]]


def alerts_page(played: Sequence[PlayedCase], judged: Judged, record: Mapping[str, Any]) -> Page:
    """Figures first, misses last.

    Args:
        played: every procedure.
        judged: verdicts by eye, in the order of `played`.
        record: with "eyes": figures by eye.
    """
    page = Page("Alerts on simulated procedures", subtitle=f"{len(played)} procedures", command=record["command"])
    page.section("Procedures", "").table(("Scenario", "Procedures"), sorted(record["scenarios"].items()))
    for eye, figures in record["eyes"].items():
        _figures(page, "Truth masks: the rules alone" if eye == "truth" else f"Model {eye}", figures)
    _misses(page, played, judged)
    return page


def _figures(page: Page, title: str, figures: Mapping[str, Any]) -> None:
    section = page.section(
        title,
        "95 % intervals by resampling patients. A danger that was not raised is missed in silence unless the alert was "
        "told to be unknown for most of its time.",
    )
    rows = [
        (
            alert.replace("_", " "), _words(of["sensitivity"]), of["sensitivity"]["n"],
            _words(of["silent"]), _words(of["lead_s"]["p5"]),
            _words(of["lead_s"]["p50"]), _words(of["delay_s"]["p50"]), _words(figures["unknown_share"][alert]),
        )
        for alert, of in figures["alerts"].items()
    ]  # fmt: skip
    columns = (
        "Alert",
        "Sensitivity",
        "Dangers",
        "Missed in silence",
        "Lead p5, s",
        "Lead median, s",
        "Delay median, s",
        "Share unknown",
    )
    section.table(columns, rows)
    section.table(("", "Value"), _others(figures))


def _others(figures: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    needle, clearances = figures["needle"], figures["clearance_error_mm"]
    return [
        ("False alarms a minute", _words(figures["false_alarms_per_minute"])),
        ("False high-priority alarms a minute", _words(figures["false_high_alarms_per_minute"])),
        ("Alerts that came back within 2 s, a minute", _words(figures["chatter_per_minute"])),
        ("Injections told apart within 2 s of flow", _words(figures["injections_told_apart"])),
        ("Tip error, median, mm", _words(figures["tip_error_mm"]["p50"])),
        ("Tip error, 95 %, mm", _words(figures["tip_error_mm"]["p95"])),
        *((f"Frames with a needle: {state}", _words(share)) for state, share in needle["with_needle"].items()),
        ("Frames without a needle: tracked", _words(needle["without_needle"]["tracked"])),
        *(
            (f"{name.replace('_', ' ')}, overestimated by more than 2 mm", _words(of["overestimated_by_2_mm"]))
            for name, of in clearances.items()
        ),
        *((f"{name.replace('_', ' ')}, error median, mm", _words(of["p50"])) for name, of in clearances.items()),
    ]


def _misses(page: Page, played: Sequence[PlayedCase], judged: Judged) -> None:
    section = page.section("Misses", "Every danger that no alert met, and every false alarm, in its procedure.")
    nothing = True
    for eye, verdicts in judged.items():
        for case, verdict in zip(played, verdicts, strict=True):
            words = _what_went_wrong(verdict)
            if words:
                nothing = False
                section.svg(draw_timeline(case.traces[eye].story), f"{eye}, {case.scenario}, case {case.case}: {words}")
    if nothing:
        section.text("None.")


def _what_went_wrong(verdict: Verdict) -> str:
    missed = [
        f"{one.alert} {'unknown' if one.told_unknown else 'missed'} at {one.begin_s:.1f} s"
        for one in verdict.dangers
        if not one.found
    ]
    late = [f"{one.alert} too late at {one.begin_s:.1f} s" for one in verdict.dangers if (one.lead_s or 0.0) < 0]
    false = [f"false {entry.alert.id} at {entry.raised_s:.1f} s" for entry in verdict.false_alarms]
    return "; ".join((*missed, *late, *false))


def _words(figure: Mapping[str, Any]) -> str | None:
    if figure["value"] is None:
        return None
    interval = "" if figure["low"] is None else f" ({figure['low']:.3g} to {figure['high']:.3g})"
    return f"{figure['value']:.3g}{interval}"
