"""`hipseg benchmark models`: accuracy against cost."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def models(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="A data set, or a folder of clips with truth beside them.")],
    out: Annotated[Path, typer.Option(help="Folder for models.html and models.json.")],
    split: Annotated[str | None, typer.Option(help="train, val or test.", show_default="test")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="A training that takes part; may be given often.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Count untrained networks without timing them.")] = False,
    frames: Annotated[int, typer.Option(min=1, help="To time each model on.")] = 60,
    threads: Annotated[int | None, typer.Option(min=1, help="Of a timed model.", show_default="physical cores")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
) -> None:
    """Weigh accuracy against latency, parameters, operations and file size, of all networks and released models."""
    from hipseg.evaluation.cost.benchmark import CostRequest
    from hipseg.evaluation.cost.page import benchmark_models

    command = _command(context.params)
    request = CostRequest(data, split, run or [], quick, frames, threads, workers, command)
    typer.echo(str(benchmark_models(request, out)))


def _command(values: Mapping[str, Any]) -> str:
    """The command line that gives the same figures again, timing apart."""
    words = ["hipseg", "benchmark", "models", str(values["data"])]
    for name in ("split", "frames", "threads", "out"):
        if values[name] is not None:
            words += [f"--{name}", str(values[name])]
    for run in values["run"] or []:
        words += ["--run", str(run)]
    return shlex.join([*words, *(["--quick"] if values["quick"] else [])])
