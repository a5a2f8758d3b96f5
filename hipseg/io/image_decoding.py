"""Image files to grey pictures.

FFmpeg decodes png, jpg and bmp: it refuses files that are cut short, where OpenCV fills the rest with grey, and it
keeps its remarks to itself. TIFF has more variants than FFmpeg knows and goes to OpenCV's libtiff.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext

from hipseg.errors import SourceError
from hipseg.io.doppler import Decoded, decoded
from hipseg.io.file_kind import FileFormat, unreadable
from hipseg.io.grey import bits_used, to_8_bit
from hipseg.io.image_header import read_image_header
from hipseg.io.picture_source import check_size
from hipseg.io.quiet import quiet_opencv

_CODECS = {FileFormat.PNG: "png", FileFormat.JPEG: "mjpeg", FileFormat.BMP: "bmp"}
_GREY_8, _GREY_16 = ("gray", "ya8"), ("gray16be", "gray16le", "ya16be", "ya16le", "gray10le", "gray12le")


class ImageDecoder:
    """Decodes the images of one clip to grey.

    Levels of more than 8 bits are shown through one window for the whole clip: from 0 to the largest number of as
    many bits as the first image needs.

    Args:
        warnings: what the user should know is added, once for a clip.
    """

    def __init__(self, warnings: list[str]) -> None:
        self._warnings = warnings
        self._bits: int | None = None
        self._warned_of_more = False

    def decode(self, path: Path, format_: FileFormat) -> Decoded:
        """The (first) picture of a file, grey and flow.

        Raises:
            SourceError: the file cannot be read or decoded, or its size is not an image's.
        """
        header = read_image_header(path, format_)
        check_size(header.height, header.width, path)
        if header.has_more and not self._warned_of_more:
            self._warned_of_more = True
            self._warnings.append("An image file holds several pictures; only its first one is used.")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise unreadable(path, error) from error
        image = _decode_tiff(content) if format_ is FileFormat.TIFF else _decode(content, _CODECS[format_])
        if image is None:
            what = f"its {format_.value} data cannot be decoded: damaged or cut short"
            raise SourceError(what, where=path, mend="copy or export it again")
        return self._grey(image)

    def _grey(self, image: npt.NDArray[Any]) -> Decoded:
        if image.dtype != np.uint8:
            if self._bits is None:
                self._bits = bits_used(image)
                white = 2**self._bits - 1
                self._warnings.append(f"Grey levels of {8 * image.itemsize} bits: 0 to {white} are shown as 8 bits.")
            image = to_8_bit(image, self._bits)
        return Decoded(image) if image.ndim == 2 else decoded(np.ascontiguousarray(image))


def _decode(content: bytes, codec: str) -> npt.NDArray[Any] | None:
    """Grey or RGB, 8 or 16 bits, [H, W] or [H, W, 3]; None when the data is damaged."""
    context = cast(VideoCodecContext, av.CodecContext.create(codec, "r"))
    context.options = {"err_detect": "explode"}
    try:
        frames = context.decode(av.Packet(content)) + context.decode(None)
    except (av.FFmpegError, ValueError):
        return None
    if not frames or frames[0].is_corrupt:
        return None
    name = frames[0].format.name
    if name in _GREY_8:
        return frames[0].to_ndarray(format="gray")
    if name in _GREY_16:
        return frames[0].to_ndarray(format="gray16le")
    is_deep = any(component.bits > 8 for component in frames[0].format.components)
    return frames[0].to_ndarray(format="rgb48le" if is_deep else "rgb24")


def _decode_tiff(content: bytes) -> npt.NDArray[Any] | None:
    with quiet_opencv():
        try:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
        except cv2.error:
            return None
    if image is None or image.dtype not in (np.uint8, np.uint16):
        return None
    return image if image.ndim == 2 else image[..., ::-1]
