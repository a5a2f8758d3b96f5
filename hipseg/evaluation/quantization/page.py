"""The report of `hipseg quantize`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hipseg.evaluation.report.environment import add_environment
from hipseg.evaluation.report.wording import title_of
from hipseg.pages import Page

_MEGA = 1e6


def quantization_page(record: Mapping[str, Any]) -> Page:
    """The page, ready to be written.

    Args:
        record: as `run.run_quantization` keeps it.
    """
    model, data = record["model"], record["data"]
    page = Page("Smaller numbers", subtitle=f"{model['name']} on {data['name']}", command=record["command"])
    _add_summary(page, record)
    for candidate in record["candidates"]:
        if candidate["losses"]:
            _add_losses(page, candidate)
    add_environment(page, {"quantization": record})
    return page


def _add_summary(page: Page, record: Mapping[str, Any]) -> None:
    kept, calibration, load = record["kept"], record["calibration"], record["machine"]["load"]
    section = page.section(
        "What was kept",
        f"Kept: {kept}." if kept else "The original stays: nothing that passes the gate is faster or smaller here.",
    )
    section.text(
        "A form is refused when any class loses more than 0.01 Dice, the tip more than 0.2 mm, or more than one tip in "
        "a hundred is reported no more. Of those that pass, the fastest is kept, or the smallest when none is faster."
    )
    model, original = record["model"], record["original"]["latency_ms"]
    section.table(
        ["form", "gate", "MB", "p50, ms", "p95, ms", "time / original's", "here it is"],
        [
            ["original", None, f"{model['bytes'] / _MEGA:.2f}", original["p50"], original["p95"], "1", None],
            *map(_summary_row, record["candidates"]),
        ],
        f"Timed frame about frame on {record['machine']['processor']}, load {load:.1f}",
    )
    section.table(
        ["form", "equal labels", "probabilities apart", "view scores apart", "tips apart, px"],
        [_agreement_row(each) for each in record["candidates"] if each["agreement"]],
        "Agreement with the original, worst image",
    )
    if calibration["num_images"]:
        section.text(f"Ranges of activations from {calibration['num_images']} images of '{calibration['split']}'.")


def _summary_row(candidate: Mapping[str, Any]) -> list[object]:
    latency, ratio, size = candidate["latency_ms"] or {}, candidate["time_ratio"], candidate["bytes"]
    gate = candidate["fault"] or ("passes" if candidate["passes"] else "refused")
    return [
        candidate["kind"],
        gate,
        None if size is None else f"{size / _MEGA:.2f}",
        latency.get("p50"),
        latency.get("p95"),
        None if ratio is None else f"{ratio[0]:.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}]",
        candidate["worth"],
    ]


def _agreement_row(candidate: Mapping[str, Any]) -> list[object]:
    agreement = candidate["agreement"]
    tip_px = agreement["tip_px"]
    return [
        candidate["kind"],
        f"{agreement['labels']:.4f}",
        f"{agreement['probabilities']:.4f}",
        f"{agreement['view_score']:.4f}",
        None if tip_px is None else f"{tip_px:.2f}",
    ]


def _add_losses(page: Page, candidate: Mapping[str, Any]) -> None:
    unmeasured = ", ".join(map(title_of, candidate["unmeasured"]))
    section = page.section(
        f"The gate: {candidate['kind']}", f"This data does not tell: {unmeasured}." if unmeasured else ""
    )
    section.table(
        ["figure", "unit", "original", "smaller", "lost", "at most", "cases (patients)", ""],
        [
            [
                title_of(loss["figure"]),
                loss["unit"],
                f"{loss['original']:.4f}",
                f"{loss['smaller']:.4f}",
                f"{loss['lost']:+.4f}",
                f"{loss['limit']:g}",
                f"{loss['num_cases']} ({loss['num_patients']})",
                "ok" if loss["is_kept"] else "too much",
            ]
            for loss in candidate["losses"]
        ],
    )
