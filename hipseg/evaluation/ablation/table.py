"""The table of an ablation: a row a variant, a column a figure that the product is measured by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hipseg.evaluation.ablation.variants import Variant, figures_file

Row = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Column:
    """One figure.

    Attributes:
        title: as the table's head says it.
        data_set: it is measured on.
        path: of keys in the figures of `hipseg evaluate`.
        decimals: shown.
    """

    title: str
    data_set: str
    path: tuple[str, ...]
    decimals: int = 2


def _dice(title: str, data_set: str, structure: str) -> Column:
    return Column(title, data_set, ("structures", structure, "dice", "mean"))


COLUMNS = (
    Column("head found", "femoral", ("cortex", "femoral_head", "found", "share")),
    Column("cortex mm", "femoral", ("cortex", "femoral_head", "distance_mm", "median_frame")),
    _dice("artery", "femoral", "femoral_artery"),
    _dice("vessels", "femoral", "femoral_vessels"),
    _dice("vessels elsewhere", "vessels", "femoral_vessels"),
    _dice("nerve", "vessels", "femoral_nerve"),
    Column("hip seen", "femoral", ("view", "hip_recognised", "share")),
    Column("other refused", "vessels", ("view", "other_unrecognised", "share")),
    Column("no needle in muscle", "muscle", ("structures", "needle", "specificity", "share")),
    _dice("sim head", "simulated", "femoral_head"),
    _dice("sim neck", "simulated", "femoral_neck"),
    _dice("sim capsule", "simulated", "anterior_capsule"),
    _dice("sim artery", "simulated", "femoral_artery"),
    _dice("sim vein", "simulated", "femoral_vein"),
    _dice("sim needle", "simulated", "needle"),
    Column("sim tip mm", "simulated", ("needle_tip", "error_mm", "median")),
    Column("sim tip p95 mm", "simulated", ("needle_tip", "error_mm", "p95"), 1),
)


def rows_of(variants: Sequence[Variant], out: Path, split: str) -> dict[str, Row]:
    """The figures of every variant by column title; None where there is none."""
    return {variant.name: _row(variant, out, split) for variant in variants}


def _row(variant: Variant, out: Path, split: str) -> Row:
    names = {column.data_set for column in COLUMNS}
    files = {name: figures_file(out, variant, name, split) for name in names}
    figures = {name: json.loads(file.read_text()) for name, file in files.items() if file.is_file()}
    return {column.title: _value(figures.get(column.data_set), column.path) for column in COLUMNS}


def _value(figures: Any, path: Sequence[str]) -> float | None:
    for key in path:
        if not isinstance(figures, Mapping):
            return None
        figures = figures.get(key)
    return None if figures is None else float(figures)


def markdown(rows: Mapping[str, Row], failures: Mapping[str, str]) -> str:
    """The table as Markdown, failed variants with their reason."""
    lines = [_line(["variant", *(column.title for column in COLUMNS)]), _line(["---"] * (len(COLUMNS) + 1))]
    for name, row in rows.items():
        lines.append(_line([name, *(_shown(row[column.title], column.decimals) for column in COLUMNS)]))
    return "\n".join([*lines, *(f"\n{name} failed: {reason}" for name, reason in failures.items())]) + "\n"


def _shown(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
