"""`hipseg benchmark robustness`: a model on images that get worse and worse."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def robustness(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="A data set, or a folder of clips with truth beside them.")],
    out: Annotated[Path, typer.Option(help="Folder for robustness.html and robustness.json.")],
    model: Annotated[
        str | None, typer.Option(help="Name on the shelf, or an ONNX file.", show_default="the released model")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="YAML file that explains a foreign model.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val or test.", show_default="test")] = None,
    corruption: Annotated[list[str] | None, typer.Option(help="One of them; may be given often.")] = None,
    cases: Annotated[int | None, typer.Option(min=1, help="Evenly spread over the data.", show_default="all")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of chance.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
) -> None:
    """Measure how each class bears what scanners, probes and recorders do to an image, in five grades."""
    from hipseg.evaluation.predictors.choice import PredictorChoice
    from hipseg.evaluation.robustness.benchmark import benchmark_robustness
    from hipseg.evaluation.robustness.corruptions import CORRUPTIONS, corruption_named
    from hipseg.evaluation.robustness.run import RobustnessRequest

    chosen = [corruption_named(name) for name in corruption or []] or CORRUPTIONS
    choice = PredictorChoice(model, None, mapping)
    request = RobustnessRequest(data, choice, split, chosen, cases, seed, workers)
    typer.echo(str(benchmark_robustness(request, out, _command(context.params))))


def _command(values: Mapping[str, Any]) -> str:
    """The command line that gives the same page again."""
    words = ["hipseg", "benchmark", "robustness", str(values["data"])]
    for name in ("model", "mapping", "split", "cases", "seed", "out"):
        if values[name] is not None:
            words += [f"--{name}", str(values[name])]
    for name in values["corruption"] or []:
        words += ["--corruption", name]
    return shlex.join(words)
