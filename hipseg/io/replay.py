"""A recording as a live source: its frames at their own pace. The live source that everyone can try."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator

from hipseg.errors import UsageError
from hipseg.frame import Frame
from hipseg.io.picture_source import DEFAULT_FRAME_RATE_HZ
from hipseg.io.source import Source, SourceInfo, SourceOptions

REPLAY_PREFIX = "replay:"


class ReplaySource:
    """Plays an open recording in real time (see `hipseg.io.source.Source`).

    Args:
        open_recording: opens it; called again for each round when it is looped.
        loop: begin again at the end. Times and numbers of frames go on; each round has a `source_id` of its own,
            since its first frame does not follow the last one.
        clock, sleep: seconds, monotonic.
    """

    def __init__(
        self,
        open_recording: Callable[[], Source],
        *,
        loop: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._open, self._loop, self._clock, self._sleep = open_recording, loop, clock, sleep
        self._recording: Source | None = open_recording()
        recorded = self._recording.info
        self.info: SourceInfo = dataclasses.replace(
            recorded, kind="replay", is_live=True, num_frames=None if loop else recorded.num_frames
        )

    def frames(self) -> Iterator[Frame]:
        """Every frame when its time has come; at once where reading it took longer. Raises SourceError."""
        start_s = self._clock()
        for index, (frame, time_s) in enumerate(self._endless() if self._loop else self._round(0.0)):
            self._sleep(max(0.0, start_s + time_s - self._clock()))
            yield dataclasses.replace(frame, index=index, time_s=time_s, taken_s=self._clock())

    def _endless(self) -> Iterator[tuple[Frame, float]]:
        """Round after round, one frame's time between the last frame and the next first one."""
        step_s = 1 / (self.info.frame_rate_hz or DEFAULT_FRAME_RATE_HZ)
        offset_s = 0.0
        for number in itertools.count(1):
            for frame, time_s in self._round(offset_s):
                name = frame.source_id if number == 1 else f"{frame.source_id} ({number})"
                yield dataclasses.replace(frame, source_id=name), time_s
                offset_s = time_s + step_s
            self._recording = self._open()

    def _round(self, offset_s: float) -> Iterator[tuple[Frame, float]]:
        recording = self._recording
        if recording is None:
            return
        begin_s = offset_s
        try:
            for frame in recording.frames():
                yield frame, begin_s + frame.time_s
        finally:
            recording.close()

    def close(self) -> None:
        """Lets go of the recording; may be called twice."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()


def open_replay(spec: str, options: SourceOptions, open_recording: Callable[[str, SourceOptions], Source]) -> Source:
    """Opens "replay:FILE".

    Raises:
        SourceError: the recording cannot be read.
        UsageError: no file is named, or it is a live source itself.
    """
    name = spec.removeprefix(REPLAY_PREFIX)
    expected = "replay:FILE with a DICOM clip, a video or a folder of images"
    if not name.strip():
        raise UsageError("no recording is named", where="source", expected=expected)
    return ReplaySource(lambda: open_recording(name, options), loop=options.loop)
