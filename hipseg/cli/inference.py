"""What `hipseg infer`, `serve` and `demo` do: one model, one source or a folder of them, results in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from hipseg.cli.clip_run import ClipRun, LoadedModel
from hipseg.cli.interruption import Interruption
from hipseg.cli.live_run import LiveRun
from hipseg.cli.request import InferenceRequest, LiveOptions
from hipseg.cli.resume import is_done
from hipseg.cli.session_record import COMPLETE, FAILED, INTERRUPTED, RUNNING, SessionRecord, Software
from hipseg.cli.settings import changed_settings
from hipseg.errors import SourceError, UsageError
from hipseg.io import Clip, SessionFolder, Source, is_live_spec, list_clips, open_source, write_json, write_profile
from hipseg.io import session_folder as names
from hipseg.runtime.models import DEFAULT_MODEL
from hipseg.runtime.session import Session


def run_inference(request: InferenceRequest) -> None:
    """Runs the model over a source, clip by clip.

    What is wrong is found in the order a user would mend it: the source, the model, the output folder.

    Raises:
        SourceError: a clip is broken; among several, when all others are done.
        ModelError, OutputError: nothing was, or no more could be done.
        KeyboardInterrupt: someone asked to stop; what was done stays whole.
    """
    _check_combination(request)
    with Interruption() as interruption:
        if is_live_spec(request.spec):
            _run_live(request, interruption)
            return
        clips = list_clips(request.spec)
        if len(clips) == 1:
            _run_single(clips[0], request, interruption)
        else:
            _run_batch(clips, request, interruption)


def _run_live(request: InferenceRequest, interruption: Interruption) -> None:
    source = open_source(request.spec, request.source)
    try:
        _check_dicom_seg(source.info.kind, request)
        run = LiveRun(source, _load_model(request), request)
        if request.live.save_profile is not None:
            write_profile(request.live.save_profile, source.info)
        run.run(interruption)
        _tell(run.record, request.spec if run.outputs.folder is None else str(run.outputs.folder.path))
    finally:
        source.close()


def _run_single(clip: Clip, request: InferenceRequest, interruption: Interruption) -> None:
    source = open_source(clip.spec, request.source)
    try:
        _check_dicom_seg(source.info.kind, request)
        model = _load_model(request)
        _run_clip(source, clip, request.folder, model, request, interruption)
    finally:
        source.close()


def _run_clip(
    source: Source, clip: Clip, path: Path, model: LoadedModel, request: InferenceRequest, interruption: Interruption
) -> None:
    if request.resume and is_done(path, model.software, source.info):
        typer.echo(f"{path}: complete already")
        return
    folder = SessionFolder(path, request.overwrite or request.resume)
    run = ClipRun(source, clip.spec, folder, model, request)
    run.run(interruption)
    _tell(run.record, str(folder.path))


def _run_batch(clips: list[Clip], request: InferenceRequest, interruption: Interruption) -> None:
    """Every clip into a folder of its own; what became of each stands in the session.json above them."""
    model = _load_model(request)
    folder = SessionFolder(request.folder, request.overwrite or request.resume)
    errors: dict[str, str | None] = {}
    write_json(folder.file(names.SESSION), _batch_record(RUNNING, errors, model.software))
    state = INTERRUPTED
    try:
        for clip in clips:
            errors[clip.name] = _run_one_of_many(clip, model, request, interruption)
        state = FAILED if any(errors.values()) else COMPLETE
    finally:
        with interruption.shielded():
            write_json(folder.file(names.SESSION), _batch_record(state, errors, model.software))
    _refuse_broken(errors, request.spec)


def _run_one_of_many(
    clip: Clip, model: LoadedModel, request: InferenceRequest, interruption: Interruption
) -> str | None:
    """Runs a clip; answers with what is wrong with it, None if nothing."""
    try:
        source = open_source(clip.spec, request.source)
    except SourceError as fault:
        return _tell_broken(clip, fault)
    try:
        _check_dicom_seg(source.info.kind, request)
        _run_clip(source, clip, request.folder / clip.name, model, request, interruption)
    except SourceError as fault:
        return _tell_broken(clip, fault)
    finally:
        source.close()
    return None


def _check_combination(request: InferenceRequest) -> None:
    """Refuses options that have no meaning together: nothing is passed over in silence."""
    if request.resume and request.overwrite:
        raise UsageError("--resume with --overwrite", expected="one of them: keep what is complete, or replace it")
    if is_live_spec(request.spec):
        if request.resume:
            raise UsageError("--resume with a live source", mend="what went by cannot be taken up: name a new folder")
    elif request.source.loop or request.source.frame_size or request.live != LiveOptions():
        what = "an option for live sources with a recording"
        raise UsageError(what, where=request.spec, mend=f"play it as one: replay:{request.spec}")


def _check_dicom_seg(kind: str, request: InferenceRequest) -> None:
    if request.dicom_seg and not kind.startswith("dicom"):
        raise UsageError(
            f"--dicom-seg with a source of kind '{kind}'", expected="a DICOM source", mend="use --masks instead"
        )


def _load_model(request: InferenceRequest) -> LoadedModel:
    session = Session(request.model or DEFAULT_MODEL, num_threads=request.threads, provider=request.provider)
    software = Software(
        model_name=session.contract.name,
        model_version=session.contract.model_version,
        model_sha256=session.sha256,
        provider=session.provider,
        threads=session.num_threads,
        settings=changed_settings(request.settings),
        load_ms=session.load_ms,
        outputs=request.outputs,
    )
    return LoadedModel(session, software)


def _tell(record: SessionRecord, where: str) -> None:
    alerts = ", ".join(f"{name} {count}x" for name, count in record.alert_counts.items()) or "none"
    typer.echo(f"{where}: {record.frame_count} frames, {record.fps or 0:.1f} a second; alerts: {alerts}")
    for warning in record.all_warnings:
        typer.echo(f"hipseg: {record.info.source_id}: {warning}", err=True)


def _tell_broken(clip: Clip, fault: SourceError) -> str:
    typer.echo(f"hipseg: {fault}; going on with the next clip", err=True)
    return fault.what or clip.name


def _batch_record(state: str, errors: dict[str, str | None], software: Software) -> dict[str, Any]:
    return {
        **software.as_json(),
        "state": state,
        "clips": [
            {"name": name, "state": FAILED if error else COMPLETE, "error": error} for name, error in errors.items()
        ],
    }


def _refuse_broken(errors: dict[str, str | None], spec: str) -> None:
    broken = [name for name, error in errors.items() if error]
    if broken:
        raise SourceError(
            f"{len(broken)} of {len(errors)} clips could not be read to the end: {', '.join(broken)}", where=spec
        )
