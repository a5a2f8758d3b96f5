"""What guidance saw of a recording, kept so that `hipseg replay` can run it again: `replay/` of a session's folder.

- `clip.json`: what holds for all frames.
- `inputs.jsonl`: a line a frame: source, time, scale, region, landmarks, view score; numbers unrounded.
- `000012.png`: frame 12 on the network's grid: the probabilities of each class in steps of 1/255, the labels, the
  image's grey levels and where it shows flow, one below the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import NUM_CLASSES
from hipseg.cli.pipeline import FrameWork
from hipseg.errors import SourceError
from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.clip import ClipFacts
from hipseg.guidance.flow import FlowPicture
from hipseg.guidance.fluid import Echo
from hipseg.guidance.geometry import Labels, image_labels, occupied_labels
from hipseg.guidance.recordable import Levels, levels_of, probabilities_of
from hipseg.io import JsonLinesSink, write_json
from hipseg.io import session_folder as names
from hipseg.io.writing import output_errors, write_atomically
from hipseg.runtime.grid import Grid
from hipseg.runtime.segmentation import Landmark, Segmentation

_VERSION = 1
_CLIP, _INPUTS = "clip.json", "inputs.jsonl"
_LARGEST_SIDE, _LARGEST_GRID = 1 << 14, 2048
_FASTEST = [cv2.IMWRITE_PNG_COMPRESSION, 1]
_MEND = "record it again with `hipseg infer ... --masks`"


@dataclass(frozen=True, slots=True)
class GuidanceInput:
    """What guidance sees of a frame: the arguments of `ClipGuidance.step`."""

    frame: int
    time_s: float
    spacing: Spacing | None
    region: ScanRegion
    segmentation: Segmentation
    echo: Echo | None
    flow: FlowPicture | None
    source_id: str


class ReplaySink:
    """Writes `replay/` while frames pass. A frame's line comes after its picture: a line means that all is there.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, session: Path, facts: ClipFacts) -> None:
        self._folder = session / names.REPLAY
        with output_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        write_json(self._folder / _CLIP, {"version": _VERSION, **asdict(facts)})
        self._lines = JsonLinesSink(self._folder / _INPUTS)

    def write(self, work: FrameWork) -> None:
        """Keeps one frame. Raises OutputError."""
        segmentation, frame = work.segmentation, work.frame
        assert segmentation is not None
        assert work.echo is not None
        rows, columns = segmentation.grid.occupied
        probabilities_CHW = segmentation.probabilities_CHW[:, rows, columns]
        is_sound = math.isfinite(float(segmentation.probabilities_CHW.sum()))
        levels_CHW = levels_of(np.where(is_sound, probabilities_CHW, np.float32(0)))
        labels_HW = occupied_labels(segmentation.labels_HW, segmentation.grid)
        flow_HW = np.zeros_like(work.echo) if work.flow is None else work.flow.cells_HW.astype(np.uint8)
        stacked = np.concatenate([*levels_CHW, labels_HW, work.echo, flow_HW])
        write_atomically(_picture(self._folder, frame.index), cv2.imencode(".png", stacked, _FASTEST)[1].tobytes())
        self._lines.write(
            {
                "frame": frame.index,
                "source_id": frame.source_id,
                "time_s": frame.time_s,
                "spacing": None if frame.spacing is None else asdict(frame.spacing),
                "region": asdict(frame.region),
                "grid": asdict(segmentation.grid),
                "is_sound": is_sound,
                "flow": None if work.flow is None else work.flow.note,
                "view_score": _finite(segmentation.view_score),
                "landmarks": {name: _numbers(point) for name, point in segmentation.landmarks.items()},
            }
        )

    def close(self) -> None:
        """Closes the file; may be called twice."""
        self._lines.close()


def read_clip_facts(session: Path) -> ClipFacts:
    """Raises SourceError when the session holds nothing to replay."""
    path = session / names.REPLAY / _CLIP
    if not path.is_file():
        raise SourceError("holds nothing to replay", where=session, expected=f"{names.REPLAY}/{_CLIP}", mend=_MEND)
    try:
        record = json.loads(path.read_bytes())
        low, high = map(float, record["view_thresholds"])
        facts = ClipFacts((low, high), bool(record["still"]))
        version = record["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError("can't be read", where=path, mend=_MEND) from error
    if version != _VERSION:
        raise SourceError(f"is of version {version}", where=path, expected=f"version {_VERSION}", mend=_MEND)
    return facts


def read_inputs(session: Path) -> Iterator[GuidanceInput]:
    """The frames of a session in their order. Raises SourceError for what is missing or broken."""
    path = session / names.REPLAY / _INPUTS
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SourceError(f"can't be read ({error.strerror})", where=path, mend=_MEND) from error
    for number, line in enumerate(lines, start=1):
        try:
            yield _input(session, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, cv2.error) as error:
            raise SourceError(f"line {number} can't be read", where=path, mend=_MEND) from error


def _input(session: Path, line: dict[str, Any]) -> GuidanceInput:
    index, region, grid = int(line["frame"]), ScanRegion(**line["region"]), Grid(**line["grid"])
    if not 0 < grid.size <= _LARGEST_GRID or not 0 < max(region.height, region.width) <= _LARGEST_SIDE:
        raise ValueError("impossible sizes")
    levels_CHW, cells_HW, echo, flow_HW = _split(_read_grey(_picture(session / names.REPLAY, index)), grid)
    probabilities_CHW = np.zeros((len(levels_CHW), grid.size, grid.size), np.float32)
    rows, columns = grid.occupied
    probabilities_CHW[:, rows, columns] = probabilities_of(levels_CHW) if line["is_sound"] else np.nan
    segmentation = Segmentation(
        labels_HW=image_labels(cells_HW, grid),
        probabilities_CHW=probabilities_CHW,
        grid=grid,
        landmarks={str(name): Landmark(*map(_number, values)) for name, values in line["landmarks"].items()},
        view_score=_number(line["view_score"]),
    )
    spacing = None if line["spacing"] is None else Spacing(**line["spacing"])
    flow = None if line["flow"] is None else FlowPicture(flow_HW > 0, str(line["flow"]))
    source_id = str(line.get("source_id", ""))  # older recordings do not name it
    return GuidanceInput(index, float(line["time_s"]), spacing, region, segmentation, echo, flow, source_id)


def _split(stacked: npt.NDArray[np.uint8], grid: Grid) -> tuple[Levels, Labels, Echo, Labels]:
    rows, columns = grid.occupied
    height, width = rows.stop - rows.start, columns.stop - columns.start
    parts = stacked.reshape(-1, height, width)
    if len(parts) != NUM_CLASSES + 3 or parts[-3].max(initial=0) >= NUM_CLASSES:
        raise ValueError("not the label scheme's classes")
    return parts[:-3], parts[-3], parts[-2], parts[-1]


def _read_grey(path: Path) -> npt.NDArray[np.uint8]:
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"can't be read ({error.strerror})", where=path, mend=_MEND) from error
    grey = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise ValueError("not a picture")
    return np.asarray(grey, np.uint8)


def _picture(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.png"


def _numbers(point: Landmark) -> list[float | None]:
    return [_finite(value) for value in (point.x_px, point.y_px, point.sigma_px, point.visibility)]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
