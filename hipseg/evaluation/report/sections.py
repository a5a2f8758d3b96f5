"""The sections of an evaluation's page. Each is left out where nothing of it was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hipseg.evaluation.report import drawings
from hipseg.evaluation.report.wording import Figure, mean_of, numbers_of, share_of, title_of, with_interval
from hipseg.evaluation.results import Results
from hipseg.evaluation.values import MeasureValues
from hipseg.pages import Page
from hipseg.pages.page import Section

_LENGTHS = ("mm", "px")
_TIP_ROWS = ("found", "falsely reported", "median, mm", "p95, mm", "within 1 mm", "within 2 mm", "within 3 mm")


def add_structures(page: Page, figures: Figure, values: MeasureValues) -> None:
    """Overlap, surface distances and presence of every structure."""
    structures = figures["structures"]
    if not structures:
        return
    section = page.section(
        "Structures",
        "Overlap and distances where the reference shows the structure: mean over patients with its 95 % interval. A "
        "structure that was missed counts as Dice 0 and as far off as the image is large. Whether it is drawn at all "
        "stands apart: sensitivity where it is there, specificity where it is not, over frames.",
    )
    section.svg(drawings.per_case(values, "dice"), "A point a case; diamonds: mean over patients with 95 % interval.")
    shown = {name: each for name, each in structures.items() if each["dice"]["num_frames"]}
    section.table(
        ["structure", "Dice", "IoU", "clDice", "NSD", "n (patients)"],
        [
            [
                title_of(name),
                *(mean_of(each.get(metric)) for metric in ("dice", "iou", "cldice", "nsd")),
                numbers_of(each["dice"]),
            ]
            for name, each in shown.items()
        ],
        "Overlap",
    )
    for unit in _LENGTHS:
        _add_distances(section, shown, unit)
    section.table(
        ["structure", "sensitivity", "specificity"],
        [
            [title_of(name), share_of(each["sensitivity"]), share_of(each["specificity"])]
            for name, each in structures.items()
        ],
        "Presence",
    )


def _add_distances(section: Section, structures: Figure, unit: str) -> None:
    """Millimetres and pixels never stand in one table: a frame without scale has only pixels."""
    rows = [
        [
            title_of(name),
            mean_of(each[f"hd95_{unit}"], decimals=2),
            mean_of(each[f"assd_{unit}"], decimals=2),
            numbers_of(each[f"hd95_{unit}"]),
        ]
        for name, each in structures.items()
        if f"hd95_{unit}" in each
    ]
    if rows:
        caption = "Distances" if unit == "mm" else "Distances in frames without scale"
        section.table(["structure", f"HD95, {unit}", f"ASSD, {unit}", "n (patients)"], rows, caption)


def add_bones(page: Page, figures: Figure) -> None:
    """Cortex of the bones: the line that the beam meets."""
    if not figures["cortex"]:
        return
    section = page.section(
        "Bone surface",
        "A bone is found when half of its visible cortex has a predicted one within 2 mm. Distance: where it has one.",
    )
    section.table(
        ["bone", "found", "covered", "distance, mm", "ASSD, mm", "n (patients)"],
        [
            [
                title_of(name),
                share_of(each["found"]),
                mean_of(each["covered"]),
                mean_of(each["distance_mm"], decimals=2),
                mean_of(each["assd_mm"], decimals=2),
                numbers_of(each["covered"]),
            ]
            for name, each in figures["cortex"].items()
        ],
    )


def add_needle(page: Page, figures: Figure, values: MeasureValues) -> None:
    """Tip as the network says and as guidance reports it; line and clearances."""
    tips = {"network": figures["needle_tip"], "after guidance": figures["guidance"]["needle_tip"]}
    if not any(tip["found"]["num"] or tip["falsely_reported"]["num"] for tip in tips.values()):
        return
    section = page.section("Needle", "Over frames, intervals from resampling patients.")
    for unit in _LENGTHS:
        _draw_tip_errors(section, values, unit)
    cells = zip(_TIP_ROWS, *(_tip_cells(tip) for tip in tips.values()), strict=True)
    section.table(["tip", *tips], [list(row) for row in cells])
    guidance = figures["guidance"]
    lines = [("angle, deg", guidance["angle_deg"]), ("miss at the target, mm", guidance["miss_at_target_mm"])]
    rows = [
        [name, *_median_p95(each), f"{each['num']} ({each['num_patients']})"] for name, each in lines if each["num"]
    ]
    if rows:
        section.table(["line", "median", "p95", "n (patients)"], rows)
    _add_clearances(section, guidance["clearance"], values)


def _draw_tip_errors(section: Section, values: MeasureValues, unit: str) -> None:
    errors, totals = {}, {}
    for name, prefix in (("network", ""), ("after guidance", "guided_")):
        rows = values.get("needle", f"{prefix}tip_error", unit)
        if len(rows):
            errors[name] = rows["value"].to_numpy(np.float64)
            totals[name] = _frames_with_tip(values, prefix, in_mm=unit == "mm")
    if errors:
        counts = ", ".join(f"{name}: {totals[name]} frames" for name in errors)
        section.svg(
            drawings.cumulative(errors, totals, unit), f"A tip that is not reported counts as missed. {counts}."
        )


def _frames_with_tip(values: MeasureValues, prefix: str, *, in_mm: bool) -> int:
    present = values.get("needle", f"{prefix}tip_present")
    scaled = present["spacing_row_mm"].notna() == in_mm
    return int((scaled & (present["value"] != 0)).sum())


def _tip_cells(tip: Figure) -> list[str | None]:
    error = tip["error_mm"]
    within = [share_of(error.get(f"within_{bound}")) for bound in (1, 2, 3)]
    return [share_of(tip["found"]), share_of(tip["falsely_reported"]), *_median_p95(error), *within]


def _median_p95(error: Figure) -> list[str | None]:
    return [with_interval(error[name], error[f"{name}_interval"], decimals=2) for name in ("median", "p95")]


def _add_clearances(section: Section, clearance: Figure, values: MeasureValues) -> None:
    measured = {name: each["error_mm"] for name, each in clearance.items() if each["error_mm"]["num_frames"]}
    if not measured:
        return
    panels = {
        name: pd.DataFrame({"difference": values.get(name, "clearance_error", "mm")["value"].to_numpy()})
        for name in measured
    }
    section.svg(
        drawings.bland_altman(panels, measured),
        "Clearance from the tip. Above 0 the structure is nearer than told: the unsafe side. Solid: bias; dashed: "
        "limits of agreement.",
    )
    section.table(
        [
            "clearance to",
            "reported",
            "bias, mm",
            "limits, mm",
            "1 mm too large",
            "n (patients)",
        ],
        [
            [
                title_of(name),
                share_of(clearance[name]["reported"]),
                *_agreement(each),
                share_of(clearance[name]["overestimated_by_1_mm"]),
                numbers_of(each),
            ]
            for name, each in measured.items()
        ],
    )


def _agreement(figure: Figure) -> list[str | None]:
    limits = figure["limits"]
    told = None if limits is None else f"{limits[0]:+.2f} to {limits[1]:+.2f}"
    return [with_interval(figure["bias"], figure["interval"], decimals=2), told]


def add_joint(page: Page, figures: Figure, values: MeasureValues) -> None:
    """Neck-capsule distance after Bland and Altman."""
    found = figures["neck_capsule_distance"]
    if not found["reported"]["num"]:
        return
    section = page.section("Neck-capsule distance", "Solid: bias; dashed: limits of agreement (Bland and Altman 2007).")
    differences = values.get("joint", "neck_capsule_distance_error", "mm")
    if len(differences):
        true = values.get("joint", "neck_capsule_distance_true", "mm").set_index("case")["value"]
        panel = pd.DataFrame({"difference": differences["value"], "true": differences["case"].map(true)})
        name = "neck_capsule_distance"
        section.svg(drawings.bland_altman({name: panel}, {name: found["error_mm"]}))
    section.table(
        ["reported", "bias, mm", "limits, mm", "n (patients)"],
        [[share_of(found["reported"]), *_agreement(found["error_mm"]), numbers_of(found["error_mm"])]],
    )


def add_view(page: Page, figures: Figure) -> None:
    """Whether hip views are told from other images."""
    view = figures["view"]
    if not view["auc"]["num_positive"] and not view["auc"]["num_negative"]:
        return
    section = page.section("View recognition")
    if view["roc"]:
        section.svg(drawings.roc(view["roc"], view["auc"]))
    section.table(
        ["hip views recognised", "other images unrecognised", "area under the curve"],
        [
            [
                share_of(view["hip_recognised"]),
                share_of(view["other_unrecognised"]),
                with_interval(view["auc"]["value"], view["auc"]["interval"]),
            ]
        ],
    )


def add_calibration(page: Page, figures: Figure) -> None:
    """Whether confidence is what it says, away from the easy background."""
    calibration = figures["calibration"]
    if not calibration:
        return
    section = page.section(
        "Calibration",
        "Only cells near the structure or where the model does not rule it out: easy background is left out.",
    )
    section.svg(drawings.reliability(calibration), "On the line, 80 % sure is right 8 times in 10.")
    section.table(
        ["structure", "ECE", "Brier score", "n (patients)"],
        [
            [
                title_of(name),
                with_interval(each["ece"], each["ece_interval"]),
                with_interval(each["brier"], each["brier_interval"]),
                numbers_of(each),
            ]
            for name, each in calibration.items()
        ],
    )


def add_stability(page: Page, figures: Figure) -> None:
    """Flicker from frame to frame; jitter of the tip while the true one rests."""
    stability = figures["stability"]
    if not stability["structures"] and not stability["needle"]:
        return
    section = page.section(
        "Stability in time",
        "Flicker: how much more a structure changes from frame to frame than the true one does (difference of the two "
        "overlaps with the frame before). Flips: it appears or disappears while the true one does not.",
    )
    if stability["structures"]:
        section.table(
            ["structure", "flicker", "flips", "n (patients)"],
            [
                [title_of(name), mean_of(each["flicker"]), mean_of(each["presence_flip"]), numbers_of(each["flicker"])]
                for name, each in stability["structures"].items()
            ],
        )
    if stability["needle"]:
        section.table(
            ["tip while the true one rests", "step a frame", "n (patients)"],
            [[title_of(name), mean_of(each), numbers_of(each)] for name, each in stability["needle"].items()],
        )


def add_subgroups(page: Page, figures: Figure) -> None:
    """The main figures of each subgroup."""
    subgroups = figures["subgroups"]
    if not subgroups:
        return
    section = page.section("Subgroups", "A mean over all may hide those it fails. Unknown values form no group.")
    for column, groups in subgroups.items():
        if len(groups) == 1:
            (name, found) = next(iter(groups.items()))
            section.text(f"{column}: one group only, {name} ({found['num_cases']} cases).")
            continue
        columns = ["structure", "metric", column, "figure", "n (patients)"]
        section.table(columns, _subgroup_rows(groups))


def _subgroup_rows(groups: Figure) -> list[list[object]]:
    """The groups of one figure below each other."""
    keys = {
        (structure, metric)
        for found in groups.values()
        for structure, metrics in found["figures"].items()
        for metric in metrics
    }
    return [
        [title_of(structure), title_of(metric), group, _main(figure), numbers_of(figure)]
        for structure, metric in sorted(keys)
        for group, found in groups.items()
        if (figure := found["figures"].get(structure, {}).get(metric)) is not None
    ]


def _main(figure: Figure) -> str | None:
    return mean_of(figure) if "mean" in figure else with_interval(figure["value"], figure["interval"])


def add_left_out(page: Page, results: Results) -> None:
    """Every exclusion with its reason; an empty table would leave a doubt."""
    section = page.section("Left out")
    reasons = results.excluded["status"].value_counts().sort_index()
    unused = results.record.get("unused_predictions") or []
    if reasons.empty and not unused:
        section.text(f"Nothing: all {len(results.cases)} cases were judged.")
        return
    rows = [[reason, count, _some(results.excluded, str(reason))] for reason, count in reasons.items()]
    if unused:
        rows.append(["prediction without a case", len(unused), ", ".join(unused[:8])])
    section.table(["reason", "number", "for example"], rows)


def _some(excluded: pd.DataFrame, reason: str) -> str:
    return ", ".join(excluded.loc[excluded["status"] == reason, "case"].iloc[:8])
