"""When the frames of a clip were taken."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pydicom.dataset import Dataset

from hipseg.io.dicom.values import number_of, numbers_of, value_of
from hipseg.io.picture_source import frame_rate_or_default, is_plausible_rate
from hipseg.io.source import SourceOptions

_MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """The time base of a clip.

    Attributes:
        rate_hz: nominal.
        times_s: of each frame from the first one; empty for a constant rate.
    """

    rate_hz: float
    times_s: tuple[float, ...] = ()

    def time_s(self, index: int) -> float:
        """The time of a frame."""
        return self.times_s[index] if index < len(self.times_s) else index / self.rate_hz


def read_frame_times(header: Dataset, num_frames: int, options: SourceOptions, warnings: list[str]) -> FrameTimes:
    """The user's rate, else FrameTimeVector, FrameTime (PS3.3 C.7.6.5), CineRate or the recommended display rate.

    A value that cannot be true is passed over with a warning.

    Raises:
        UsageError: the user's rate is not possible.
    """
    if options.frame_rate_hz is None and num_frames > 1:
        times_s = _vector(header, num_frames, warnings)
        if times_s:
            intervals_s = [later - earlier for earlier, later in pairwise(times_s)]
            return FrameTimes(1 / median(intervals_s), tuple(times_s))
    rate_hz = None if options.frame_rate_hz is not None else _constant_rate(header, warnings)
    return FrameTimes(frame_rate_or_default(rate_hz, options, warnings))


def _vector(header: Dataset, num_frames: int, warnings: list[str]) -> list[float]:
    """Times from FrameTimeVector: intervals in ms, the first of which counts for nothing."""
    if value_of(header, "FrameTimeVector") is None:
        return []
    intervals_ms = numbers_of(header, "FrameTimeVector")[1:num_frames]
    if len(intervals_ms) < num_frames - 1:
        warnings.append("FrameTimeVector does not hold a time for every frame and was left out.")
        return []
    if not all(interval > 0 and is_plausible_rate(_MS_PER_S / interval) for interval in intervals_ms):
        warnings.append("FrameTimeVector holds intervals that are not possible and was left out.")
        return []
    times_s = [0.0]
    for interval_ms in intervals_ms:
        times_s.append(times_s[-1] + interval_ms / _MS_PER_S)
    return times_s


def _constant_rate(header: Dataset, warnings: list[str]) -> float | None:
    frame_time_ms = number_of(header, "FrameTime")
    candidates = (
        ("FrameTime", _MS_PER_S / frame_time_ms if frame_time_ms else frame_time_ms),
        ("CineRate", number_of(header, "CineRate")),
        ("RecommendedDisplayFrameRate", number_of(header, "RecommendedDisplayFrameRate")),
    )
    for keyword, rate_hz in candidates:
        if rate_hz is not None and is_plausible_rate(rate_hz):
            return rate_hz
        if value_of(header, keyword) is not None:
            warnings.append(f"{keyword} is not possible and was left out.")
    return None
