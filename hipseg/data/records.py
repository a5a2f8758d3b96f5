"""The records of a data set on disk, and what makes them valid (contracts.md section 5)."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from hipseg.anatomy import CLASS_NAMES, LANDMARKS
from hipseg.errors import SourceError, nearest_name

FORMAT_VERSION = 1
SPLITS = ("train", "val", "test")

PointXY = tuple[float, float]
Merged = dict[str, tuple[str, ...]]

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """What holds for every case of a data set unless the case says otherwise.

    Attributes:
        name: of the data set.
        classes: names of the annotated classes. A class that is not listed is unknown, never background.
        merged: a mask's class name to the classes it may stand for: {"femoral_artery": ("femoral_artery",
            "femoral_vein")} where a mask says "vessel" and no more.
        licence, attribution: of the images; they travel into the cards of models trained on them.
        source: where the images come from (address and revision, or the simulator's configuration).
        version: of this format.
    """

    name: str
    classes: tuple[str, ...]
    merged: Merged = field(default_factory=dict)
    licence: str = ""
    attribution: str = ""
    source: str = ""
    version: int = FORMAT_VERSION

    def to_dict(self) -> dict[str, Any]:
        """The content of manifest.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: object, *, where: str) -> DatasetManifest:
        """Reads and checks the content of manifest.json; `where` names it. Raises SourceError."""
        record = _Record(values, cls, where)
        version = record.get("version")
        if version != FORMAT_VERSION or isinstance(version, bool):
            raise record.fault("version", f"version {FORMAT_VERSION}", "use a hipseg release that knows it")
        return cls(
            name=record.text("name"),
            classes=record.class_names("classes"),
            merged=record.merged("merged") or {},
            licence=record.optional_text("licence") or "",
            attribution=record.optional_text("attribution") or "",
            source=record.optional_text("source") or "",
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One annotated image: a file of its own, or one frame of a clip that is kept as it came.

    Attributes:
        id: unique in the data set, and a safe file name.
        image, mask: paths relative to the data set's folder, "/" between parts. A case without a mask is unlabelled.
            The mask is always of this one image.
        patient: who was scanned, a pseudonym. A patient lies in one split only.
        split: "train", "val" or "test".
        sha256, mask_sha256: of the two files, hexadecimal.
        frame: index in `image`, from 0, where that is a DICOM or video clip; None for a picture.
        clip: names the recording this image is a frame of, so that results can be told by clip; None when alone.
        time_s: when in its clip the image was taken, seconds from the first frame.
        device: the scanner, where known.
        view: "longitudinal", "transverse", or what else the source calls it.
        spacing_mm: pixel size as (row, column), None when unknown.
        annotated, merged: replace the manifest's `classes` and `merged` for this case.
        unsure: classes whose shape the annotator drew and doubted: its pixels are 255.
        landmarks: x, y in pixels by name of `anatomy.LANDMARKS`; None is surely not in the image,
            a name left out is unknown.
        hip_view: whether this is a view of the hip the guidance is for, None when unknown.
        truth: further numbers a simulator knows (target, clearances), by name.
    """

    id: str
    image: str
    mask: str | None
    patient: str
    split: str
    sha256: str
    mask_sha256: str | None = None
    frame: int | None = None
    clip: str | None = None
    time_s: float | None = None
    device: str | None = None
    view: str | None = None
    spacing_mm: tuple[float, float] | None = None
    annotated: tuple[str, ...] | None = None
    merged: Merged | None = None
    unsure: tuple[str, ...] | None = None
    landmarks: dict[str, PointXY | None] | None = None
    hip_view: bool | None = None
    truth: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """A line of cases.jsonl."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: object, *, where: str) -> Case:
        """Reads and checks a line of cases.jsonl; `where` names it. Raises SourceError."""
        record = _Record(values, cls, where)
        return cls(
            id=record.identifier("id"),
            image=record.path("image") or "",
            mask=record.path("mask", optional=True),
            patient=record.text("patient"),
            split=record.one_of("split", SPLITS),
            sha256=record.text("sha256"),
            mask_sha256=record.optional_text("mask_sha256"),
            frame=record.index("frame"),
            clip=record.identifier("clip") if record.get("clip") is not None else None,
            time_s=record.time("time_s"),
            device=record.optional_text("device"),
            view=record.optional_text("view"),
            spacing_mm=record.spacing("spacing_mm"),
            annotated=record.class_names("annotated") if record.get("annotated") is not None else None,
            merged=record.merged("merged"),
            unsure=record.class_names("unsure") if record.get("unsure") is not None else None,
            landmarks=record.landmarks("landmarks"),
            hip_view=record.flag("hip_view"),
            truth=record.mapping("truth"),
        )


class _Record:
    """A JSON object being read: each reader returns a checked field or names it in a SourceError."""

    def __init__(self, values: object, kind: type[DatasetManifest] | type[Case], where: str) -> None:
        if not isinstance(values, Mapping):
            raise SourceError(f"a JSON {type(values).__name__}", where=where, expected="a JSON object")
        self._values, self._where = values, where
        known = [field_.name for field_ in dataclasses.fields(kind)]
        for key in values:
            if key not in known:
                raise SourceError(f"unknown field '{key}'", where=where, mend=nearest_name(str(key), known))

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def fault(self, name: str, expected: str, mend: str | None = None) -> SourceError:
        got = "is missing" if name not in self._values else f"is {_shown(self._values[name])}"
        return SourceError(f"field '{name}' {got}", where=self._where, expected=expected, mend=mend)

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str) or not value:
            raise self.fault(name, "a text")
        return value

    def optional_text(self, name: str) -> str | None:
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            raise self.fault(name, "a text or null")
        return value

    def identifier(self, name: str) -> str:
        value = self.text(name)
        if not _SAFE_ID.fullmatch(value):
            raise self.fault(name, "letters, digits, '.', '_' and '-'")
        return value

    def index(self, name: str) -> int | None:
        value = self.get(name)
        if value is None:
            return None
        # JSON does not tell 3 from 3.0.
        if not _is_number(value) or not math.isfinite(value) or value != int(value) or value < 0:
            raise self.fault(name, "a whole number from 0, or null")
        return int(value)

    def time(self, name: str) -> float | None:
        value = self.get(name)
        if value is None:
            return None
        if not _is_number(value) or not math.isfinite(value) or value < 0:
            raise self.fault(name, "seconds from 0, or null")
        return float(value)

    def path(self, name: str, *, optional: bool = False) -> str | None:
        if optional and self.get(name) is None:
            return None
        value = self.text(name)
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value:
            raise self.fault(name, "a path relative to the data set's folder that stays inside it")
        return value

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in known:
            raise self.fault(name, f"one of {', '.join(known)}", nearest_name(value, known))
        return value

    def class_names(self, name: str) -> tuple[str, ...]:
        return self._names(name, self.get(name))

    def merged(self, name: str) -> Merged | None:
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.fault(name, "an object of class names to lists of class names")
        self._names(name, list(value))
        return {key: self._names(f"{name}.{key}", members) for key, members in value.items()}

    def _names(self, name: str, values: Any) -> tuple[str, ...]:
        if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
            raise self.fault(name, "a list of class names")
        for value in values:
            if value not in CLASS_NAMES:
                raise SourceError(
                    f"field '{name}' names an unknown class '{value}'",
                    where=self._where,
                    mend=nearest_name(value, CLASS_NAMES),
                )
        return tuple(values)

    def spacing(self, name: str) -> tuple[float, float] | None:
        value = self.get(name)
        if value is None:
            return None
        pair = _pair(value)
        if pair is None or min(pair) <= 0:
            raise self.fault(name, "[row, column] in millimetres, both above 0, or null")
        return pair

    def landmarks(self, name: str) -> dict[str, PointXY | None] | None:
        value = self.mapping(name)
        if value is None:
            return None
        for key, point in value.items():
            if key not in LANDMARKS:
                raise self.fault(name, f"landmarks of {', '.join(LANDMARKS)}", nearest_name(str(key), LANDMARKS))
            if point is not None and _pair(point) is None:
                raise self.fault(name, f"'{key}' as [x, y] in pixels, or null when it is not in the image")
        return {key: _pair(point) for key, point in value.items()}

    def mapping(self, name: str) -> dict[str, Any] | None:
        value = self.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise self.fault(name, "an object or null")
        return None if value is None else dict(value)

    def flag(self, name: str) -> bool | None:
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.fault(name, "true, false or null")
        return value


def _pair(value: object) -> tuple[float, float] | None:
    """Two finite numbers, or None when the value is anything else."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    if not all(map(_is_number, value)):
        return None
    first, second = float(value[0]), float(value[1])
    return (first, second) if math.isfinite(first) and math.isfinite(second) else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
