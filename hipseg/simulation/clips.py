"""Clips of simulated procedures on disk, each with its truth (docs/simulated-clips.md).

`procedure_0000.dcm` (or .mp4, or a folder of PNG) is the recording. Beside it lie, in formats that `hipseg infer` does
not take for recordings:

- `procedure_0000.truth.jsonl`: a line a frame.
- `procedure_0000.scenario.json`: what was played, and every event with its frame and the alerts that are due.
- `procedure_0000.masks.zip`: 000012.png holds the labels of frame 12, as they are seen and drawn.
- `procedure_0000.amodal.zip`: 16-bit PNG of whole structures, hidden or not; bit k stands for structure k.
- `procedure_0000.preview.webp`: key frames.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from hipseg import __version__
from hipseg.errors import OutputError
from hipseg.io.masks import encode_mask
from hipseg.io.records import write_json
from hipseg.io.writing import output_errors
from hipseg.simulation.events import Event, EventWatch
from hipseg.simulation.frames import SimulatedFrame
from hipseg.simulation.job import Progress, SimulateConfig, generator, in_parallel
from hipseg.simulation.parts import GrowingArchive, GrowingFile
from hipseg.simulation.preview import KeyFrames, write_preview
from hipseg.simulation.procedure import Procedure
from hipseg.simulation.recordings import open_recording

RUN = "simulation.json"


def write_clips(job: SimulateConfig) -> Path:
    """Writes the clips of a job; goes on where an interrupted run of the same job stopped.

    Returns:
        The folder.

    Raises:
        OutputError: the folder cannot be written or holds something else.
    """
    root, progress = Path(job.out), Progress(job.case_count, "clips")
    _claim(root, job)
    pending = [case for case in range(job.case_count) if not _truth_path(root, case).exists()]
    for _ in range(job.case_count - len(pending)):
        progress.advance()
    for _ in in_parallel(partial(write_clip, root.resolve(), job), pending, job.num_workers, job.cluster):
        progress.advance()
    write_json(root / RUN, _record(job, finished=True))
    return root


def write_clip(root: Path, job: SimulateConfig, case: int) -> None:
    """Writes one clip, frame by frame; its truth comes last, so that a clip with truth is whole."""
    rng = generator(job.seed, case)
    procedure = Procedure(job.scenario_of(case), job.simulation, rng, job.num_frames)
    stem = root / _name(case)
    recording = open_recording(job.format, stem, procedure)
    masks, amodal = GrowingArchive(_beside(stem, "masks.zip")), GrowingArchive(_beside(stem, "amodal.zip"))
    lines, key_frames, watch = GrowingFile(_beside(stem, "truth.jsonl")), KeyFrames(), EventWatch()
    for index, frame in enumerate(procedure.frames(watch)):
        recording.write(frame)
        masks.add(f"{index:06d}.png", encode_mask(frame.labels_HW))
        amodal.add(f"{index:06d}.png", cv2.imencode(".png", frame.amodal_HW)[1].tobytes())
        lines.write((json.dumps(frame_truth(index, frame)) + "\n").encode())
        key_frames.see(frame)
    recording.finish()
    masks.finish()
    amodal.finish()
    write_preview(_beside(stem, "preview.webp"), *key_frames.chosen())
    events = sorted([*procedure.events, *watch.events], key=lambda event: event.frame)
    write_json(_beside(stem, "scenario.json"), _scenario_record(job, case, procedure, events))
    lines.finish()


def frame_truth(index: int, frame: SimulatedFrame) -> dict[str, Any]:
    """A line of a clip's truth; pixels as in the frames' records (contracts.md section 2)."""
    return {
        "frame": index,
        "time_s": round(frame.time_s, 6),
        "spacing_mm": [frame.spacing.row_mm, frame.spacing.column_mm],
        "view": frame.view,
        "patient": frame.patient,
        "landmarks_px": {name: _rounded(point) for name, point in frame.landmarks.items()},
        "target_px": _rounded(frame.target_px),
        **frame.truth,
    }


def _scenario_record(job: SimulateConfig, case: int, procedure: Procedure, events: list[Event]) -> dict[str, Any]:
    """What was played in a clip, and when."""
    scenario = procedure.scenario
    return {
        "scenario": scenario.name,
        "summary": scenario.summary,
        "seed": job.seed,
        "case": case,
        "patient": procedure.patient,
        "view": scenario.view,
        "num_frames": len(procedure),
        "frame_rate_hz": scenario.frame_rate_hz,
        "duration_s": round(float(procedure.timeline.time_s[-1]), 6),
        "has_needle": scenario.needle is not None,
        "simulator": f"hipseg {__version__}",
        "events": [asdict(event) for event in events],
    }


def _rounded(point: tuple[float, float] | None) -> list[float] | None:
    return None if point is None else [round(point[0], 3), round(point[1], 3)]


def _name(case: int) -> str:
    return f"procedure_{case:04d}"


def _beside(stem: Path, ending: str) -> Path:
    return stem.with_name(f"{stem.name}.{ending}")


def _truth_path(root: Path, case: int) -> Path:
    return _beside(root / _name(case), "truth.jsonl")


def _claim(root: Path, job: SimulateConfig) -> None:
    """Takes a new folder, or an unfinished one of the same job."""
    with output_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        if job.overwrite:
            _clear(root)
        run = root / RUN
        if run.exists():
            _refuse_another(root, json.loads(run.read_text()), job)
        elif any(root.iterdir()):
            raise OutputError("is not empty", where=root, mend="choose another folder")
    write_json(root / RUN, _record(job, finished=False))


def _refuse_another(root: Path, record: dict[str, Any], job: SimulateConfig) -> None:
    same = record.get("fingerprint") == job.fingerprint
    if record.get("finished") and not (same and record.get("num_cases", 0) < job.case_count):
        raise OutputError("already holds clips", where=root, mend="choose another folder or overwrite=true")
    if not same:
        what = "holds unfinished clips of other settings"
        raise OutputError(what, where=root, mend="choose another folder or overwrite=true")


def _clear(root: Path) -> None:
    """Removes what this module writes and nothing else."""
    (root / RUN).unlink(missing_ok=True)
    # Parts of an interrupted run begin with a dot.
    for path in (*root.glob("procedure_[0-9]*"), *root.glob(".procedure_[0-9]*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _record(job: SimulateConfig, *, finished: bool) -> dict[str, Any]:
    return {
        "fingerprint": job.fingerprint,
        "finished": finished,
        "num_cases": job.case_count,
        "seed": job.seed,
        "format": job.format,
        "scenarios": [scenario.name for scenario in job.scenarios],
        "simulation": asdict(job.simulation),
    }
