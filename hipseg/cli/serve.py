"""`hipseg serve`: a live source, or a recording played as one, to look at in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hipseg.cli import options as given

DEFAULT_PORT = 8765


def serve(
    source: given.Source,
    settings: given.KeyValues = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where browsers on this machine find the page; 0: a free port.")
    ] = DEFAULT_PORT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Record into this folder too.", show_default=False)
    ] = None,
    model: given.ModelName = None,
    provider: given.Provider = "cpu",
    spacing: given.PixelSize = None,
    region: given.Region = "auto",
    frame_rate: given.FrameRate = None,
    masks: Annotated[bool, typer.Option("--masks", help="Record a label image a frame.")] = False,
    config: given.Config = None,
    threads: given.Threads = None,
    force: given.Force = False,
    overwrite: given.Overwrite = False,
    igtl_out: given.IgtlOut = None,
    loop: Annotated[bool, typer.Option(help="Begin a recording again when it ends.")] = True,
    duration: given.Duration = None,
    profile: given.Profile = None,
    save_profile: given.SaveProfile = None,
) -> None:
    """Show a live source with its guidance on a page for browsers on this machine.

    A recording is played at its own pace, again and again. Ctrl-C ends it.
    """
    from hipseg.cli.inference import run_inference
    from hipseg.cli.request import InferenceRequest, LiveOptions
    from hipseg.cli.settings import read_settings
    from hipseg.io import is_live_spec

    spec, assignments = given.told_apart([source, *(settings or [])])
    merged = read_settings(config, assignments)
    request = InferenceRequest(
        spec=spec if is_live_spec(spec) else f"replay:{spec}",
        out=out,
        model=model,
        provider=provider,
        threads=threads,
        source=given.source_options(
            merged, spacing=spacing, region=region, frame_rate=frame_rate, force=force, loop=loop, profile=profile
        ),
        settings=merged,
        masks=masks,
        overwrite=overwrite,
        live=LiveOptions(view_port=port, igtl_port=igtl_out, duration_s=duration, save_profile=save_profile),
    )
    run_inference(request)
