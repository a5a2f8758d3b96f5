"""`hipseg benchmark soak`: a long live run with faults thrown in, and runs that are killed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def soak(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the results of the runs, and soak.html.")],
    model: Annotated[
        str | None, typer.Option(help="Name on the shelf or a model file.", show_default="the released model")
    ] = None,
    duration: Annotated[float, typer.Option(min=0, help="Longest, seconds; 0 leaves the live run out.")] = 60.0,
    frames: Annotated[
        int | None, typer.Option(min=1, help="End when so many are recorded.", show_default=False)
    ] = None,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Of the source, frames a second.")] = 30.0,
    fault_every: Annotated[float, typer.Option(min=0, help="Seconds from fault to fault; 0: none.")] = 5.0,
    kills: Annotated[int, typer.Option(min=0, help="Kill so many runs of a recording, and take them up.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the faults and the moments.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Take up a soak that was stopped.")] = False,
) -> None:
    """Run live for a long time from a source that pauses, freezes, breaks off and worse; prints one JSON object.

    Memory, handles, threads, age and latency are told with their growth and its noise. Not on Windows.
    Stopped with Ctrl-C or SIGTERM, it tells what it found so far; --resume keeps a live run that was complete and all
    kills that were done.
    """
    import signal
    from json import dumps

    from hipseg.cli.benchmark.latency import command_of
    from hipseg.evaluation.soak.live import LiveSoakRequest
    from hipseg.evaluation.soak.run import SoakRequest, run_soak

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be stopped kindly: what was found is kept
    live = LiveSoakRequest(out, model, rate, duration, frames, fault_every or None, seed)
    command = command_of(context)
    record = run_soak(SoakRequest(live, duration > 0, kills, resume, command))
    typer.echo(dumps(record, indent=2))
