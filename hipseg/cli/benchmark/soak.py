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
) -> None:
    """Run live for a long time from a source that pauses, freezes, breaks off and worse; prints one JSON object.

    Memory, handles, threads, age and latency are told with their growth and its noise. Not on Windows.
    """
    from json import dumps

    from hipseg.cli.benchmark.latency import command_of
    from hipseg.evaluation.latency.machine import machine
    from hipseg.evaluation.latency.recording import write_recording
    from hipseg.evaluation.soak.kills import KillRequest, kill_and_resume
    from hipseg.evaluation.soak.live import LiveSoakRequest, soak_live
    from hipseg.evaluation.soak.page import soak_page
    from hipseg.io.writing import output_errors
    from hipseg.training.run_folder import versions

    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    found = machine()
    live = LiveSoakRequest(out, model, rate, duration, frames, fault_every or None, seed)
    live_figures = soak_live(live) if duration else None
    kill_figures = None
    if kills:
        recording = write_recording(out / "recording.mp4", 480, 640)
        kill_figures = kill_and_resume(KillRequest(recording, out / "kills", kills, model, seed))
    record = {
        "command": command_of(context.params, "soak"),
        "machine": found,
        "live": live_figures,
        "kills": kill_figures,
        "versions": versions(("numpy", "onnxruntime", "av")),
    }
    soak_page(record).write(out / "soak.html", record)
    typer.echo(dumps(record, indent=2))
