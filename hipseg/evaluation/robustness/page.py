"""The page of `hipseg benchmark robustness` and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hipseg.display.drawing import Canvas
from hipseg.evaluation.inputs.item import Batch, Item
from hipseg.evaluation.plots import GREY, Look, new_figure, to_svg
from hipseg.evaluation.predictors.predictor import Predictor
from hipseg.evaluation.report.environment import add_environment
from hipseg.evaluation.report.pictures import drawn, encoded
from hipseg.evaluation.report.wording import title_of
from hipseg.evaluation.robustness.corruptions import NUM_GRADES, Corruption, corrupted
from hipseg.evaluation.robustness.curves import KEPT_SHARE, Curves, Point, gives_in_at
from hipseg.evaluation.robustness.run import TIP_SCORE, TIP_WITHIN_MM, item_of, predicted, scene_of
from hipseg.evaluation.values import in_scheme_order
from hipseg.pages import Page

PAGE = "robustness.html"
_STRIP_HEIGHT_PX = 200
_COLUMNS = 6

_INTRO = (
    f"Score: Dice over the cases that show a class; for the tip, the share reported within {TIP_WITHIN_MM:g} mm. A "
    f"class gives in at the first grade at which it keeps less than {KEPT_SHARE:.0%} of its clean score on the same "
    "cases. What a corruption moves, it moves in the truth too; what it hides is not asked for. n: cases (patients)."
)


def robustness_page(
    curves: Curves,
    corruptions: Sequence[Corruption],
    record: dict[str, Any],
    example: Item | None,
    predictor: Predictor,
) -> Page:
    """The page, ready to be written.

    Args:
        curves: what was measured.
        corruptions: that were asked for, in their order.
        record: model, data, command and versions, as in `Results.record`.
        example: a case that shows what the grades look like.
        predictor: the model.
    """
    model, data = record["model"], record["data"]
    page = Page(f"Robustness of {model['name']}", subtitle=f"on {data['name']}", command=record["command"])
    _add_overview(page, curves, corruptions)
    for corruption in corruptions:
        _add_corruption(page, corruption, curves.get(corruption.name, {}), example, predictor)
    add_environment(page, {model["name"]: record})
    return page


def example_of(batches: Sequence[Batch]) -> Item | None:
    """The case that shows most structures among the first ones."""
    items = [item for batch in batches[:4] for item in batch.items() if item.image_HW is not None]
    return max(items, key=_num_labels, default=None)


def write_page(page: Page, folder: Path, record: dict[str, Any]) -> Path:
    """Writes robustness.html and robustness.json. Raises OutputError."""
    page.write(folder / PAGE, record)
    return folder / PAGE


def _num_labels(item: Item) -> int:
    return 0 if item.reference_HW is None else len(set(item.reference_HW.flat))


def _add_overview(page: Page, curves: Curves, corruptions: Sequence[Corruption]) -> None:
    section = page.section("Where each class gives in", _INTRO)
    names = in_scheme_order({name for of_structure in curves.values() for name in of_structure})
    for start in range(0, len(corruptions), _COLUMNS):
        shown = corruptions[start : start + _COLUMNS]
        section.table(
            ["class", *(title_of(each.name) for each in shown)],
            [[title_of(name), *(_given_in(curves.get(each.name, {}).get(name)) for each in shown)] for name in names],
            f"First grade below; > {NUM_GRADES}: none; a dash where it was not measured",
        )
    section.table(
        ["corruption", "unit", *(f"grade {grade}" for grade in range(1, NUM_GRADES + 1))],
        [[title_of(each.name), each.unit, *(f"{strength:g}" for strength in each.grades)] for each in corruptions],
        "What the grades are",
    )


def _given_in(points: list[Point] | None) -> str | None:
    """A grade, more than the last one, or nothing where the clean score is 0 already."""
    if not points or points[0].kept is None:
        return None
    grade = gives_in_at(points)
    return f"> {NUM_GRADES}" if grade is None else str(grade)


def _add_corruption(
    page: Page, corruption: Corruption, of_structure: dict[str, list[Point]], example: Item | None, predictor: Predictor
) -> None:
    section = page.section(title_of(corruption.name).capitalize(), f"Strength: {corruption.unit}.")
    if not of_structure:
        reason = (
            "it acts between the frames of a clip, and these data hold no clip" if corruption.change is None else ""
        )
        section.text(f"Not measured{': ' + reason if reason else ''}.")
        return
    if example is not None and corruption.change is not None:
        section.picture(
            encoded(*_strip(corruption, example, predictor)), f"{example.case.id}: clean, then grades 1 to 5"
        )
    names = in_scheme_order(set(of_structure))
    section.svg(_plot(corruption, {name: of_structure[name] for name in names}))
    columns = ["class", "clean", *(f"grade {grade}" for grade in range(1, NUM_GRADES + 1)), "n"]
    rows = [_cells(name, of_structure[name]) for name in names]
    section.table(columns, rows, "Clean score, then the share of it that is kept, in percent with its 95 % interval")


def _cells(name: str, points: list[Point]) -> list[object]:
    by_grade = {point.grade: point for point in points}
    kept = [_percent(by_grade.get(grade)) for grade in range(1, NUM_GRADES + 1)]
    return [title_of(name), f"{points[0].score:.3f}", *kept, f"{points[0].num_cases} ({points[0].num_patients})"]


def _percent(point: Point | None) -> str | None:
    if point is None or point.kept is None:
        return None
    bounds = "" if point.interval is None else f" [{100 * point.interval[0]:.0f}, {100 * point.interval[1]:.0f}]"
    return f"{100 * point.kept:.0f}{bounds}"


def _plot(corruption: Corruption, of_structure: dict[str, list[Point]]) -> str:
    figure, axes = new_figure(height_mm=70)
    axes.axhline(KEPT_SHARE, color=GREY, linewidth=0.8, linestyle="--")
    for k, (name, points) in enumerate(of_structure.items()):
        known = [(point.grade, point.kept) for point in points if point.kept is not None]
        look = Look.of(k)
        label = "tip found" if name == TIP_SCORE else title_of(name)
        x, y = [grade for grade, _ in known], [kept for _, kept in known]
        axes.plot(x, y, color=look.colour, linestyle=look.line, marker=look.marker, label=label)
    grades = range(NUM_GRADES + 1)
    axes.set_xticks(grades, ["clean", *(f"{strength:g}" for strength in corruption.grades)])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(corruption.unit)
    axes.set_ylabel("share of the clean score kept")
    figure.legend(loc="outside right center")
    return to_svg(figure)


def _strip(corruption: Corruption, example: Item, predictor: Predictor) -> list[Canvas]:
    """The example at every grade, all pictures of one height."""
    pictures = []
    for grade in range(NUM_GRADES + 1):
        bad = item_of(corrupted(scene_of(example), corruption, grade, case=example.case.id, seed=0), example)
        picture = drawn(bad, predicted(predictor, bad))
        width = max(round(picture.shape[1] * _STRIP_HEIGHT_PX / picture.shape[0]), 1)
        small = cv2.resize(picture, (width, _STRIP_HEIGHT_PX), interpolation=cv2.INTER_AREA)
        pictures.append(np.asarray(small, np.uint8))
    return pictures
