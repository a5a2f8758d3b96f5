"""Where to enter the skin, at what angle, and whether the chosen needle gets to the target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.guidance.config import ReachConfig
from hipseg.guidance.flow import FlowRegion, distances_to_flow
from hipseg.guidance.geometry import Points, distances_to, segment_distances
from hipseg.guidance.structures import Scene
from hipseg.guidance.target import Target

_STEP_MM, _STEP_DEG = 1.0, 2.5
_FLOW, _BONE = "flow", "bone"
_BONE_FREE_MM = 3.0
"""The last millimetres before the target lie near the cortex, as they should."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A way to the target, in the plane of the image.

    Attributes:
        entry_mm: [2] on the skin, mostly beside the image; None when no way is clear.
        angle_deg: to the skin; None likewise.
        length_mm: needle needed from skin to target; None likewise.
        margin_mm: least distance of the way from vessels, nerve, labrum and flow; None when none is in view.
        unseen_mm: how much of the way lies outside the picture, where nothing is known.
        reachable: the chosen needle is long enough; None when no length was chosen.
        refused: why no way is suggested, in words; None when one is.
        blocked_by: names of the structures that close the ways.
    """

    entry_mm: Points | None = None
    angle_deg: float | None = None
    length_mm: float | None = None
    margin_mm: float | None = None
    unseen_mm: float | None = None
    reachable: bool | None = None
    refused: str | None = None
    blocked_by: tuple[str, ...] = ()


def suggest_way(scene: Scene, target: Target, config: ReachConfig, flow: tuple[FlowRegion, ...] = ()) -> Suggestion:
    """The straight way nearest to the preferred angle that keeps clear of all that is to be avoided.

    The skin is the top of the image and what continues it on both sides; the needle enters beside the probe, on the
    target's side. Curved probes dip below that line at their edges, so that a way over them comes out a little long.

    Args:
        scene: of the frame, with a scale.
        target: with a known side.
        config: the needle and what is kept clear.
        flow: known so far.
    """
    if target.side is None:
        return Suggestion(refused="the side of the needle is not known")
    ways = list(_ways(scene, target, target.side, config))
    if not ways:
        return Suggestion(refused="no angle in range enters beside the probe")
    tried = _judged(scene, target, ways, config, flow)
    clear = [one for one in tried if not one.blocked_by]
    reachable = [one for one in clear if one.reachable is not False]
    if reachable:
        return min(reachable, key=lambda one: abs((one.angle_deg or 0) - config.preferred_angle_deg))
    if clear:
        shortest = min(clear, key=lambda one: one.length_mm or math.inf)
        return Suggestion(
            length_mm=shortest.length_mm,
            reachable=False,
            refused=f"a needle of {shortest.length_mm:.0f} mm is needed, the chosen one has {config.length_mm:g} mm",
        )
    names = tuple(sorted({name for one in tried for name in one.blocked_by}))
    return Suggestion(refused=f"every way is closed by {', '.join(names).replace('_', ' ')}", blocked_by=names)


@dataclass(frozen=True, slots=True)
class _Way:
    """A straight way and the part of it [n, 2] that lies in the picture; n is at least 1, the target's end."""

    angle_deg: float
    entry_mm: Points
    length_mm: float
    seen_mm: Points


def _ways(scene: Scene, target: Target, side: int, config: ReachConfig) -> Iterator[_Way]:
    """Straight ways at every angle in range whose entry lies beside the probe."""
    width_mm = float(scene.plane.size_mm[0])
    for angle_deg in np.arange(config.min_angle_deg, config.max_angle_deg + 1e-6, _STEP_DEG):
        beside_mm = target.point_mm[1] / math.tan(math.radians(angle_deg))
        entry = np.array([target.point_mm[0] + side * beside_mm, 0.0])
        free_mm = entry[0] - width_mm if side > 0 else -entry[0]
        if free_mm < config.beside_probe_mm:
            continue
        length_mm = float(np.hypot(*(target.point_mm - entry)))
        shares = np.linspace(1, 0, max(math.ceil(length_mm / _STEP_MM), 2))[:, None]
        points = entry + shares * (target.point_mm - entry)
        seen = np.all((points >= 0) & (points <= scene.plane.size_mm), axis=1)
        seen[0] = True
        yield _Way(float(angle_deg), entry, length_mm, points[seen])


