"""`hipseg quantize`: a released model with smaller numbers, if it loses nothing and is worth it here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class KindName(StrEnum):
    """How numbers are made smaller, as `export.quantize.Kind` without its heavy imports."""

    INT8 = "int8"
    FP16 = "fp16"
    WEIGHTS16 = "weights16"


def quantize(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Name on the shelf, or a model file.")],
    data: Annotated[Path, typer.Option(help="Data set with truth: images for calibration and for the gate.")],
    out: Annotated[Path, typer.Option(help="Folder of the smaller model, e.g. models/NAME.")],
    kind: Annotated[
        list[KindName] | None, typer.Option(help="May be given often.", show_default="try all, keep the best")
    ] = None,
    split: Annotated[str, typer.Option(help="That the gate judges on.")] = "val",
    calibration: Annotated[int, typer.Option(min=1, help="Images that set the ranges of int8.")] = 100,
    frames: Annotated[int, typer.Option(min=10, help="To time each on.")] = 60,
    threads: Annotated[int | None, typer.Option(min=1, help="Of a timed model.", show_default="physical cores")] = None,
    provider: Annotated[str, typer.Option(help="Who computes while it is timed.")] = "cpu",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
    even_if_slower: Annotated[
        bool, typer.Option("--even-if-slower", help="Keep what passes the gate: it is for another machine.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model that is there.")] = False,
) -> None:
    """Make a model smaller (8-bit or half precision), and keep the result only if it is as good and worth it.

    Refused when any class loses more than 0.01 Dice, or the needle's tip more than 0.2 mm. Of the forms that pass, the
    one that is faster here is kept, or a smaller file that is as fast; else the original stays.
    Writes OUT/model.onnx, card.md, manifest.json and the report quantization.html.
    """
    from hipseg.evaluation.quantization.run import QuantizationRequest, run_quantization
    from hipseg.export.quantize import Kind

    outcome = run_quantization(
        QuantizationRequest(
            model=model,
            data=data,
            out=out,
            kinds=[Kind(each.value) for each in kind] if kind else list(Kind),
            split=split,
            num_calibration=calibration,
            num_frames=frames,
            num_threads=threads,
            provider=provider,
            num_workers=workers,
            even_if_slower=even_if_slower,
            overwrite=overwrite,
            command=_command(context.params),
        )
    )
    for candidate in outcome.candidates:
        typer.echo(str(candidate))
    kept = outcome.kept
    typer.echo(f"{out}: {kept.kind.value}" if kept else "the original is the better one here: no model was written")
    typer.echo(f"report: {outcome.page}")


def _command(values: Mapping[str, Any]) -> str:
    """The command line that gives the same again, timing apart."""
    words = ["hipseg", "quantize", str(values["model"])]
    for name in ("data", "out", "split", "calibration", "frames", "threads", "provider"):
        if values[name] is not None:
            words += [f"--{name}", str(values[name])]
    for each in values["kind"] or []:
        words += ["--kind", each.value]
    return shlex.join([*words, *(["--even-if-slower"] if values["even_if_slower"] else [])])
