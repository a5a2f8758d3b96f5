"""Single frames of clips that are kept as they came."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from hipseg.errors import SourceError
from hipseg.frame import Frame, ImageHW
from hipseg.io.open import open_source
from hipseg.io.source import SourceInfo, SourceOptions

CLIP_OPTIONS = SourceOptions(region="full", force=True)
"""A clip of a data set was chosen by someone: whether its header says ultrasound no longer matters."""

_MAX_OPEN = 4
_KEPT_BYTES = 64 * 2**20


class OpenClip:
    """A clip that hands out frames by index: going on is cheap, going back begins anew unless the frame is kept.

    Decoders run forwards only. The last frames (64 MiB of them) are kept, so that a reader that jumps about in a
    short clip decodes it once.

    Raises:
        SourceError: the clip cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: OrderedDict[int, ImageHW] = OrderedDict()
        self._begin()

    def _begin(self) -> None:
        self._source = open_source(str(self._path), CLIP_OPTIONS)
        self._frames: Iterator[Frame] = self._source.frames()
        self._next = 0

    @property
    def info(self) -> SourceInfo:
        """What is known of the clip."""
        return self._source.info

    def frame(self, index: int) -> ImageHW:
        """Frame `index`, grey uint8 [H, W]. Raises SourceError when there is none or it is damaged."""
        if index not in self._kept:
            if index < self._next:
                self.close()
                self._begin()
            while self._next <= index:
                self._decode_next(index)
        return self._kept[index]

    def _decode_next(self, wanted: int) -> None:
        frame = next(self._frames, None)
        if frame is None:
            expected = f"one of its {self._next} frames"
            raise SourceError(f"has no frame {wanted}", where=self._path, expected=expected)
        self._kept[self._next] = frame.image_HW
        self._next += 1
        if len(self._kept) * frame.image_HW.nbytes > _KEPT_BYTES and len(self._kept) > 1:
            self._kept.popitem(last=False)

    def close(self) -> None:
        """Lets go of the file; may be called twice."""
        self._source.close()


# By process: a forked one would share the position in its parent's open files. What it inherits it neither uses nor
# lets go of, for closing a video waits for decoder threads that were not forked along.
_open: dict[int, OrderedDict[tuple[str, int], OpenClip]] = {}
_one_at_a_time = threading.Lock()


def read_clip_frame(path: Path, index: int) -> ImageHW:
    """One frame of a clip, grey uint8 [H, W]; the last clips stay open. Threads may share them.

    Raises:
        SourceError: the clip is missing, damaged, or has no such frame.
    """
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", where=path) from error
    with _one_at_a_time:
        return _kept_open(path, changed_ns).frame(index)


def _kept_open(path: Path, changed_ns: int) -> OpenClip:
    own = _open.setdefault(os.getpid(), OrderedDict())
    key = (str(path), changed_ns)
    if key not in own:
        own[key] = OpenClip(path)
        while len(own) > _MAX_OPEN:
            own.popitem(last=False)[1].close()
    own.move_to_end(key)
    return own[key]
