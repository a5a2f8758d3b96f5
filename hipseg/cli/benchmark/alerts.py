"""`hipseg benchmark alerts`: what guidance raises in simulated procedures, and what it does not."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

_QUICK_CASES, _QUICK_FRAMES = 4, 60


def alerts(
    out: Annotated[Path, typer.Option(help="Folder for alerts.html and alerts.json.")],
    model: Annotated[
        list[str] | None, typer.Option(help="On the shelf, or an ONNX file; may be given often.", show_default="none")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="Procedures; scenarios come in turn.")] = 224,
    scenario: Annotated[
        list[str] | None, typer.Option(help="One of them; may be given often.", show_default="all")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=2, help="Of each clip.", show_default="the scenario's")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of chance; one that no training has seen.")] = 90_210,
    truth: Annotated[bool, typer.Option(help="Also with truth masks: the rules alone.")] = True,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="Few short clips: does it run?")] = False,
) -> None:
    """Measure alerts: sensitivity, lead time, false alarms, chatter, unknown, errors of tip and clearances.

    Every procedure goes through the whole chain, once with truth masks and once with each model.
    """
    from hipseg.errors import UsageError
    from hipseg.evaluation.alerts.benchmark import benchmark_alerts
    from hipseg.evaluation.alerts.play import AlertJob
    from hipseg.simulation.script.files import scenario_names

    eyes = (*(["truth"] if truth else []), *(model or []))
    if not eyes:
        raise UsageError("neither truth nor a model", where="--no-truth", mend="name one with --model")
    names = tuple(scenario or scenario_names())
    if quick:
        cases, frames = min(cases, _QUICK_CASES), min(frames or _QUICK_FRAMES, _QUICK_FRAMES)
    words = ["hipseg", "benchmark", "alerts", "--cases", str(cases), "--seed", str(seed), *_repeated("--model", model)]
    words += [*_repeated("--scenario", scenario), *(["--quick"] if quick else []), "--out", out.name]
    page = benchmark_alerts(
        AlertJob(names, eyes, seed, frames), cases, out, shlex.join(words),
        workers=workers, told=lambda done: typer.echo(f"\r{done} of {cases} procedures", err=True, nl=done == cases),
    )  # fmt: skip
    typer.echo(str(page))


def _repeated(option: str, values: list[str] | None) -> list[str]:
    return [word for value in values or [] for word in (option, value)]
