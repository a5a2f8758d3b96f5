"""Writes the page of an evaluation: `report.html` and `report.json`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hipseg.evaluation.report import sections
from hipseg.evaluation.report.environment import add_environment
from hipseg.evaluation.report.pictures import Viewer, encoded, key
from hipseg.evaluation.report.wording import title_of
from hipseg.evaluation.results import Results
from hipseg.evaluation.values import MeasureValues
from hipseg.pages import Page

REPORT = "report.html"
NUM_WORST = 12


def write_report(results: Results, folder: Path, *, viewer: Viewer | None = None) -> Path:
    """Writes the page of an evaluation and its figures beside it.

    Args:
        results: tables and record of an evaluation.
        folder: there already.
        viewer: shows the worst cases; None leaves their pictures out, and says so.

    Returns:
        The page.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / REPORT
    report_page(results, viewer).write(path, data=results.record)
    return path


def report_page(results: Results, viewer: Viewer | None = None) -> Page:
    """The page of an evaluation, ready to be written."""
    record, values = results.record, MeasureValues(results)
    model, data = record["model"], record["data"]
    subtitle = " ".join(str(part) for part in (data["name"], data.get("split")) if part)
    page = Page(f"Evaluation of {_full_name(model)}", subtitle=f"on {subtitle}", command=record.get("command") or "")
    _add_overview(page, results)
    sections.add_structures(page, record, values)
    sections.add_bones(page, record)
    sections.add_needle(page, record, values)
    sections.add_joint(page, record, values)
    sections.add_view(page, record)
    sections.add_calibration(page, record)
    sections.add_stability(page, record)
    sections.add_subgroups(page, record)
    _add_worst(page, values, viewer)
    sections.add_left_out(page, results)
    add_environment(page, {_full_name(model): record})
    return page


def worst_cases(values: MeasureValues, number: int = NUM_WORST) -> pd.DataFrame:
    """The cases with the lowest mean Dice over their structures, at most one frame of a clip.

    Returns:
        Columns case, patient, dice, structure (the worst one) and its `worst`; the lowest first.
    """
    rows = values.joined[values.joined["metric"] == "dice"]
    means = rows.groupby(["case", "clip", "patient"], sort=True)["value"].mean().rename("dice").reset_index()
    lowest = rows.sort_values(["value", "structure"], kind="stable").drop_duplicates("case")
    named = means.merge(lowest[["case", "structure", "value"]].rename(columns={"value": "worst"}), on="case")
    return named.sort_values(["dice", "case"], kind="stable").drop_duplicates("clip").head(number)


def _add_overview(page: Page, results: Results) -> None:
    record = results.record
    section = page.section(
        "Overview",
        "The patient is the unit: frames are averaged to clips, clips to patients, and intervals come from resampling "
        "patients. Nothing is averaged over an empty set; n counts frames (patients) behind each figure.",
    )
    section.table(
        ["cases judged", "clips", "patients", "left out", "without scale"],
        [
            [
                record["num_cases"],
                record["num_clips"],
                record["num_patients"],
                record["excluded"]["num"],
                record["num_without_spacing"],
            ]
        ],
    )


def _add_worst(page: Page, values: MeasureValues, viewer: Viewer | None) -> None:
    worst = worst_cases(values)
    if worst.empty:
        return
    section = page.section("Worst cases", "Lowest mean Dice over the structures of a case, one frame of each clip.")
    section.table(
        ["case", "patient", "mean Dice", "worst structure", "its Dice"],
        [
            [row.case, row.patient, f"{row.dice:.3f}", title_of(str(row.structure)), f"{row.worst:.3f}"]
            for row in worst.itertuples()
        ],
    )
    pictures = {} if viewer is None else viewer.pictures(worst["case"])
    if not pictures:
        section.text("No pictures: the data are not at hand where this page was made.")
        return
    section.text("Tinted areas: reference; outlines: prediction. Ring: true needle tip; cross: reported tip.")
    section.picture(key())
    scores = zip(worst["case"].astype(str), worst["dice"], strict=True)
    section.gallery((encoded(pictures[case]), f"{case}: {dice:.3f}") for case, dice in scores if case in pictures)


def _full_name(model: dict[str, str | None]) -> str:
    return " ".join(part for part in (model.get("name"), model.get("version")) if part)
