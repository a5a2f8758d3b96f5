"""Clips of simulated procedures on disk, each with its truth.

`procedure_0000.dcm` (or .mp4, or a folder of PNG) is the recording. Beside it lie, in formats that `hipseg infer` does
not take for recordings, `procedure_0000.truth.jsonl` (a line a frame), `procedure_0000.masks.zip` (000012.png holds the
labels of frame 12) and `procedure_0000.preview.webp`.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.errors import OutputError
from hipseg.io.masks import encode_mask
from hipseg.io.records import write_json
from hipseg.io.writing import output_errors, write_atomically
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.frames import SimulatedFrame
from hipseg.simulation.job import Progress, SimulateConfig, generator, in_parallel
from hipseg.simulation.preview import write_preview
from hipseg.simulation.procedure import Procedure
from hipseg.simulation.recordings import open_recording

RUN = "simulation.json"
_NUM_PREVIEWED = 6


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
    task = partial(write_clip, root, job.format, job.population, job.seed)
    for _ in in_parallel(task, pending, job.num_workers):
        progress.advance()
    write_json(root / RUN, _record(job, finished=True))
    return root


def write_clip(root: Path, format_: str, config: SimulationConfig, seed: int, case: int) -> None:
    """Writes one clip, frame by frame; its truth comes last, so that a clip with truth is whole."""
    procedure = Procedure(config, generator(seed, case))
    recording = open_recording(format_, root / _name(case), procedure.frame_rate_hz)
    shown = set(np.linspace(0, len(procedure) - 1, _NUM_PREVIEWED).astype(int).tolist())
    masks, lines, previewed = io.BytesIO(), [], []
    with zipfile.ZipFile(masks, "w") as archive:
        for index, frame in enumerate(procedure):
            recording.write(frame)
            archive.writestr(zipfile.ZipInfo(f"{index:06d}.png"), encode_mask(frame.labels_HW))
            lines.append(json.dumps(frame_truth(index, frame)) + "\n")
            if index in shown:
                previewed.append(frame)
    recording.finish()
    write_atomically(root / f"{_name(case)}.masks.zip", masks.getvalue())
    write_preview(root / f"{_name(case)}.preview.webp", previewed)
    write_atomically(_truth_path(root, case), "".join(lines).encode())


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


def _rounded(point: tuple[float, float] | None) -> list[float] | None:
    return None if point is None else [round(point[0], 3), round(point[1], 3)]


def _name(case: int) -> str:
    return f"procedure_{case:04d}"


def _truth_path(root: Path, case: int) -> Path:
    return root / f"{_name(case)}.truth.jsonl"


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
    for path in root.glob("procedure_[0-9][0-9][0-9][0-9]*"):
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
        "simulation": asdict(job.population),
    }
