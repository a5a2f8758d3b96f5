"""Image files as sources of frames: one, or a folder of them as a clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hipseg.io.doppler import Decoded
from hipseg.io.file_kind import FileFormat, format_of
from hipseg.io.image_decoding import ImageDecoder
from hipseg.io.picture_source import ClipFacts, Picture, PictureSource, frame_rate_or_default
from hipseg.io.source import SourceOptions


def open_image(path: Path, format_: FileFormat, options: SourceOptions) -> PictureSource:
    """Opens an image file as a clip of one frame.

    Raises:
        SourceError: damaged, cut short, or of a size that is not an image's.
        UsageError: an option does not fit.
    """
    warnings: list[str] = []
    decoder = ImageDecoder(warnings)
    facts = ClipFacts(source_id=path.stem, kind="image", where=path, num_frames=1, warnings=warnings)
    return PictureSource(facts, (_picture(decoder.decode(path, format_), 0.0) for _ in range(1)), options)


def open_image_folder(folder: Path, paths: Sequence[Path], options: SourceOptions) -> PictureSource:
    """Opens image files of one size as the consecutive frames of a clip.

    Args:
        folder: that holds them; names the clip.
        paths: in order.
        options: the frame rate is taken from here, else 25 Hz.

    Raises:
        SourceError: the first image is damaged; later ones raise when their turn comes.
        UsageError: an option does not fit.
    """
    warnings: list[str] = []
    rate_hz = frame_rate_or_default(None, options, warnings)
    decoder = ImageDecoder(warnings)
    pictures = (_picture(decoder.decode(path, format_of(path)), index / rate_hz) for index, path in enumerate(paths))
    facts = ClipFacts(
        source_id=folder.resolve().name,
        kind="image_folder",
        where=folder,
        num_frames=len(paths),
        frame_rate_hz=rate_hz,
        warnings=warnings,
    )
    return PictureSource(facts, pictures, options)


def _picture(image: Decoded, time_s: float) -> Picture:
    return Picture(image.image_HW, time_s, image.flow)
