"""A data set on one page: what is in it, how large and how deep, how it is split, and what training makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.anatomy import CLASS_NAMES, LANDMARKS, structure_named
from hipseg.data.augment import Augmentation, AugmentConfig
from hipseg.data.checks import RULES, CheckReport, Level
from hipseg.data.checks.examine import CaseFacts, known_classes
from hipseg.data.pictures import as_jpeg, fitted, painted, painted_grid
from hipseg.data.reading import read_image, read_labels
from hipseg.data.records import SPLITS
from hipseg.data.sample import sample_of_case
from hipseg.errors import SourceError
from hipseg.evaluation.plots import Look, new_panels, to_svg
from hipseg.pages import Page

_SHEET_WIDTH_PX, _SHEET_HEIGHT_PX, _GRID_SIZE = 240, 190, 256
_PERCENTILES = (5, 50, 95)

Rows = list[list[object]]


def write_report(
    report: CheckReport, out: Path, config: AugmentConfig, *, num_pictures: int, seed: int, command: str
) -> None:
    """Writes the page and its figures as JSON beside it.

    Args:
        report: of a check of the data set.
        out: the page, .html.
        config: the augmentation shown.
        num_pictures: of the contact sheet; half as many are shown augmented.
        seed: of the pictures chosen and of the augmentation.
        command: that makes the page again.

    Raises:
        SourceError: the manifest is not valid, or no image can be read.
        OutputError: the page cannot be written.
    """
    manifest, facts = report.manifest, report.facts
    if manifest is None or not facts:
        raise SourceError("nothing to report on", where=report.root, mend=f"see hipseg data check {report.root}")
    page = Page("Data report", f"{manifest.name}: {report.num_lines} cases", command)
    origin = page.section("Origin")
    origin.table(
        ["", ""], [["licence", manifest.licence], ["attribution", manifest.attribution], ["source", manifest.source]]
    )
    figures = {"dataset": manifest.name, "cases": report.num_lines, "findings": _findings(page, report)}
    figures["splits"] = _splits(page, facts)
    figures["classes"] = _classes(page, report)
    figures["sizes"] = _sizes(page, facts)
    figures["images"] = _images(page, facts)
    _pictures(page, report, config, num_pictures, seed)
    page.write(out, figures)


def _findings(page: Page, report: CheckReport) -> dict[str, int]:
    counts = Counter(finding.rule for finding in report.findings)
    section = page.section("Check", "" if counts else "Nothing was found against this data set.")
    if counts:
        rows = [[RULES[rule].level.value, RULES[rule].title, count, RULES[rule].mend] for rule, count in counts.items()]
        section.table(["level", "finding", "number", "mend"], rows)
    errors = report.counts[Level.ERROR]
    section.text(f"{errors} errors; hipseg data check shows each with its file." if counts else "")
    return dict(counts)


def _splits(page: Page, facts: Sequence[CaseFacts]) -> dict[str, Any]:
    section = page.section("Splits", "Whole patients; a device in several splits says nothing about unseen devices.")
    rows: Rows = []
    for split in SPLITS:
        cases = [fact.case for fact in facts if fact.case.split == split]
        clips = {case.clip for case in cases if case.clip is not None}
        rows.append(
            [
                split,
                len(cases),
                len({case.patient for case in cases}),
                len(clips),
                _tally(c.view for c in cases),
                _tally(c.device for c in cases),
            ]
        )
    section.table(["split", "images", "patients", "clips", "views", "devices"], rows)
    return {str(row[0]): {"images": row[1], "patients": row[2]} for row in rows}


def _tally(values: Iterable[str | None]) -> str:
    counts = Counter("unknown" if value is None else value for value in values)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _classes(page: Page, report: CheckReport) -> dict[str, Any]:
    """Shown of annotated: a class that nobody looked for is neither present nor absent."""
    intro = (
        "Images that show a class, of those in which somebody looked for it; merged ones stand under their mask's name."
    )
    section = page.section("Class presence", intro)
    rows: Rows = []
    for name in CLASS_NAMES[1:]:
        cells = [_presence(report, name, split) for split in SPLITS]
        if any(annotated for _, annotated in cells):
            rows.append([structure_named(name).title, *(f"{shown} of {of}" if of else None for shown, of in cells)])
    section.table(["class", *SPLITS], rows)
    return {name: {split: _presence(report, name, split) for split in SPLITS} for name in CLASS_NAMES[1:]}


def _presence(report: CheckReport, name: str, split: str) -> tuple[int, int]:
    of_split = [fact for fact in report.facts if fact.case.split == split and fact.case.mask is not None]
    annotated = [fact for fact in of_split if name in (known_classes(fact.case, report.manifest) or ())]
    return sum(name in fact.shapes for fact in annotated), len(annotated)


def _sizes(page: Page, facts: Sequence[CaseFacts]) -> dict[str, Any]:
    section = page.section("Sizes and depths", "Median with 5th and 95th percentile, of images whose scale is known.")
    measured = {name: _measured(facts, name) for name in CLASS_NAMES[1:]}
    measured = {name: values for name, values in measured.items() if len(values)}
    rows = [
        [structure_named(name).title, len(values), *(_range(values[:, column]) for column in range(3))]
        for name, values in measured.items()
    ]
    section.table(["class", "images", "thickness, mm", "middle below the skin, mm", "area, mm2"], rows)
    if measured:
        section.svg(_size_plot(measured), "Thickness is the diameter of the largest circle inside a structure.")
    return {
        name: {
            quantity: dict(
                zip(("p5", "p50", "p95"), np.percentile(values[:, column], _PERCENTILES).tolist(), strict=True)
            )
            for column, quantity in enumerate(("thickness_mm", "depth_mm", "area_mm2"))
        }
        for name, values in measured.items()
    }


def _measured(facts: Sequence[CaseFacts], name: str) -> np.ndarray:
    """Thickness and depth in mm and area in mm2 of each image that shows a class and has a scale, [N, 3]."""
    rows = []
    for fact in facts:
        if fact.case.spacing_mm is None or name not in fact.shapes:
            continue
        (row_mm, column_mm), shape = fact.case.spacing_mm, fact.shapes[name]
        thickness_mm = shape.thickness_px * min(row_mm, column_mm)
        rows.append((thickness_mm, shape.centre_y * row_mm, shape.area_px * row_mm * column_mm))
    return np.array(rows, np.float64).reshape(-1, 3)


def _range(values: np.ndarray) -> str:
    low, middle, high = np.percentile(values, _PERCENTILES)
    return f"{middle:.1f} ({low:.1f}-{high:.1f})"


def _size_plot(measured: Mapping[str, np.ndarray]) -> str:
    figure, panels = new_panels(1, 2, height_mm=30 + 7 * len(measured))
    titles = [structure_named(name).title for name in measured]
    for panel, column, label in zip(panels, (0, 1), ("thickness, mm", "middle below the skin, mm"), strict=True):
        panel.boxplot(
            [values[:, column] for values in measured.values()],
            orientation="horizontal",
            whis=(5, 95),
            showfliers=False,
        )
        panel.set_yticks(range(1, len(titles) + 1), titles if column == 0 else [""] * len(titles))
        panel.set_xlabel(label)
        panel.invert_yaxis()
    return to_svg(figure)


def _images(page: Page, facts: Sequence[CaseFacts]) -> dict[str, Any]:
    section = page.section("Images", "Brightness is the mean grey level of what is not black.")
    spacings = np.array([np.mean(f.case.spacing_mm) for f in facts if f.case.spacing_mm is not None])
    depths = np.array([f.height * f.case.spacing_mm[0] for f in facts if f.case.spacing_mm is not None])
    brightness = np.array([fact.brightness for fact in facts])
    sizes = Counter(f"{fact.width} x {fact.height}" for fact in facts)
    common = ", ".join(f"{size} ({count})" for size, count in sizes.most_common(4))
    rows: Rows = [
        ["sizes, pixels", f"{common}{', ...' if len(sizes) > 4 else ''}"],
        ["brightness, 0-255", _range(brightness)],
    ]
    rows.append(["scale, mm a pixel", _fine_range(spacings) if len(spacings) else None])
    rows.append(["depth shown, mm", _range(depths) if len(depths) else None])
    rows.append(["scale unknown, images", len(facts) - len(spacings)])
    section.table(["", "median (5th-95th percentile)"], rows)
    section.svg(_image_plot(facts), "Bars of the splits stand side by side.")
    return {"scale_unknown": len(facts) - len(spacings), "brightness_median": float(np.median(brightness))}


def _fine_range(values: np.ndarray) -> str:
    low, middle, high = np.percentile(values, _PERCENTILES)
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def _image_plot(facts: Sequence[CaseFacts]) -> str:
    figure, (bright, depth) = new_panels(1, 2, height_mm=60)
    splits = [split for split in SPLITS if any(fact.case.split == split for fact in facts)]
    looks = [Look.of(index).colour for index in range(len(splits))]
    values = [[f.brightness for f in facts if f.case.split == split] for split in splits]
    bright.hist(values, bins=20, label=splits, color=looks)
    bright.set_xlabel("brightness")
    bright.set_ylabel("images")
    scaled = [
        [f.height * f.case.spacing_mm[0] for f in facts if f.case.split == split and f.case.spacing_mm]
        for split in splits
    ]
    if any(scaled):
        depth.hist(scaled, bins=20, label=splits, color=looks)
    depth.set_xlabel("depth shown, mm")
    bright.legend()
    return to_svg(figure)


def _pictures(page: Page, report: CheckReport, config: AugmentConfig, num_pictures: int, seed: int) -> None:
    chosen = _spread(report.facts, num_pictures, seed)
    sheet = page.section("Contact sheet", "A patient once before any comes twice. Ignored regions are grey.")
    sheet.gallery([(_case_picture(report.root, fact), f"{fact.case.id}, {fact.case.split}") for fact in chosen])
    seen = page.section("What a network sees", "After augmentation, 256 x 256 cells; another draw each time.")
    seen.gallery(list(_augmented(report, [f for f in chosen if f.case.split == "train"], config, seed)))


def _spread(facts: Sequence[CaseFacts], number: int, seed: int) -> list[CaseFacts]:
    """Some cases of as many patients as there are, in the order of the data set."""
    order = np.random.default_rng(seed).permutation(len(facts)).tolist()
    turn: Counter[str] = Counter()
    ranked: list[tuple[int, int, int]] = []
    for position in order:
        patient = facts[position].case.patient
        ranked.append((turn[patient], len(ranked), position))
        turn[patient] += 1
    return [facts[position] for position in sorted(position for _, _, position in sorted(ranked)[:number])]


def _case_picture(root: Path, fact: CaseFacts) -> bytes:
    labels_HW = read_labels(root, fact.case) if fact.case.mask is not None else None
    image_HW = read_image(root, fact.case)
    fits = labels_HW is not None and labels_HW.shape == image_HW.shape
    points = [point for name in LANDMARKS if (point := (fact.case.landmarks or {}).get(name)) is not None]
    picture = painted(image_HW, labels_HW if fits else None, points)
    return as_jpeg(fitted(picture, _SHEET_WIDTH_PX, _SHEET_HEIGHT_PX))


def _augmented(
    report: CheckReport, facts: Sequence[CaseFacts], config: AugmentConfig, seed: int
) -> Iterable[tuple[bytes, str]]:
    augmentation = Augmentation(config)
    assert report.manifest is not None
    for number, fact in enumerate(facts[:12]):
        image_HW, labels_HW = read_image(report.root, fact.case), read_labels(report.root, fact.case)
        if labels_HW is not None and labels_HW.shape != image_HW.shape:
            continue
        sample = sample_of_case(fact.case, report.manifest, image_HW, labels_HW)
        rng = np.random.default_rng((seed, number))
        grid = augmentation(augmentation.paint(sample, rng), _GRID_SIZE, rng)
        yield as_jpeg(painted_grid(grid)), fact.case.id
