"""The verb `hipseg simulate`."""

from __future__ import annotations

from typing import Annotated

import typer

_MADE = {"dataset": "cases", "sheet": "rows"}


def simulate(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="out=DIR [KEY=VALUE]...", help="Settings, e.g. num_cases=300 simulation=transverse"),
    ] = None,
    cfg: Annotated[bool, typer.Option("--cfg", help="Print the composed configuration and do nothing.")] = False,
) -> None:
    """Make labelled ultrasound of simulated procedures.

    format=dataset writes frames with masks to train on; format=dicom, mp4 or png writes clips with their truth.
    scenario=NAME, a list of names or all says what happens in them (names: configs/simulation/scenario/).
    The same seed gives the same bytes, whatever num_workers; an interrupted run goes on when it is called again.
    """
    from hipseg.configuration import compose, to_yaml
    from hipseg.errors import UsageError
    from hipseg.simulation.job import SimulateConfig, job_of

    config = compose("simulate", overrides or [], schema=SimulateConfig)
    if cfg:
        typer.echo(to_yaml(config), nl=False)
        return
    job = job_of(config)
    if not job.out:
        raise UsageError("no folder to write to", where="out", mend="say out=DIR")
    if job.format == "dataset":
        from hipseg.data.simulated import write_dataset as write
    elif job.format == "sheet":
        from hipseg.simulation.sheets import write_sheet as write
    else:
        from hipseg.simulation.clips import write_clips as write
    folder = write(job)
    typer.echo(f"{folder}: {job.case_count} {_MADE.get(job.format, 'clips')}")
