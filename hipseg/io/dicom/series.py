"""Single DICOM images of one series as the frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pydicom.dataset import Dataset

from hipseg.errors import SourceError
from hipseg.io.dicom.file import DicomFile, open_dicom_file
from hipseg.io.dicom.pixel_format import PixelFormat, read_pixel_format
from hipseg.io.dicom.region import Calibration, read_calibration
from hipseg.io.dicom.source import check_ultrasound, decoded_images
from hipseg.io.dicom.values import number_of, text_of
from hipseg.io.picture_source import ClipFacts, Picture, PictureSource, frame_rate_or_default, is_plausible_rate
from hipseg.io.source import SourceOptions


@dataclass(frozen=True, slots=True)
class SeriesImage:
    """A single-frame image, by what decides where it belongs.

    Attributes:
        path: of the file.
        look: series, size and scale; images that agree in all of it are frames of one clip.
        order: instance number, acquisition time and file name.
        time_s: of acquisition, seconds of the day, None when it is not told.
    """

    path: Path
    look: tuple[object, ...]
    order: tuple[float, float, str]
    time_s: float | None


def read_series_image(path: Path) -> SeriesImage | None:
    """A file as a frame of its series; None for a clip of its own, a file without series, or a damaged one."""
    try:
        file = open_dicom_file(path)
    except SourceError:
        return None
    try:
        format_ = read_pixel_format(file)
    except SourceError:
        return None
    finally:
        file.close()
    series_uid = text_of(file.header, "SeriesInstanceUID")
    if format_.num_frames > 1 or not series_uid:
        return None
    calibration = read_calibration(file.header, format_.rows, format_.columns, [])
    time_s = _acquisition_time(file.header)
    number = number_of(file.header, "InstanceNumber")
    order = (number if number is not None else float("inf"), time_s or 0.0, path.name)
    return SeriesImage(path, (series_uid, format_.rows, format_.columns, calibration), order, time_s)


def _acquisition_time(header: Dataset) -> float | None:
    """HHMMSS.FFFFFF (PS3.5 TM) as seconds of the day."""
    text = text_of(header, "AcquisitionTime") or text_of(header, "AcquisitionDateTime")[8:]
    digits = text.replace(":", "")
    if not digits[:6].isdecimal() or len(digits) < 6:
        return None
    fraction = digits[6:].split("+")[0].split("-")[0]
    is_fraction = fraction.startswith(".") and fraction[1:].isdecimal()
    seconds = float(digits[4:6]) + (float(fraction) if is_fraction else 0.0)
    return int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + seconds


def open_dicom_series(folder: Path, images: Sequence[SeriesImage], options: SourceOptions) -> PictureSource:
    """Opens the images of one series, in order, as a clip.

    Times are those of acquisition where each image tells its own and they go on, else a constant rate.

    Args:
        folder: that holds them; names the clip.
        images: of one look, at least one.
        options: as for any source.

    Raises:
        SourceError: the first image is damaged or not ultrasound; later ones raise when their turn comes.
        UsageError: an option does not fit.
    """
    warnings: list[str] = []
    times_s = _times([image.time_s for image in images], options, warnings)
    first, format_ = _open(images[0].path, options)
    first.close()
    calibration = read_calibration(first.header, format_.rows, format_.columns, warnings)
    facts = ClipFacts(
        source_id=folder.resolve().name,
        kind="dicom_series",
        where=folder,
        num_frames=len(images),
        frame_rate_hz=(len(times_s) - 1) / (times_s[-1] - times_s[0]) if len(times_s) > 1 else None,
        spacing=calibration.spacing,
        region=calibration.region,
        warnings=warnings,
    )
    pictures = _pictures([image.path for image in images], times_s, calibration, options, warnings)
    return PictureSource(facts, pictures, options)


def _times(acquired_s: Sequence[float | None], options: SourceOptions, warnings: list[str]) -> list[float]:
    known_s = [time_s for time_s in acquired_s if time_s is not None]
    steps_s = [later - earlier for earlier, later in pairwise(known_s)]
    is_clock = len(known_s) == len(acquired_s) and all(step > 0 and is_plausible_rate(1 / step) for step in steps_s)
    if is_clock and options.frame_rate_hz is None:
        return known_s
    rate_hz = frame_rate_or_default(None, options, warnings)
    return [index / rate_hz for index in range(len(acquired_s))]


def _open(path: Path, options: SourceOptions) -> tuple[DicomFile, PixelFormat]:
    file = open_dicom_file(path)
    try:
        check_ultrasound(file, options)
        return file, read_pixel_format(file)
    except BaseException:
        file.close()
        raise


def _pictures(
    paths: Sequence[Path],
    times_s: Sequence[float],
    calibration: Calibration,
    options: SourceOptions,
    warnings: list[str],
) -> Iterator[Picture]:
    for index, (path, time_s) in enumerate(zip(paths, times_s, strict=True)):
        file, format_ = _open(path, options)
        # A remark about one file holds for its siblings: it is made once.
        remarks: list[str] = [] if index else warnings
        try:
            if read_calibration(file.header, format_.rows, format_.columns, []) != calibration:
                raise SourceError("its scale differs from that of the series' first image", where=path)
            image = next(decoded_images(file, format_, remarks))
            yield Picture(image.image_HW, time_s, image.flow)
        finally:
            file.close()