def _judged(
    scene: Scene, target: Target, ways: list[_Way], config: ReachConfig, flow: tuple[FlowRegion, ...]
) -> list[Suggestion]:
    """Each way with its margins and what closes it; all points are measured at once."""
    points = np.concatenate([way.seen_mm for way in ways])
    firsts = np.cumsum([0, *(len(way.seen_mm) for way in ways[:-1])])
    margins = {
        name: (found, least_mm + config.radius_mm)
        for name, found, least_mm in _margins(scene, ways, points, firsts, config, flow)
    }
    in_bone = scene.inside(points, anatomy.BONES) & (np.hypot(*(points - target.point_mm).T) > _BONE_FREE_MM)
    bony = np.logical_or.reduceat(in_bone, firsts)
    return [
        Suggestion(
            entry_mm=way.entry_mm,
            angle_deg=way.angle_deg,
            length_mm=way.length_mm,
            margin_mm=min((float(found[k]) for found, _ in margins.values()), default=None),
            unseen_mm=max(way.length_mm - len(way.seen_mm) * _STEP_MM, 0.0),
            reachable=None if config.length_mm is None else way.length_mm <= config.length_mm,
            blocked_by=tuple(sorted([name for name, (found, least_mm) in margins.items() if found[k] < least_mm]
                                    + [_BONE] * bool(bony[k]))),
        )
        for k, way in enumerate(ways)
    ]  # fmt: skip


_Indices = npt.NDArray[np.intp]


def _margins(
    scene: Scene,
    ways: list[_Way],
    points_mm: Points,
    firsts: _Indices,
    config: ReachConfig,
    flow: tuple[FlowRegion, ...],
) -> Iterator[tuple[str, npt.NDArray[np.float64], float]]:
    """Each structure to be avoided: its signed distance from every way, and how far it must be.

    `points_mm` are those of all ways, one after another; each way's begin at its place in `firsts`.
    """
    allowed = {
        anatomy.FEMORAL_ARTERY: config.clearance_mm,
        anatomy.FEMORAL_VEIN: config.clearance_mm,
        anatomy.FEMORAL_NERVE: config.nerve_mm,
        anatomy.LABRUM: config.labrum_mm,
    }
    for class_id, least_mm in allowed.items():
        found = _margin_of(scene, ways, points_mm, firsts, class_id)
        if found is not None:
            yield anatomy.STRUCTURES[class_id].name, found, least_mm
    if flow:
        yield _FLOW, np.minimum.reduceat(distances_to_flow(points_mm, flow), firsts), config.clearance_mm


def _margin_of(
    scene: Scene, ways: list[_Way], points_mm: Points, firsts: _Indices, class_id: int
) -> npt.NDArray[np.float64] | None:
    """Distance of a structure from each way; of one that goes through it, how deep inside it comes, negative."""
    surface = scene.surface(class_id)
    if surface is None or not len(surface.outline_mm):
        return None
    starts, ends = (np.array([way.seen_mm[end] for way in ways]) for end in (0, -1))
    beside_mm = segment_distances(starts, ends, surface.outline_mm)
    inside = scene.inside(points_mm, (class_id,))
    if not inside.any():
        return beside_mm
    depths_mm = np.zeros(len(points_mm))
    depths_mm[inside] = distances_to(points_mm[inside], surface.outline_mm)
    deepest_mm = np.maximum.reduceat(depths_mm, firsts)
    return np.where(np.logical_or.reduceat(inside, firsts), -deepest_mm, beside_mm)
