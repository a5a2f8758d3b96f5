"""One case of a data set under examination: its record, its two files, and whether they can be true."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hipseg.anatomy import CLASS_NAMES, IGNORED, NUM_CLASSES
from hipseg.data.checks.findings import Finding
from hipseg.data.checks.plausibility import implausible, landmark_faults, scale_faults
from hipseg.data.checks.shapes import Shape, count_ids, shapes_of
from hipseg.data.likeness import Icon, icon_of
from hipseg.data.reading import ImageHW, LabelsHW, file_sha256, read_case, read_image, read_labels
from hipseg.data.records import Case, DatasetManifest
from hipseg.errors import SourceError

_FLAT_STD = 2.0


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a case is, small enough to keep thousands.

    Attributes:
        case: its record, without the simulator's truth.
        height, width: of the image, pixels.
        brightness: mean grey level of what is not black, 0-255.
        shapes: what the mask draws, by name.
        icon: the image at 32 x 32 pixels, to find its like.
    """

    case: Case
    height: int
    width: int
    brightness: float
    shapes: dict[str, Shape]
    icon: Icon


@dataclass(slots=True)
class Examined:
    """A case's findings, and its facts where its record and image could be read."""

    case: Case | None = None
    facts: CaseFacts | None = None
    findings: list[Finding] = field(default_factory=list)


def examine(root: Path, manifest: DatasetManifest | None, line: bytes, where: str) -> Examined:
    """Examines one line of cases.jsonl and the files it names.

    Args:
        root: the data set's folder.
        manifest: None where it could not be read; what is annotated is then unknown.
        line, where: the record and its place, for messages.
    """
    try:
        case = read_case(line, where)
    except SourceError as error:
        return Examined(findings=[Finding("record", where, _reason(error))])
    kept = dataclasses.replace(case, truth=None)  # thousands of records stay in memory, their long truth need not
    examined = Examined(kept, findings=list(_checksum_faults(root, case)))
    try:
        image_HW = read_image(root, case)
    except SourceError as error:
        examined.findings.append(Finding("unreadable", case.image, _reason(error), case.id))
        return examined
    examined.findings += [*_flatness(case, image_HW), *scale_faults(case, image_HW.shape)]
    examined.findings += landmark_faults(case, image_HW.shape)
    shapes = _examine_mask(root, manifest, case, image_HW, examined.findings)
    examined.facts = _facts(kept, image_HW, shapes)
    return examined


def _facts(case: Case, image_HW: ImageHW, shapes: dict[str, Shape]) -> CaseFacts:
    lit = image_HW[::4, ::4]
    lit = lit[lit > 0]
    return CaseFacts(
        case=case,
        height=image_HW.shape[0],
        width=image_HW.shape[1],
        brightness=float(lit.mean()) if lit.size else 0.0,
        shapes=shapes,
        icon=icon_of(image_HW),
    )


def _examine_mask(
    root: Path, manifest: DatasetManifest | None, case: Case, image_HW: ImageHW, findings: list[Finding]
) -> dict[str, Shape]:
    if case.mask is None:
        return {}
    try:
        labels_HW = read_labels(root, case)
    except SourceError as error:
        findings.append(Finding("unreadable", case.mask, _reason(error), case.id))
        return {}
    assert labels_HW is not None
    findings += id_faults(case, manifest, labels_HW)
    if labels_HW.shape != image_HW.shape:
        (height, width), (image_height, image_width) = labels_HW.shape, image_HW.shape
        why = f"a mask of {width} x {height} for an image of {image_width} x {image_height}"
        findings.append(Finding("size_differs", case.mask, why, case.id))
        return {}
    shapes = shapes_of(labels_HW)
    findings += implausible(case, image_HW, labels_HW, shapes)
    return shapes


def id_faults(case: Case, manifest: DatasetManifest | None, labels_HW: LabelsHW) -> Iterator[Finding]:
    """Ids that no class has, classes that nobody annotated, and masks that say nothing."""
    present = set(np.flatnonzero(count_ids(labels_HW)).tolist())
    where = str(case.mask)
    strange = sorted(id for id in present if id >= NUM_CLASSES and id != IGNORED)
    if strange:
        yield Finding("unknown_id", where, f"ids {', '.join(map(str, strange[:8]))} (known: 0-10 and 255)", case.id)
    drawn = {CLASS_NAMES[id] for id in present if 0 < id < NUM_CLASSES}
    known = known_classes(case, manifest)
    undeclared = sorted(drawn - known) if known is not None else []
    if undeclared:
        yield Finding("unannotated_class", where, f"{', '.join(undeclared)} drawn, but not among 'annotated'", case.id)
    if present == {IGNORED}:
        yield Finding("ignored_mask", where, "every pixel is 255", case.id)
    elif not drawn and not strange and IGNORED not in present and case.hip_view is not False:
        yield Finding("empty_mask", where, "no structure is drawn", case.id)


def known_classes(case: Case, manifest: DatasetManifest | None) -> set[str] | None:
    """Names a mask may use: the annotated classes, and those a merged one stands for. None when nobody says."""
    annotated = case.annotated if case.annotated is not None else manifest.classes if manifest else None
    if annotated is None:
        return None
    merged = case.merged if case.merged is not None else manifest.merged if manifest else {}
    return set(annotated) | {member for name in annotated for member in merged.get(name, ())}


def _flatness(case: Case, image_HW: ImageHW) -> Iterator[Finding]:
    spread = float(image_HW[::2, ::2].std())
    if spread < _FLAT_STD:
        yield Finding("flat_image", case.image, f"grey levels vary by {spread:.1f} of 255", case.id)


def _checksum_faults(root: Path, case: Case) -> Iterator[Finding]:
    for name, expected in ((case.image, case.sha256), (case.mask, case.mask_sha256)):
        if name is None:
            continue
        digest = _digest(root / name)
        if digest is not None and digest != expected:
            yield Finding("checksum", name, f"sha256 begins {digest[:12]}, recorded {str(expected)[:12]}", case.id)


@functools.lru_cache(maxsize=4)  # the frames of a clip share one large file
def _digest(path: Path) -> str | None:
    """The checksum of a file, None when it cannot be read: that is told where it is decoded."""
    try:
        return file_sha256(path)
    except SourceError:
        return None


def _reason(error: SourceError) -> str:
    """A refusal without the file, which the finding names itself."""
    parts = [error.what, f"expected {error.expected}" if error.expected else "", error.mend or ""]
    return "; ".join(" ".join(part.split()) for part in parts if part)
