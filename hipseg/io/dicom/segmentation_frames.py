"""Which frame of a segmentation shows which structure of which source frame (PS3.3 C.7.6.16 and C.7.6.17)."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from hipseg.anatomy import Code
from hipseg.io.dicom.references import ReferencedClip, ReferencedImage
from hipseg.io.dicom.segments import code_item

_SEGMENTATION = Code("113076", "DCM", "Segmentation")
_SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")


def add_functional_groups(dataset: Dataset, clip: ReferencedClip, frames: Sequence[tuple[int, int]]) -> None:
    """Describes each frame by its source frame (from 0) and segment number (from 1), both as dimensions."""
    organization = generate_uid(prefix=None)
    dataset.NumberOfFrames = len(frames)
    dataset.DimensionOrganizationSequence = [Dataset()]
    dataset.DimensionOrganizationSequence[0].DimensionOrganizationUID = organization
    dataset.DimensionIndexSequence = [
        _dimension(organization, "ReferencedSegmentNumber", "SegmentIdentificationSequence"),
        _dimension(organization, "TemporalPositionIndex", "FrameContentSequence"),
    ]
    dataset.SharedFunctionalGroupsSequence = [Dataset()]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame_item(clip.images[index], index + 1, segment) for index, segment in frames
    ]


def _dimension(organization: str, pointer: str, group: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organization
    item.DimensionIndexPointer, item.FunctionalGroupPointer = Tag(pointer), Tag(group)
    item.DimensionDescriptionLabel = pointer
    return item


def _frame_item(image: ReferencedImage, position: int, segment: int) -> Dataset:
    content, identification, derivation, item = Dataset(), Dataset(), Dataset(), Dataset()
    content.DimensionIndexValues = [segment, position]
    content.TemporalPositionIndex = position
    identification.ReferencedSegmentNumber = segment
    derivation.DerivationCodeSequence = [code_item(_SEGMENTATION)]
    derivation.SourceImageSequence = [_source_item(image)]
    item.FrameContentSequence = [content]
    item.SegmentIdentificationSequence = [identification]
    item.DerivationImageSequence = [derivation]
    return item


def _source_item(image: ReferencedImage) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.sop_class, image.instance
    if image.frame_number is not None:
        item.ReferencedFrameNumber = image.frame_number
    item.PurposeOfReferenceCodeSequence = [code_item(_SOURCE_IMAGE)]
    item.SpatialLocationsPreserved = "YES"
    return item


def common_references(clip: ReferencedClip) -> list[Dataset]:
    """The source's series and its instances, each once (PS3.3 C.12.2)."""
    series = Dataset()
    series.SeriesInstanceUID = clip.series
    series.ReferencedInstanceSequence = []
    for sop_class, instance in dict.fromkeys((image.sop_class, image.instance) for image in clip.images):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        series.ReferencedInstanceSequence.append(item)
    return [series]
