"""A DICOM image or clip as a source of frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hipseg.errors import SourceError
from hipseg.frame import ImageHW
from hipseg.io.dicom.decoding import grey_frames
from hipseg.io.dicom.file import DicomFile, open_dicom_file
from hipseg.io.dicom.pixel_format import PixelFormat, read_pixel_format
from hipseg.io.dicom.region import read_calibration
from hipseg.io.dicom.timing import read_frame_times
from hipseg.io.dicom.values import text_of
from hipseg.io.dicom.video import is_video, video_frames
from hipseg.io.doppler import Decoded
from hipseg.io.picture_source import ClipFacts, Picture, PictureSource
from hipseg.io.source import SourceOptions

ULTRASOUND_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.3": "multi-frame, retired",
    "1.2.840.10008.5.1.4.1.1.3.1": "multi-frame",
    "1.2.840.10008.5.1.4.1.1.6": "single frame, retired",
    "1.2.840.10008.5.1.4.1.1.6.1": "single frame",
}
_ULTRASOUND_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"


def open_dicom(path: Path, options: SourceOptions) -> PictureSource:
    """Opens a DICOM file.

    Raises:
        SourceError: damaged, not ultrasound (unless forced), without pixel data, or not decodable.
        UsageError: an option does not fit.
    """
    file = open_dicom_file(path)
    try:
        check_ultrasound(file, options)
        format_ = read_pixel_format(file)
        return PictureSource(*_describe(file, format_, options), options, release=file.close)
    except BaseException:
        file.close()
        raise


def _describe(file: DicomFile, format_: PixelFormat, options: SourceOptions) -> tuple[ClipFacts, Iterator[Picture]]:
    warnings: list[str] = []
    is_clip = format_.num_frames > 1
    times = read_frame_times(file.header, format_.num_frames, options, warnings) if is_clip else None
    calibration = read_calibration(file.header, format_.rows, format_.columns, warnings)
    facts = ClipFacts(
        source_id=file.path.stem,
        kind="dicom",
        where=file.path,
        num_frames=format_.num_frames,
        frame_rate_hz=times.rate_hz if times else None,
        spacing=calibration.spacing,
        region=calibration.region,
        warnings=warnings,
    )
    images = decoded_images(file, format_, warnings)
    pictures = (
        Picture(image.image_HW, times.time_s(index) if times else 0.0, image.flow) for index, image in enumerate(images)
    )
    return facts, pictures


def dicom_images(file: DicomFile, format_: PixelFormat, warnings: list[str]) -> Iterator[ImageHW]:
    """The frames of a file in grey, uint8 [H, W], decoded one by one. Raises SourceError where the data breaks."""
    return (image.image_HW for image in decoded_images(file, format_, warnings))


def decoded_images(file: DicomFile, format_: PixelFormat, warnings: list[str]) -> Iterator[Decoded]:
    """The frames of a file in grey with their colour flow, one by one. Raises SourceError where the data breaks."""
    decode = video_frames if is_video(file) else grey_frames
    return decode(file, format_, warnings)


def check_ultrasound(file: DicomFile, options: SourceOptions) -> None:
    """Raises SourceError for an image that does not declare itself ultrasound, unless the user forces it.

    Screens captured from an ultrasound machine (Secondary Capture, video) name the modality US.
    """
    sop_class, modality = text_of(file.header, "SOPClassUID"), text_of(file.header, "Modality").upper()
    if options.force or sop_class in ULTRASOUND_CLASSES:
        return
    if sop_class == _ULTRASOUND_VOLUME:
        raise SourceError("a 3-D ultrasound volume", where=file.path, expected="2-D images or clips")
    if modality == "US":
        return
    found = f"modality {modality}" if modality.isalnum() else "no modality given"
    mend = "use --force if it is ultrasound all the same"
    raise SourceError(f"not ultrasound ({found})", where=file.path, expected="an ultrasound image or clip", mend=mend)
