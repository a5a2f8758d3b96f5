"""Labels that a model is sure of, for images that nobody annotated: self-training in two steps.

A teacher labels the unlabelled images once, each as it is and mirrored; cells where the mean of both is not sure are
255 and teach nothing (Lee 2013, "Pseudo-label"; the mirrored second opinion as in Radosavovic et al. 2018, "Data
distillation"). What comes out is a data set like any other, with the teacher in its manifest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import BACKGROUND, CLASS_NAMES, IGNORED, structure_named
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.data.reading import ImageHW, LabelsHW, load_dataset, read_image
from hipseg.data.records import Case
from hipseg.data.writing import CaseFields
from hipseg.errors import SourceError, UsageError, nearest_name
from hipseg.runtime.grid import Grid
from hipseg.runtime.segmentation import Segmentation

Progress = Callable[[int, int], None]
ProbabilitiesCHW = npt.NDArray[np.float32]


class Teacher(Protocol):
    """Whoever segments an image: a `runtime.session.Session`, or an ensemble of them."""

    def segment(self, image_HW: ImageHW) -> Segmentation:
        """One image, alone."""
        ...


@dataclass(frozen=True, slots=True)
class PseudoLabelling:
    """What counts as sure.

    Attributes:
        classes: that the teacher may label; all others stay unknown, as in any partial label.
        confidence: probability from which a cell is labelled, above 0.5 and below 1.
        view_score: images in which the teacher recognises its view less than this are left out, 0-1.

    Raises:
        UsageError: an unknown class, or a number outside its range.
    """

    classes: tuple[str, ...]
    confidence: float = 0.9
    view_score: float = 0.5

    def __post_init__(self) -> None:
        for name in self.classes:
            if name not in CLASS_NAMES[1:]:
                raise UsageError(f"unknown class '{name}'", mend=nearest_name(name, CLASS_NAMES[1:]))
        if not self.classes:
            raise UsageError("no class to label", mend="name the classes that the teacher is good at")
        if not 0.5 < self.confidence < 1:
            raise UsageError(f"a confidence of {self.confidence}", expected="above 0.5 and below 1")
        if not 0 <= self.view_score <= 1:
            raise UsageError(f"a view score of {self.view_score}", expected="0-1")


@dataclass(frozen=True, slots=True)
class PseudoLabelReport:
    """What came of it.

    Attributes:
        num_labelled: cases in the new data set.
        num_unrecognised: cases left out because the teacher does not know such a view.
        num_held_out: unlabelled cases of the splits "val" and "test", which nothing may be learnt from.
        sure: mean part of an image that was labelled, NaN without cases.
        num_showing: how many cases show each class.
    """

    num_labelled: int
    num_unrecognised: int
    num_held_out: int
    sure: float
    num_showing: dict[str, int]


def write_pseudo_labels(
    root: Path, out: Path, teacher: Teacher, settings: PseudoLabelling, *, provenance: str, progress: Progress
) -> PseudoLabelReport:
    """Labels the unlabelled training cases of a data set and writes them as a new one, all of it to train on.

    Args:
        root: the data set; its annotated cases are passed over.
        out: folder of the new one.
        teacher: who labels.
        settings: what counts as sure.
        provenance: names the teacher in the manifest.
        progress: told how many cases are done, of how many.

    Raises:
        SourceError: the data set is not valid, or has no unlabelled training case the teacher recognises.
        OutputError: the new one cannot be written.
    """
    manifest, cases = load_dataset(root)
    unlabelled = [case for case in cases if case.mask is None]
    chosen = [case for case in unlabelled if case.split == "train"]
    sure, showing = [], dict.fromkeys(settings.classes, 0)
    with DatasetWriter(out, _manifest(manifest, settings, provenance)) as writer:
        for done, case in enumerate(chosen, start=1):
            image_HW = read_image(root, case)
            labels_HW = label_image(teacher, image_HW, settings)
            if labels_HW is not None:
                _add(writer, root, case, image_HW, labels_HW)
                sure.append(float((labels_HW != IGNORED).mean()))
                for name in settings.classes:
                    showing[name] += bool((labels_HW == structure_named(name).id).any())
            progress(done, len(chosen))
        if not sure:
            writer.discard()
            raise SourceError("no unlabelled training case in which the teacher recognises its view", where=root)
    held_out = len(unlabelled) - len(chosen)
    return PseudoLabelReport(len(sure), len(chosen) - len(sure), held_out, float(np.mean(sure)), showing)


def label_image(teacher: Teacher, image_HW: ImageHW, settings: PseudoLabelling) -> LabelsHW | None:
    """Ids where the teacher is sure, 255 elsewhere; None where it does not recognise its view."""
    seen, mirrored = teacher.segment(image_HW), teacher.segment(np.ascontiguousarray(image_HW[:, ::-1]))
    if (seen.view_score + mirrored.view_score) / 2 < settings.view_score:
        return None
    probabilities_CHW = (
        on_image(seen.probabilities_CHW, seen.grid) + on_image(mirrored.probabilities_CHW, mirrored.grid)[:, :, ::-1]
    ) / 2
    ids = [structure_named(name).id for name in settings.classes]
    known_CHW = np.concatenate([1 - probabilities_CHW[ids].sum(axis=0, keepdims=True), probabilities_CHW[ids]])
    labels_HW = np.asarray(np.array([BACKGROUND, *ids], np.uint8)[known_CHW.argmax(axis=0)], np.uint8)
    labels_HW[known_CHW.max(axis=0) < settings.confidence] = IGNORED
    return labels_HW


def on_image(probabilities_CSS: ProbabilitiesCHW, grid: Grid) -> ProbabilitiesCHW:
    """Probabilities on a grid at the pixels of the image that lies on it, interpolated, float32 [C, H, W]."""
    to_grid, size_xy = grid.affine(), (grid.width, grid.height)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [cv2.warpAffine(one, to_grid, size_xy, flags=how, borderMode=cv2.BORDER_REPLICATE) for one in probabilities_CSS]
    )


def _manifest(manifest: DatasetManifest, settings: PseudoLabelling, provenance: str) -> DatasetManifest:
    return dataclasses.replace(
        manifest,
        name=f"{manifest.name}_pseudo",
        classes=settings.classes,
        merged={},
        source=f"{manifest.source}; labels made by {provenance} where it is at least {settings.confidence:g} sure, "
        f"in images with a view score from {settings.view_score:g}",
    )


def _add(writer: DatasetWriter, root: Path, case: Case, image_HW: ImageHW, labels_HW: LabelsHW) -> None:
    fields: CaseFields = {
        "device": case.device,
        "view": case.view,
        "spacing_mm": case.spacing_mm,
        "clip": case.clip,
        "time_s": case.time_s,
    }
    # The very file is kept, unless it is a clip or a kind of picture that data sets do not hold.
    is_picture = case.frame is None and case.image.lower().endswith((".png", ".jpg", ".jpeg"))
    original = (root / case.image).read_bytes() if is_picture else None
    writer.add(
        id=case.id,
        image_HW=image_HW,
        labels_HW=labels_HW,
        patient=case.patient,
        split="train",
        original=original,
        **fields,
    )
