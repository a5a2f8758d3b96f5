"""A clip with the needle of every frame in one JSON line, as the needle recording of `shared/data` carries it.

{"image": "clip.mp4", "frame": 12, "t_s": 0.2, "size": [width, height], "spacing_mm": [row, column],
 "tip_visible": true,
 "shapes": {"needle": {"path": [[x, y], ...] from the entry over the heel to the tip, "width_px": 10.1}}}
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.anatomy import IGNORED, NEEDLE
from hipseg.data.clip_reading import read_clip_frame
from hipseg.data.importers import rasterise
from hipseg.data.importers.case import Annotated, ClipFrame, ImportedCase, files_of
from hipseg.data.importers.run_lengths import checked_points
from hipseg.data.importers.source_files import CLIP_ENDINGS, FileIndex, safe_id
from hipseg.data.reading import LabelsHW
from hipseg.data.records import PointXY
from hipseg.errors import SourceError


class NeedleClip:
    """Importer of clips with a JSONL beside them; nothing but the needle is known.

    The shaft is drawn along its path with the width of its echo. Where the tip cannot be seen, the piece from the
    heel to the tip is ignored (255) and the tip's place is unknown.

    Args:
        split: of all of them.
        hip_view: what is known of the view.
    """

    def __init__(self, split: str = "test", hip_view: bool | None = False) -> None:
        self._split, self._hip_view = split, hip_view

    def cases(self, source: Path) -> list[ImportedCase]:
        """One case a line. Raises SourceError when there is no file, or a line names no frame."""
        files = FileIndex(source, CLIP_ENDINGS)
        return [case for path in files_of(source, "*.jsonl") for case in self._cases(path, files)]

    def _cases(self, path: Path, files: FileIndex) -> list[ImportedCase]:
        cases = []
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            where = f"{path}, line {number}"
            values = _parse(line, where)
            clip = files.find(values.get("image"), path.parent, where=where, field="image")
            of_clip = ClipFrame(safe_id(clip.stem), clip, _frame(values, where))
            load = functools.partial(self._load, values, of_clip, where)
            cases.append(ImportedCase(f"{of_clip.clip}_{of_clip.frame:06d}", of_clip.clip, self._split, load))
        return cases

    def _load(self, values: Mapping[str, Any], of_clip: ClipFrame, where: str) -> Annotated:
        image_HW = read_clip_frame(of_clip.path, of_clip.frame)
        height, width = image_HW.shape
        if values.get("size") != [width, height]:
            raise SourceError(f"field 'size' is {values.get('size')}", where=where, expected=f"[{width}, {height}]")
        needle = values.get("shapes", {}).get("needle")
        if not isinstance(needle, Mapping) or not isinstance(needle.get("width_px"), (int, float)):
            raise SourceError("field 'shapes.needle' is no needle", where=where, expected="its path and width_px")
        path_xy = checked_points(needle.get("path"), height, width, where=where, field="shapes.needle.path", least=2)
        has_tip = values.get("tip_visible") is True
        return Annotated(
            image_HW=image_HW,
            labels_HW=_paint(path_xy, float(needle["width_px"]), height, width, has_tip=has_tip),
            of_clip=of_clip,
            clip=of_clip.clip,
            time_s=values.get("t_s"),
            spacing_mm=values.get("spacing_mm"),
            view=values.get("view"),
            landmarks=_landmarks(path_xy, has_tip=has_tip),
            hip_view=self._hip_view,
        )


def _parse(line: str, where: str) -> Mapping[str, Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise SourceError(f"not JSON ({error})", where=where) from error
    if not isinstance(values, dict):
        raise SourceError("not an object", where=where, expected="a JSON object")
    return values


def _frame(values: Mapping[str, Any], where: str) -> int:
    frame = values.get("frame")
    if not isinstance(frame, int) or isinstance(frame, bool) or frame < 0:
        raise SourceError(f"field 'frame' is {frame!r}", where=where, expected="a whole number from 0")
    return frame


def _paint(path_xy: np.ndarray, width_px: float, height: int, width: int, *, has_tip: bool) -> LabelsHW:
    labels_HW = np.zeros((height, width), np.uint8)
    pieces = list(itertools.pairwise(path_xy))
    for number, (start, end) in enumerate(pieces, start=1):
        is_known = has_tip or number < len(pieces)
        labels_HW[rasterise.thick_line(start, end, width_px, height, width)] = NEEDLE if is_known else IGNORED
    return labels_HW


def _landmarks(path_xy: np.ndarray, *, has_tip: bool) -> dict[str, PointXY | None]:
    entry, tip = ((float(x), float(y)) for x, y in (path_xy[0], path_xy[-1]))
    return {"needle_entry": entry, "needle_tip": tip} if has_tip else {"needle_entry": entry}
