"""The page of a comparison and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hipseg.display.drawing import Canvas
from hipseg.evaluation.compare.drawings import case_changes, forest, scatter, waterfall
from hipseg.evaluation.compare.pairing import Pairs, Side
from hipseg.evaluation.compare.scores import DIRECTIONS
from hipseg.evaluation.compare.statistics import Difference
from hipseg.evaluation.report.environment import add_environment
from hipseg.evaluation.report.pictures import encoded, key
from hipseg.evaluation.report.wording import title_of
from hipseg.evaluation.values import in_scheme_order
from hipseg.pages import Page

NUM_CHANGED = 6
_MOST_NAMED = 12

_HOW = (
    "Values are averaged over the frames of a clip, the clips of a patient and then over patients. Intervals (95 %) "
    "come from resampling patients in pairs; p is Wilcoxon's signed-rank test over patients, corrected by Holm over "
    "all structures and models of the same metric; effect is the rank-biserial correlation, above 0 where the model "
    "is better than the baseline. Wins, losses and ties count cases, n counts patients."
)


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found.

    Attributes:
        sides: the baseline first.
        pairs: the baseline with each other side.
        found: all differences.
        metric: that plots and the choice of cases go by.
        pictures: by side's name and case.
    """

    sides: Sequence[Side]
    pairs: Sequence[Pairs]
    found: Sequence[Difference]
    metric: str
    pictures: Mapping[str, Mapping[str, Canvas]]


def comparison_page(comparison: Comparison, command: str) -> Page:
    """The page, ready to be written."""
    names = [side.name for side in comparison.sides]
    data = (comparison.sides[0].results.record.get("data") or {}).get("name") or "the same data"
    page = Page(f"{' against '.join(names)}", subtitle=f"on {data}, paired by case", command=command)
    _add_differences(page, comparison)
    for pairs in comparison.pairs:
        _add_cases(page, pairs, comparison)
    _add_left_out(page, comparison)
    add_environment(page, {side.name: side.results.record for side in comparison.sides})
    return page


def comparison_record(comparison: Comparison, command: str) -> dict[str, Any]:
    """The same figures for other programs."""
    return {
        "command": command,
        "metric": comparison.metric,
        "sides": {side.name: _origin(side) for side in comparison.sides},
        "pairs": [
            {
                "baseline": pairs.baseline,
                "candidate": pairs.candidate,
                "num_cases": len(pairs.cases),
                "only_baseline": pairs.only_baseline,
                "only_candidate": pairs.only_candidate,
            }
            for pairs in comparison.pairs
        ],
        "differences": [difference.to_dict() for difference in comparison.found],
    }


def most_changed(pairs: Pairs, metric: str, number: int = NUM_CHANGED) -> list[str]:
    """The cases that changed most, in either direction, the largest change first."""
    changes = case_changes(pairs, metric)
    order = changes.abs().sort_values(ascending=False, kind="stable").index
    return [str(case) for case in order[:number] if changes[case] != 0]


def _add_differences(page: Page, comparison: Comparison) -> None:
    section = page.section("Differences", _HOW)
    if any(each.metric == comparison.metric for each in comparison.found):
        section.svg(forest(comparison.found, comparison.metric), "Marks with lines: 95 % intervals; n counts patients.")
    for pairs in comparison.pairs:
        found = [each for each in comparison.found if each.candidate == pairs.candidate]
        columns = ["structure", "metric", "baseline", "model", "difference", "p", "effect", "win/loss/tie"]
        rows = [_row(each) for each in _in_order(found)]
        section.table([*columns, "n"], rows, f"{pairs.candidate} against {pairs.baseline}")


def _in_order(found: Sequence[Difference]) -> list[Difference]:
    """Structures as the label scheme has them, metrics as `scores` lists them."""
    structures, metrics = in_scheme_order({each.structure for each in found}), list(DIRECTIONS)
    return sorted(found, key=lambda each: (structures.index(each.structure), metrics.index(each.metric), each.unit))


def _row(each: Difference) -> list[object]:
    unit, decimals = ("", 3) if each.unit == "1" else (f", {each.unit}", 2)
    bounds = "" if each.interval is None else " [{:+.{d}f}, {:+.{d}f}]".format(*each.interval, d=decimals)
    return [
        title_of(each.structure),
        f"{title_of(each.metric)}{unit}",
        f"{each.baseline_mean:.{decimals}f}",
        f"{each.candidate_mean:.{decimals}f}",
        f"{each.difference:+.{decimals}f}{bounds}",
        None if each.p_holm is None else f"{each.p_holm:.2g}",
        None if each.effect is None else f"{each.effect:+.2f}",
        f"{each.wins}/{each.losses}/{each.ties}",
        each.num_patients,
    ]


def _add_cases(page: Page, pairs: Pairs, comparison: Comparison) -> None:
    metric = comparison.metric
    section = page.section(f"Case by case: {pairs.candidate} and {pairs.baseline}")
    if not (pairs.values["metric"] == metric).any():
        section.text(f"No case has a value of {title_of(metric)} on both sides.")
        return
    section.svg(scatter(pairs, metric), f"A point a case. Above the line {pairs.candidate} has more.")
    section.svg(waterfall(pairs, metric), "A bar a case, mean over its structures.")
    changes = case_changes(pairs, metric)
    chosen = most_changed(pairs, metric)
    if not chosen:
        section.text("No case changed.")
        return
    section.table(
        ["case", f"change in {title_of(metric)}"], [[case, f"{changes[case]:+.3f}"] for case in chosen], "Changed most"
    )
    pictures = [comparison.pictures.get(name, {}) for name in (pairs.baseline, pairs.candidate)]
    shown = [case for case in chosen if all(case in side for side in pictures)]
    if shown:
        section.text(
            f"Left: {pairs.baseline}; right: {pairs.candidate}. Tinted areas: reference; outlines: model. Ring: true "
            "needle tip; cross: reported tip."
        )
        section.picture(key())
        for case in shown:
            section.picture(encoded(*(side[case] for side in pictures)), f"{case}: {changes[case]:+.3f}")
    else:
        section.text("No pictures: the data or the models are not where the evaluations found them (see --data).")


def _add_left_out(page: Page, comparison: Comparison) -> None:
    section = page.section("What was left out")
    rows = []
    for pairs in comparison.pairs:
        rows += [
            [f"judged by {name} only", len(cases), _named(cases)]
            for name, cases in ((pairs.baseline, pairs.only_baseline), (pairs.candidate, pairs.only_candidate))
        ]
    for side in comparison.sides:
        counts = side.results.excluded["status"].value_counts().sort_index()
        rows += [[f"{side.name}: {reason}", int(count), None] for reason, count in counts.items()]
    section.table(["reason", "cases", "which"], rows)


def _named(cases: Sequence[str]) -> str | None:
    more = f" and {len(cases) - _MOST_NAMED} more" if len(cases) > _MOST_NAMED else ""
    return ", ".join(cases[:_MOST_NAMED]) + more if cases else None


def _origin(side: Side) -> dict[str, Any]:
    record = side.results.record
    return {name: record.get(name) for name in ("model", "data", "command", "versions")}
