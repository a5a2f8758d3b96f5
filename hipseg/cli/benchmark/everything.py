"""`hipseg benchmark all`: every benchmark, one page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

_SOME_FAILED = 1


def everything(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for benchmarks.html, benchmarks.json and the pages of each.")],
    data: Annotated[
        Path | None,
        typer.Option(help="What models are measured on.", show_default="a small simulated set, made for it"),
    ] = None,
    split: Annotated[str | None, typer.Option(help="train, val or test.", show_default="test")] = None,
    real: Annotated[Path | None, typer.Option(help="Real pictures that the simulator is compared with.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Name on the shelf, or a model file.", show_default="the released model")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="All in under ten minutes.")] = False,
) -> None:
    """Run every benchmark that is there: models, robustness, latency, intervals, simulator, data, alerts.

    One that fails or is not there leaves the others running; then the exit code is 1.
    """
    import time

    from hipseg.cli.benchmark import benchmark
    from hipseg.evaluation.everything.data import data_for
    from hipseg.evaluation.everything.page import write_page
    from hipseg.evaluation.everything.plan import QUICK_S, Plan, steps
    from hipseg.evaluation.everything.run import State, run_all

    begin_s = time.perf_counter()
    plan = Plan(out, data_for(data, out, quick=quick), split, real, model, quick)
    known = {command.name for command in benchmark.registered_commands if command.name}
    outcomes = run_all(steps(plan), known, budget_s=QUICK_S - (time.perf_counter() - begin_s) if quick else None)
    typer.echo(str(write_page(outcomes, out, _command(context.params))))
    if any(outcome.state in (State.FAILED, State.MISSING) for outcome in outcomes):
        raise typer.Exit(_SOME_FAILED)


def _command(values: Mapping[str, Any]) -> str:
    """The command line that gives the same figures again, timing apart."""
    words = ["hipseg", "benchmark", "all"]
    for name in ("data", "split", "real", "model", "out"):
        if values[name] is not None:
            words += [f"--{name}", str(values[name])]
    return shlex.join([*words, *(["--quick"] if values["quick"] else [])])
