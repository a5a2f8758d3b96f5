"""`hipseg evaluate`: figures of a model, or of a folder of masks, on data with truth."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def evaluate(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="A data set, a folder of data sets, or of clips with truth.")],
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings, e.g. guidance.view_check=off.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for tables, figures and report; a name in .json gives the figures alone.")
    ] = ...,  # type: ignore[assignment]
    model: Annotated[
        str | None,
        typer.Option(help="Name on the shelf, or an ONNX file.", show_default="the released model"),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Folder of predicted masks, <case>.png, instead of a model.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="YAML file that explains foreign masks or models.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val or test.", show_default="test")] = None,
    tolerance: Annotated[
        list[str] | None, typer.Option(metavar="STRUCTURE=MM", help="Of the normalised surface distance.")
    ] = None,
    pictures: Annotated[
        bool, typer.Option(help="Show the worst cases on the page; without, it can be passed on where images can't.")
    ] = True,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the model in each process.")] = 1,
) -> None:
    """Measure a model on one split of a data set, or on clips with truth, patient by patient."""
    from hipseg.cli.settings import read_settings
    from hipseg.evaluation.examination import ExaminationSettings
    from hipseg.evaluation.predictors.choice import PredictorChoice
    from hipseg.evaluation.run import EvaluationRequest, claim_output, write_results
    from hipseg.evaluation.run import evaluate as run
    from hipseg.evaluation.tolerances import parse_tolerances

    request = EvaluationRequest(
        data=data,
        predictor=PredictorChoice(model, predictions, mapping, threads),
        split=split,
        settings=ExaminationSettings(read_settings(None, keys or []).guidance, parse_tolerances(tolerance or [])),
        num_workers=workers,
        has_pictures=pictures,
        command=_command(context.params),
    )
    claim_output(out)
    write_results(run(request), out, request)


def _command(values: Mapping[str, Any]) -> str:
    """The command line that gives the same again; the number of processes changes nothing."""
    words = ["hipseg", "evaluate", str(values["data"]), *(values["keys"] or [])]
    for name in ("model", "predictions", "mapping", "split", "threads", "out"):
        if values[name] is not None:
            words += [f"--{name}", str(values[name])]
    for one in values["tolerance"] or []:
        words += ["--tolerance", one]
    return shlex.join(words if values["pictures"] else [*words, "--no-pictures"])
