"""The one page that a run ends with: curves, figures, pictures, configuration and versions in a single HTML file."""

from __future__ import annotations

import base64
import html
import io
import math
from collections import defaultdict
from pathlib import Path

from matplotlib.figure import Figure

from hipseg import DISCLAIMER
from hipseg.training.curves import LOSSES, METRICS, read_csv
from hipseg.training.run_folder import RunFolder

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .9rem .15rem 0; text-align: right; }
td:first-child, th:first-child { text-align: left; } img { max-width: 100%; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: 12px; } .note { color: #666; }
"""

_NUM_SMOOTHED = 50


def write_summary(folder: RunFolder) -> Path:
    """Writes `summary.html` from what the run left in its folder; it loads nothing from elsewhere.

    Returns:
        The file.
    """
    metrics = read_csv(folder.path / METRICS)
    losses = read_csv(folder.path / LOSSES)
    sections = [
        f"<h1>Training run {html.escape(folder.path.name)}</h1>",
        f'<p class="note">{DISCLAIMER}</p>',
        _section("Validation", _metrics_table(metrics)),
        _section("Curves", _image(_curves_png(losses, metrics), "losses and validation score by step")),
        _section("Sample predictions of the last validation", _last_picture(folder)),
        _section("Configuration", _preformatted(folder.config)),
        _section("Versions", _preformatted(folder.versions)),
    ]
    title = html.escape(folder.path.name)
    page = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    folder.summary.write_text(f"{page}</head><body>{''.join(sections)}</body></html>\n", encoding="utf-8")
    return folder.summary


def _section(title: str, content: str) -> str:
    return f"<h2>{title}</h2>{content}"


def _metrics_table(metrics: list[dict[str, str]]) -> str:
    """The last validation beside the one with the best score, n cases each."""
    scores = {int(row["step"]): float(row["value"]) for row in metrics if row["figure"] == "score"}
    if not scores:
        return "<p>No validation was run.</p>"
    last = max(scores)
    best = max(scores, key=lambda step: (-math.inf if math.isnan(scores[step]) else scores[step], step))
    by_step: dict[int, dict[str, tuple[str, str]]] = defaultdict(dict)
    for row in metrics:
        by_step[int(row["step"])][row["figure"]] = row["value"], row["n"]
    rows = [
        f"<tr><td>{_title(name)}</td><td>{_number(by_step[best][name][0])}</td>"
        f"<td>{_number(value)}</td><td>{number}</td></tr>"
        for name, (value, number) in by_step[last].items()
    ]
    heads = f"<tr><th>figure</th><th>best (step {best})</th><th>last (step {last})</th><th>n</th></tr>"
    notes = "score: mean Dice over the structures present; errors are medians; n: cases that have the structure."
    return f'<table>{heads}{"".join(rows)}</table><p class="note">{notes}</p>'


def _title(figure: str) -> str:
    return html.escape(figure.replace("dice/", "Dice, ").replace("+", " or ").replace("_", " "))


def _number(text: str) -> str:
    return "-" if math.isnan(float(text)) else f"{float(text):.3f}"


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


def _last_picture(folder: RunFolder) -> str:
    pictures = sorted(folder.pictures.glob("epoch_*.png"))
    if not pictures:
        return "<p>None were drawn.</p>"
    return _image(pictures[-1].read_bytes(), "image, truth and prediction of validation cases")


def _image(png: bytes, alternative: str) -> str:
    return f'<img alt="{alternative}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def _preformatted(path: Path) -> str:
    text = path.read_text(encoding="utf-8") if path.exists() else "not recorded"
    return f"<pre>{html.escape(text)}</pre>"
