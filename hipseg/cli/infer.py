"""`hipseg infer`: from a recording or a live source to overlay, records and alerts."""

from __future__ import annotations

from typing import Annotated

import typer

from hipseg.cli import options as given


def infer(
    source: given.Source,
    out: given.Out,
    settings: given.KeyValues = None,
    model: given.ModelName = None,
    provider: given.Provider = "cpu",
    spacing: given.PixelSize = None,
    region: given.Region = "auto",
    frame_rate: given.FrameRate = None,
    masks: Annotated[bool, typer.Option("--masks", help="Write a label image a frame.")] = False,
    no_overlay: Annotated[bool, typer.Option("--no-overlay", help="Write no overlay.")] = False,
    dicom_seg: Annotated[bool, typer.Option("--dicom-seg", help="Write a DICOM segmentation.")] = False,
    config: given.Config = None,
    threads: given.Threads = None,
    force: given.Force = False,
    overwrite: given.Overwrite = False,
    resume: given.Resume = False,
    live_view: given.LiveView = None,
    igtl_out: given.IgtlOut = None,
    loop: Annotated[bool, typer.Option("--loop", help="Live: begin a replay again when it ends.")] = False,
    duration: given.Duration = None,
    profile: given.Profile = None,
    save_profile: given.SaveProfile = None,
) -> None:
    """Segment a recording or a live source and write overlay, records and alerts.

    A folder of several clips is processed clip by clip, going on past a broken one. A live source is followed at its
    own pace: frames that come too fast are left out, and guidance that is not current is withdrawn.
    Results: session.json, frames.jsonl, alerts.jsonl, overlay.mp4 (or overlay.png), masks/ and segmentation.dcm.
    """
    from hipseg.cli.inference import run_inference
    from hipseg.cli.request import InferenceRequest, LiveOptions
    from hipseg.cli.settings import read_settings

    spec, assignments = given.told_apart([source, *(settings or [])])
    merged = read_settings(config, assignments)
    request = InferenceRequest(
        spec=spec,
        out=out,
        model=model,
        provider=provider,
        threads=threads,
        source=given.source_options(
            merged, spacing=spacing, region=region, frame_rate=frame_rate, force=force, loop=loop, profile=profile
        ),
        settings=merged,
        overlay=not no_overlay,
        masks=masks,
        dicom_seg=dicom_seg,
        overwrite=overwrite,
        resume=resume,
        live=LiveOptions(view_port=live_view, igtl_port=igtl_out, duration_s=duration, save_profile=save_profile),
    )
    run_inference(request)
