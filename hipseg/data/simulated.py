"""A data set of single simulated frames on disk (contracts.md section 5)."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

from hipseg import __version__
from hipseg.anatomy import CLASS_NAMES
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.frames import SimulatedFrame, simulate_frame
from hipseg.simulation.job import Progress, SimulateConfig, generator, in_parallel
from hipseg.simulation.preview import write_preview

PREVIEW = "preview.webp"
_NUM_PREVIEWED = 24
_SPLITS = ("train",) * 8 + ("val", "test")
"""Every case is a patient of its own; of ten, eight train."""


def write_dataset(job: SimulateConfig) -> Path:
    """Writes the frames of a job; goes on where an interrupted run of the same job stopped.

    Returns:
        The data set's folder, which also holds a contact sheet.

    Raises:
        OutputError: the folder cannot be written or holds something else.
    """
    root, progress = Path(job.out), Progress(job.case_count, "frames")
    previewed: dict[int, SimulatedFrame] = {}
    with DatasetWriter(root, _manifest(job), overwrite=job.overwrite) as writer:
        pending = [case for case in range(job.case_count) if _id(case) not in writer]
        for _ in range(job.case_count - len(pending)):
            progress.advance()
        task = partial(simulate_case, job.population, job.seed)
        for case, frame in zip(pending, in_parallel(task, pending, job.num_workers), strict=True):
            _add(writer, case, frame)
            if case < _NUM_PREVIEWED:
                previewed[case] = frame
            progress.advance()
    # Cases of an interrupted run are made again: the sheet does not depend on where it stopped.
    shown = range(min(job.case_count, _NUM_PREVIEWED))
    write_preview(root / PREVIEW, [previewed.get(case) or task(case) for case in shown])
    return root


def simulate_case(config: SimulationConfig, seed: int, case: int) -> SimulatedFrame:
    """Case number `case` of a seed."""
    return simulate_frame(config, generator(seed, case))


def _id(case: int) -> str:
    return f"case_{case:06d}"


def _manifest(job: SimulateConfig) -> DatasetManifest:
    origin = {"simulator": f"hipseg {__version__}", "seed": job.seed, "simulation": asdict(job.population)}
    return DatasetManifest(
        name="simulated",
        classes=CLASS_NAMES,
        licence="Apache-2.0",
        attribution="hipseg simulator",
        source=json.dumps(origin, sort_keys=True),
    )


def _add(writer: DatasetWriter, case: int, frame: SimulatedFrame) -> None:
    writer.add(
        id=_id(case),
        image_HW=frame.image_HW,
        labels_HW=frame.labels_HW,
        patient=frame.patient,
        split=_SPLITS[case % len(_SPLITS)],
        device="simulated",
        view=frame.view,
        spacing_mm=(frame.spacing.row_mm, frame.spacing.column_mm),
        landmarks=frame.landmarks,
        hip_view=True,
        truth={**frame.truth, "target_px": frame.target_px},
    )
