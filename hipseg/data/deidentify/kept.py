"""Decides which part of a recording is kept: the scan, without the letters drawn into it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hipseg.data.deidentify.lettering import Box, find_lettering
from hipseg.errors import SourceError
from hipseg.frame import ScanRegion
from hipseg.io.scan_region import clipped, find_scan_region

_SMALLEST_COMMON_SHARE = 0.5
_LARGEST_BLANKED_SHARE = 0.25  # more than text ever takes: colour flow was taken for letters

Picture = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays of each frame.

    Attributes:
        region: the scan; all around it is blanked.
        blanked: boxes in it that are blanked too.
    """

    region: ScanRegion
    blanked: list[Box] = field(default_factory=list)

    def apply(self, frame: Picture, black: int = 0) -> Picture:
        """A copy of a frame, [H, W] or [H, W, 3], in which only the scan is left."""
        cleaned = np.full_like(frame, black)
        cleaned[self.region.slices] = frame[self.region.slices]
        for box in self.blanked:
            cleaned[box.y : box.y + box.height, box.x : box.x + box.width] = black
        return cleaned

    def blanked_share(self) -> float:
        """The part of the scan that is blanked, 0-1."""
        covered_HW = np.zeros((self.region.y + self.region.height, self.region.x + self.region.width), np.bool_)
        for box in self.blanked:
            covered_HW[box.y : box.y + box.height, box.x : box.x + box.width] = True
        return float(covered_HW[self.region.slices].mean())


@dataclass(slots=True)
class Survey:
    """Brightest and darkest of the frames seen, uint8 [H, W]: tissue fills the first, letters stay in the second."""

    brightest: npt.NDArray[np.uint8] | None = None
    darkest: npt.NDArray[np.uint8] | None = None

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Looks at one more frame, [H, W] or [H, W, 3]; of colours the brightest channel counts."""
        grey = frame if frame.ndim == 2 else frame.max(axis=2)
        self.brightest = grey if self.brightest is None else np.maximum(self.brightest, grey)
        self.darkest = grey if self.darkest is None else np.minimum(self.darkest, grey)


def decide(
    survey: Survey, where: str, *, declared: ScanRegion | None, given: ScanRegion | None, reviewed: bool
) -> Kept:
    """What to keep of a recording.

    Args:
        survey: of its frames.
        where: names the recording.
        declared: the scan as a DICOM header gives it.
        given: as the user gives it.
        reviewed: a person has looked: doubtful marks are kept.

    Raises:
        SourceError: it is not sure where the scan is, or whether there is text in it.
    """
    if survey.brightest is None or survey.darkest is None:
        raise SourceError("holds no frames", where=where)
    region = _region(survey.brightest, where, declared, given)
    lettering = find_lettering(survey.darkest, region)
    kept = Kept(region, lettering.rows)
    # Where text was found, a single mark beside it is no chance.
    left = find_lettering(np.asarray(kept.apply(survey.darkest), np.uint8), region) if lettering.rows else lettering
    is_doubtful = left.is_doubtful or bool(lettering.has_text and (left.has_text or left.num_doubtful))
    if is_doubtful and not reviewed:
        what = f"{left.num_doubtful} marks inside the scan may be letters"
        mend = "look at it; blank what they are with a smaller --region, or add --reviewed when they are not"
        raise SourceError(f"not sure: {what}", where=where, mend=mend)
    if kept.blanked_share() > _LARGEST_BLANKED_SHARE:
        what = "not sure: so much of the scan looks like text that little would be left"
        raise SourceError(what, where=where, mend="blank the text with a smaller --region")
    return kept


def _region(
    brightest_HW: npt.NDArray[np.uint8], where: str, declared: ScanRegion | None, given: ScanRegion | None
) -> ScanRegion:
    height, width = brightest_HW.shape
    if given is not None:
        inside = clipped(given, height, width)
        if inside is None:
            raise SourceError(f"--region lies outside its {width} x {height} pixels", where=where)
        return inside
    found = find_scan_region(brightest_HW)
    if found.origin == "full":
        mend = "give it with --region x,y,width,height"
        raise SourceError("not sure where the scan is on this screen", where=where, mend=mend)
    if declared is None:
        return found
    common = _intersection(declared, found)
    if common is None or common.width * common.height < _SMALLEST_COMMON_SHARE * declared.width * declared.height:
        mend = "give it with --region x,y,width,height"
        raise SourceError("not sure: the header's region and the picture disagree", where=where, mend=mend)
    return common


def _intersection(one: ScanRegion, other: ScanRegion) -> ScanRegion | None:
    moved = ScanRegion(other.x - one.x, other.y - one.y, other.width, other.height, "common")
    inside = clipped(moved, one.height, one.width)
    return None if inside is None else replace(inside, x=inside.x + one.x, y=inside.y + one.y)
