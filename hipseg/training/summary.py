"""The one page that a run ends with: curves, figures, pictures, configuration and versions in a single HTML file."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from pathlib import Path

from matplotlib.figure import Figure

from hipseg.pages import Page, Section
from hipseg.training.curves import LOSSES, METRICS, read_csv
from hipseg.training.run_folder import RunFolder

_NUM_SMOOTHED = 50


def write_summary(folder: RunFolder) -> Path:
    """Writes `summary.html` from what the run left in its folder.

    Returns:
        The file.
    """
    metrics = read_csv(folder.path / METRICS)
    losses = read_csv(folder.path / LOSSES)
    page = Page("Training run", folder.path.name)
    _add_validation(page.section("Validation"), metrics)
    page.section("Curves").picture(_curves_png(losses, metrics), "Losses and validation score by step.")
    _add_pictures(page.section("Sample predictions of the last validation"), folder)
    recorded = page.section("What it takes to repeat it")
    for title, file in (("configuration", folder.config), ("versions", folder.versions), ("data", folder.data)):
        recorded.preformatted(title, file.read_text(encoding="utf-8") if file.exists() else "not recorded")
    page.write(folder.summary)
    return folder.summary


def _add_validation(section: Section, metrics: list[dict[str, str]]) -> None:
    """The last validation beside the one with the best score, n cases each."""
    scores = {int(row["step"]): float(row["value"]) for row in metrics if row["figure"] == "score"}
    if not scores:
        section.text("No validation was run.")
        return
    last = max(scores)
    best = max(scores, key=lambda step: (-math.inf if math.isnan(scores[step]) else scores[step], step))
    by_step: dict[int, dict[str, tuple[str, str]]] = defaultdict(dict)
    for row in metrics:
        by_step[int(row["step"])][row["figure"]] = row["value"], row["n"]
    rows = [
        (_title(name), _number(by_step[best][name][0]), _number(value), number)
        for name, (value, number) in by_step[last].items()
    ]
    section.table(("figure", f"best (step {best})", f"last (step {last})", "n"), rows)
    section.text("Score: mean Dice over the structures present; errors are medians; n: cases that have the structure.")


def _title(figure: str) -> str:
    return figure.replace("dice/", "Dice, ").replace("+", " or ").replace("_", " ")


def _number(text: str) -> str | None:
    return None if math.isnan(float(text)) else f"{float(text):.3f}"


def _curves_png(losses: list[dict[str, str]], metrics: list[dict[str, str]]) -> bytes:
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [int(row["step"]) for row in losses]
    for name in [name for name in (losses[0] if losses else {}) if name not in ("step", "lr")]:
        values = _smoothed([float(row[name]) for row in losses])
        left.plot(steps, values, label=name.replace("_", " "), linewidth=2.2 if name == "loss" else 1)
    left.set(xlabel="step", title="training losses (running mean)", yscale="log")
    structures = sorted({row["figure"] for row in metrics if row["figure"].startswith("dice/")})
    for name in [*structures, "score"]:
        rows = [row for row in metrics if row["figure"] == name]
        points = [int(row["step"]) for row in rows], [float(row["value"]) for row in rows]
        right.plot(*points, marker=".", label=_title(name), linewidth=2.2 if name == "score" else 1)
    right.set(xlabel="step", title="validation Dice", ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _smoothed(values: list[float]) -> list[float]:
    width = max(len(values) // _NUM_SMOOTHED, 1)
    return [sum(part) / len(part) for end in range(len(values)) for part in [values[max(0, end - width + 1) : end + 1]]]


def _add_pictures(section: Section, folder: RunFolder) -> None:
    pictures = sorted(folder.pictures.glob("epoch_*.png"))
    if pictures:
        section.picture(pictures[-1].read_bytes(), "Image, truth and prediction of validation cases.")
    else:
        section.text("None were drawn.")
