"""The one page of all benchmarks and its JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hipseg.evaluation.everything.run import Outcome, State
from hipseg.evaluation.report.environment import add_environment
from hipseg.evaluation.report.wording import title_of, with_interval
from hipseg.pages import Page
from hipseg.pages.page import Section
from hipseg.training.run_folder import versions

PAGE = "benchmarks.html"
_MOST_ROWS = 40

Figures = Mapping[str, Any]


def write_page(outcomes: Sequence[Outcome], out: Path, command: str) -> Path:
    """Writes benchmarks.html and benchmarks.json. Raises OutputError."""
    record = {
        "command": command,
        "versions": versions(("numpy", "torch", "onnxruntime")),
        "benchmarks": {outcome.step.name: outcome.to_dict() for outcome in outcomes},
    }
    page = Page("Benchmarks", subtitle="of this installation on this machine", command=command)
    section = page.section("Overview", "A benchmark that is not there or failed says why; figures of it are not known.")
    section.table(
        ["benchmark", "state", "seconds", "why, or its own page"],
        [
            [each.step.name, each.state.value, f"{each.seconds:.0f}" if each.seconds else None, _remark(each)]
            for each in outcomes
        ],
    )
    for outcome in outcomes:
        if outcome.state is State.DONE:
            section = page.section(title_of(outcome.step.name).capitalize())
            _add_outcome(section, outcome)
    add_environment(page, {"benchmarks": record})
    path = out / PAGE
    page.write(path, record)
    return path


def _add_outcome(section: Section, outcome: Outcome) -> None:
    """A table of its own where the figures are as this module knows them, else figure by figure."""
    keys, add = _SECTIONS.get(outcome.step.name, (set(), _add_figures))
    known = isinstance(outcome.figures, Mapping) and keys <= outcome.figures.keys()
    (add if known else _add_figures)(section, outcome.figures)


def _remark(outcome: Outcome) -> str | None:
    return outcome.reason or (None if outcome.step.page is None else outcome.step.page.name)


def _add_models(section: Section, figures: Figures) -> None:
    section.table(
        ["name", "state", "Dice", "p50, ms", "params, M", "MACs, G"],
        [
            [
                entry["name"],
                entry["origin"],
                with_interval(entry["dice"], entry["interval"]),
                _number((entry["latency_ms"] or {}).get("p50"), 1.0),
                _number(entry["num_parameters"], 1e6),
                _number(entry["macs"], 1e9),
            ]
            for entry in figures["entries"]
        ],
    )


def _add_robustness(section: Section, figures: Figures) -> None:
    curves = figures["curves"]
    names = list(dict.fromkeys(name for classes in curves.values() for name in classes))
    section.table(
        ["class", *(title_of(name) for name in curves)],
        [[title_of(name), *(_gives_in(classes.get(name)) for classes in curves.values())] for name in names],
        "Grade of 1 to 5 at which a class keeps less than 90 % of its clean score",
    )


def _gives_in(curve: Figures | None) -> object:
    if curve is None or curve["points"][0]["kept"] is None:
        return None
    return "> 5" if curve["gives_in_at"] is None else curve["gives_in_at"]


def _add_latency(section: Section, figures: Figures) -> None:
    size = figures["size"]
    section.text(f"{figures['model']['name']}, {size['width']}x{size['height']}, {figures['threads']} threads.")
    names = ("p50", "p95", "p99", "max")
    section.table(
        ["stage", *(f"{name}, ms" for name in names)],
        [[stage, *(_number(found[name], 1.0) for name in names)] for stage, found in figures["latency_ms"].items()],
    )


def _add_figures(section: Section, figures: Any) -> None:
    """Whatever a benchmark tells, figure by figure."""
    rows = list(_leaves(figures))
    section.table(["figure", "value"], rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        section.text(f"And {len(rows) - _MOST_ROWS} more, in benchmarks.json.")


def _leaves(figures: Any, path: tuple[str, ...] = ()) -> Iterator[list[object]]:
    if isinstance(figures, Mapping):
        for name, value in figures.items():
            yield from _leaves(value, (*path, title_of(str(name))))
    elif isinstance(figures, list) and any(isinstance(value, (Mapping, list)) for value in figures):
        for number, value in enumerate(figures, start=1):
            yield from _leaves(value, (*path, str(number)))
    else:
        shown = ", ".join(map(str, figures)) if isinstance(figures, list) else figures
        yield [": ".join(path), f"{shown:.4g}" if isinstance(shown, float) else shown]


def _number(value: float | None, unit: float) -> str | None:
    return None if value is None else f"{value / unit:.2f}"


_SECTIONS: Mapping[str, tuple[set[str], Callable[[Section, Any], None]]] = MappingProxyType(
    {
        "models": ({"entries"}, _add_models),
        "robustness": ({"curves"}, _add_robustness),
        "latency": ({"model", "size", "threads", "latency_ms"}, _add_latency),
    }
)
"""The keys that a benchmark's figures must have, and what shows them."""
