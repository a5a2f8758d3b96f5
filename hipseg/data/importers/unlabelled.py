"""Images and clips that nobody has annotated: for self-training, statistics and tests of readers."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hipseg.data.clip_reading import read_clip_frame
from hipseg.data.importers.case import Annotated, ClipFrame, ImportedCase, files_of
from hipseg.data.importers.clip_files import read_clip_facts
from hipseg.data.importers.runs import NumberedRuns
from hipseg.data.importers.source_files import read_picture, safe_id


class UnlabelledPictures:
    """Importer of pictures without annotation, numbered person by person.

    Args:
        runs: as for `NumberedRuns`: the same persons as in the annotated part of a source go into the same splits.
        pattern: of the files.
    """

    def __init__(self, runs: Sequence[Mapping[str, Any]], pattern: str = "*.jpg") -> None:
        self._runs, self._pattern = NumberedRuns(runs), pattern

    def cases(self, source: Path) -> list[ImportedCase]:
        """One case a picture. Raises SourceError when there is none, or a number lies in no run."""
        paths = files_of(source, self._pattern)
        return [
            ImportedCase(
                safe_id(path.stem), *self._runs.patient_and_split(path), functools.partial(_load_picture, path)
            )
            for path in paths
        ]


def _load_picture(path: Path) -> Annotated:
    image_HW, original = read_picture(path)
    return Annotated(image_HW=image_HW, labels_HW=None, original=original)


class UnlabelledClips:
    """Importer of clips or single DICOM images without annotation; they stay the files they are.

    Args:
        split: of all of them.
        patient: one name for all, where nothing tells more.
        pattern: of the files.
        hip_view: what is known of the view.
    """

    def __init__(self, split: str, patient: str, pattern: str = "*.dcm", hip_view: bool | None = None) -> None:
        self._split, self._patient, self._pattern, self._hip_view = split, patient, pattern, hip_view

    def cases(self, source: Path) -> list[ImportedCase]:
        """One case a frame. Raises SourceError when there is no clip, or one cannot be opened."""
        return [case for path in files_of(source, self._pattern) for case in self._frames(path)]

    def _frames(self, path: Path) -> list[ImportedCase]:
        clip, num_frames = safe_id(path.stem), read_clip_facts(path).num_frames or 1
        return [
            ImportedCase(
                clip if num_frames == 1 else f"{clip}_{frame:06d}",
                self._patient,
                self._split,
                functools.partial(self._load, ClipFrame(clip, path, frame)),
            )
            for frame in range(num_frames)
        ]

    def _load(self, of_clip: ClipFrame) -> Annotated:
        facts = read_clip_facts(of_clip.path)
        return Annotated(
            image_HW=read_clip_frame(of_clip.path, of_clip.frame),
            labels_HW=None,
            of_clip=of_clip,
            clip=of_clip.clip,
            time_s=facts.time_s(of_clip.frame),
            spacing_mm=facts.spacing_mm,
            device=facts.device,
            hip_view=self._hip_view,
        )
