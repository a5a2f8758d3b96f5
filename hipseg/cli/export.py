"""The verb `hipseg export`."""

from __future__ import annotations

from typing import Annotated

import typer


def export(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="run=RUN name=NAME [KEY=VALUE]...", help="Settings, e.g. out=models overwrite=true"),
    ] = None,
    cfg: Annotated[bool, typer.Option("--cfg", help="Print the composed configuration and do nothing.")] = False,
) -> None:
    """Turn a trained network into the one self-describing model file.

    RUN is a run folder (its best checkpoint is taken) or a checkpoint. Writes OUT/NAME/ with model.onnx,
    checkpoint.safetensors, card.md and manifest.json, and refuses unless onnxruntime agrees with PyTorch.
    """
    from hipseg.configuration import compose, to_yaml
    from hipseg.export.config import ExportConfig

    config = compose("export", overrides or [], schema=ExportConfig)
    if cfg:
        typer.echo(to_yaml(config), nl=False)
        return
    from hipseg.export.release import export_run

    folder = export_run(config)
    typer.echo(f"{folder}: onnxruntime agrees with PyTorch; try it: hipseg infer SOURCE --out DIR --model {folder}")
