"""The table of corruptions: five grades each, in a physical unit, from hardly noticed to hardly usable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hipseg.errors import UsageError, nearest_name
from hipseg.evaluation.robustness import appearance, geometry, occlusion
from hipseg.evaluation.robustness.scene import Scene

NUM_GRADES = 5

Change = Callable[[Scene, float, np.random.Generator], Scene]


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way in which images go bad.

    Attributes:
        name: as users call it.
        unit: of the numbers in `grades`, in words.
        grades: `NUM_GRADES` strengths, mildest first.
        change: makes the corrupted scene of a scene, a strength and a generator. None for frame drops, which act
            between the frames of a clip and not on one.
        moves: the anatomy changes its place in the picture.
    """

    name: str
    unit: str
    grades: tuple[float, ...]
    change: Change | None
    moves: bool = False


CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption("gain", "dB up or down", (3, 6, 9, 12, 15), appearance.gain),
    Corruption("speckle", "speckle contrast added", (0.1, 0.2, 0.3, 0.4, 0.52), appearance.speckle),
    Corruption("blur", "mm sigma across the beam", (0.2, 0.4, 0.7, 1.0, 1.5), appearance.blur),
    Corruption("contrast", "share of the contrast kept", (0.8, 0.6, 0.45, 0.3, 0.2), appearance.contrast),
    Corruption("compression", "JPEG quality", (50, 30, 15, 8, 4), appearance.compression),
    Corruption("depth", "times the depth", (1.15, 1.3, 1.5, 1.75, 2.0), geometry.depth, moves=True),
    Corruption("crop", "share of each side lost", (0.1, 0.2, 0.3, 0.4, 0.5), geometry.crop, moves=True),
    Corruption("furniture", "marks drawn over it", (1, 3, 6, 10, 16), occlusion.furniture),
    Corruption("frame_drops", "share of frames dropped", (0.1, 0.25, 0.5, 0.7, 0.85), None),
    Corruption("lost_contact", "share of the lines lost", (0.1, 0.2, 0.3, 0.4, 0.5), occlusion.lost_contact),
    Corruption("motion", "mm along the beam in a frame", (1, 2, 4, 6, 9), geometry.motion, moves=True),
)


def corruption_named(name: str) -> Corruption:
    """The corruption of a name. Raises UsageError for an unknown one."""
    known = {corruption.name: corruption for corruption in CORRUPTIONS}
    if name not in known:
        raise UsageError(f"unknown corruption '{name}'", where="--corruptions", mend=nearest_name(name, known))
    return known[name]


def corrupted(scene: Scene, corruption: Corruption, grade: int, *, case: str, seed: int) -> Scene:
    """The scene at one grade; the same for the same case and seed, whatever else is computed.

    Args:
        scene: the clean one.
        corruption: one that acts on single images.
        grade: 1 to `NUM_GRADES`; 0 is the clean scene itself.
        case: its id; chance (which side, which sign, where a mark lies) is the case's own and the same at all grades.
        seed: of the whole benchmark.
    """
    if grade == 0:
        return scene
    assert corruption.change is not None, f"{corruption.name} acts on clips"
    key = [seed, *corruption.name.encode(), *case.encode()]
    return corruption.change(scene, corruption.grades[grade - 1], np.random.default_rng(key))


def shown_frames(num_frames: int, dropped_share: float, *, clip: str, seed: int) -> list[int]:
    """Which frame a viewer sees at each time when frames are dropped: the last one that arrived.

    Args:
        num_frames: of the clip.
        dropped_share: probability that a frame does not arrive, 0-1; the first always does.
        clip: its id; a frame dropped at one share is dropped at every higher one too.
        seed: of the whole benchmark.
    """
    luck = np.random.default_rng([seed, *clip.encode()]).random(num_frames)
    arrived = luck >= dropped_share
    arrived[:1] = True
    return [int(index) for index in np.maximum.accumulate(np.where(arrived, np.arange(num_frames), 0))]
