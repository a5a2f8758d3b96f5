"""A data set of simulated frames on disk (contracts.md section 5): single ones, or moments of procedures."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

from hipseg import __version__
from hipseg.anatomy import CLASS_NAMES
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.simulation.frames import SimulatedFrame, simulate_frame
from hipseg.simulation.job import Progress, SimulateConfig, generator, in_parallel
from hipseg.simulation.moments import draw_moment
from hipseg.simulation.preview import write_preview

PREVIEW = "preview.webp"
_NUM_PREVIEWED = 24
_SPLITS = ("train",) * 8 + ("val", "test")
"""Every case is a patient of its own; of ten, eight train."""


def write_dataset(job: SimulateConfig) -> Path:
    """Writes the cases of a job; goes on where an interrupted run of the same job stopped.

    A case is a single frame, or with `clip_frames` some frames in a row that share a clip id.

    Returns:
        The data set's folder, which also holds a contact sheet.

    Raises:
        OutputError: the folder cannot be written or holds something else.
    """
    root, progress = Path(job.out), Progress(job.case_count, "cases")
    previewed: dict[int, SimulatedFrame] = {}
    task = partial(simulate_case, job)
    with DatasetWriter(root, _manifest(job), overwrite=job.overwrite) as writer:
        pending = [case for case in range(job.case_count) if _ids(job, case)[-1] not in writer]
        for _ in range(job.case_count - len(pending)):
            progress.advance()
        for case, frames in zip(pending, in_parallel(task, pending, job.num_workers, job.cluster), strict=True):
            for id_, frame in zip(_ids(job, case), frames, strict=True):
                _add(writer, id_, case, frame, clip=_clip(case) if job.clip_frames > 1 else None)
            if case < _NUM_PREVIEWED:
                previewed[case] = frames[0]
            progress.advance()
    # Cases of an interrupted run are made again: the sheet does not depend on where it stopped.
    shown = range(min(job.case_count, _NUM_PREVIEWED))
    write_preview(root / PREVIEW, [previewed.get(case) or task(case)[0] for case in shown])
    return root


def simulate_case(job: SimulateConfig, case: int) -> list[SimulatedFrame]:
    """Case number `case` of a job: one frame, or `clip_frames` of them in a row."""
    if job.scenarios:
        return draw_moment(job, case)
    return [simulate_frame(job.simulation, generator(job.seed, case))]


def _ids(job: SimulateConfig, case: int) -> list[str]:
    if job.clip_frames == 1:
        return [_clip(case)]
    return [f"{_clip(case)}_{index:03d}" for index in range(job.clip_frames)]


def _clip(case: int) -> str:
    return f"case_{case:06d}"


def _manifest(job: SimulateConfig) -> DatasetManifest:
    origin = {"simulator": f"hipseg {__version__}", "seed": job.seed, "simulation": asdict(job.simulation)}
    if job.scenarios:
        origin |= {"scenarios": [scenario.name for scenario in job.scenarios], "fingerprint": job.fingerprint}
    return DatasetManifest(
        name="simulated",
        classes=CLASS_NAMES,
        licence="Apache-2.0",
        attribution="hipseg simulator",
        source=json.dumps(origin, sort_keys=True),
    )


def _add(writer: DatasetWriter, id_: str, case: int, frame: SimulatedFrame, clip: str | None) -> None:
    writer.add(
        id=id_,
        image_HW=frame.image_HW,
        labels_HW=frame.labels_HW,
        patient=frame.patient,
        split=_SPLITS[case % len(_SPLITS)],
        device="simulated",
        view=frame.view,
        spacing_mm=(frame.spacing.row_mm, frame.spacing.column_mm),
        landmarks=frame.landmarks,
        hip_view=not frame.truth["prosthesis"],
        truth={**frame.truth, "target_px": frame.target_px},
        clip=clip,
        time_s=None if clip is None else frame.time_s,
    )
