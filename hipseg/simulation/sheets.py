"""A sheet of scenarios: a row for each case, a picture for each thing that happens; no clip is rendered for it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.errors import OutputError
from hipseg.io.writing import output_errors, write_atomically
from hipseg.simulation.job import Progress, SimulateConfig, generator, in_parallel
from hipseg.simulation.preview import captioned, painted_needle, plain
from hipseg.simulation.procedure import Procedure
from hipseg.simulation.script import actions as do
from hipseg.simulation.script.actions import NAMES
from hipseg.simulation.script.scenario import Scenario

SHEET = "scenarios.webp"
_COLUMNS, _COLUMN_PX, _TALLEST_ROW_PX, _GAP_PX, _BACKDROP = 7, 190, 190, 4, 40
_QUALITY = 46
_SHOWN_AT_END = (do.Insert, do.Advance, do.Retract, do.Redirect, do.Veer, do.Inject, do.ChangeTubing)
_TALLEST_PX = 16_000
"""WebP ends at 16,383 pixels."""


def write_sheet(job: SimulateConfig) -> Path:
    """Writes the sheet of a job's cases.

    Returns:
        The folder, which holds it as `scenarios.webp`.

    Raises:
        OutputError: it cannot be written, or stands there already.
    """
    root = Path(job.out)
    path, progress = root / SHEET, Progress(job.case_count, "rows")
    with output_errors(root):
        root.mkdir(parents=True, exist_ok=True)
    if path.exists() and not job.overwrite:
        raise OutputError("is already there", where=path, mend="choose another folder or overwrite=true")
    rows = []
    for row in in_parallel(partial(sheet_row, job), range(job.case_count), job.num_workers, job.cluster):
        rows.append(row)
        progress.advance()
    sheet = np.vstack(rows)
    if len(sheet) > _TALLEST_PX:
        raise OutputError(f"would be {len(sheet)} pixels tall", where=path, mend="ask for fewer num_cases")
    _, encoded = cv2.imencode(".webp", sheet, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    write_atomically(path, encoded.tobytes())
    return root


def sheet_row(job: SimulateConfig, case: int) -> npt.NDArray[np.uint8]:
    """The key frames of a case side by side under its scenario's name, BGR [H, W, 3]."""
    procedure = Procedure(job.scenario_of(case), job.simulation, generator(job.seed, case), job.num_frames)
    pictures = []
    for time_s, caption in key_moments(procedure.scenario):
        frame = procedure.frame(procedure.timeline.frame_at(time_s) or 0)
        pictures.append(captioned(_fitted(painted_needle(frame, plain(frame))), f"{time_s:.1f} s: {caption}"))
    row = np.full((len(pictures[0]) + _GAP_PX, _COLUMNS * _COLUMN_PX, 3), _BACKDROP, np.uint8)
    for column, picture in enumerate(pictures):
        left = column * _COLUMN_PX
        row[: len(picture), left : left + picture.shape[1]] = picture
    return captioned(row, f"{procedure.scenario.name}: {procedure.scenario.summary}")


def key_moments(scenario: Scenario) -> list[tuple[float, str]]:
    """Times and names of what is worth a look, at most as many as a row takes: the begin, and each action at work."""
    moments = [(0.2, "begin")]
    for action in scenario.actions:
        at_s = action.end_s if isinstance(action, _SHOWN_AT_END) else action.at_s + 0.5 * action.for_s
        moments.append((at_s, NAMES[type(action)].replace("_", " ")))
    moments = sorted(moments)
    if len(moments) > _COLUMNS:
        chosen = np.linspace(0, len(moments) - 1, _COLUMNS).round().astype(int)
        moments = [moments[index] for index in chosen]
    return moments


def _fitted(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture, as large as a column's width and a row's greatest height allow."""
    scale = min((_COLUMN_PX - _GAP_PX) / image.shape[1], _TALLEST_ROW_PX / image.shape[0])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
