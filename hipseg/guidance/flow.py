"""Flow seen by colour Doppler: where it was, remembered and moved with the tissue, to be avoided by the needle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.guidance.config import FlowConfig
from hipseg.guidance.geometry import Points, distances_to, is_inside, occupied_labels
from hipseg.guidance.structures import Scene
from hipseg.runtime.grid import Grid

_MOST_REGIONS = 24
_SAME_BEAT_S = 1.5
"""Flow is widest in systole: a wider outline of the last heartbeats stands for the vessel."""


@dataclass(frozen=True, slots=True)
class FlowPicture:
    """Colour Doppler of one frame on the occupied cells of the network's grid.

    Attributes:
        cells_HW: whether a cell shows flow.
        note: what is said of the colour map: decoded from the bar, or assumed.
    """

    cells_HW: npt.NDArray[np.bool_]
    note: str


def flow_on_grid(velocity_HW: npt.NDArray[np.int8], grid: Grid, note: str) -> FlowPicture:
    """A scan region's flow [H, W], 0 where there is none, on the occupied cells of a grid."""
    return FlowPicture(occupied_labels((velocity_HW != 0).astype(np.uint8), grid) > 0, note)


@dataclass(frozen=True, slots=True)
class FlowRegion:
    """One connected area of flow, as it lies in this frame.

    Attributes:
        outline_mm: points [n, 2] around it, in order.
        area_mm2: of it.
        age_s: since it was last seen; 0 while Doppler shows it.
        sigma_mm: doubt about where it is by now.
        in_vessel: share of it that the B-mode network knows as artery or vein, 0-1, when it was last seen.
        on_path: the needle's path, or the suggested one without a needle, comes too near.
    """

    outline_mm: Points
    area_mm2: float
    age_s: float
    sigma_mm: float
    in_vessel: float
    on_path: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """A region where it lies now, when it was seen, and how far the tissue has gone since."""

    outline_mm: Points
    area_mm2: float
    in_vessel: float
    seen_s: float
    walked_mm: float = 0.0

    def moved(self, tissue_mm: Points) -> _Seen:
        walked_mm = self.walked_mm + float(np.hypot(*tissue_mm))
        return replace(self, outline_mm=self.outline_mm + tissue_mm, walked_mm=walked_mm)


class FlowMemory:
    """Remembers flow for the needle phase, when Doppler is off; one `step` a frame, in order of time."""

    def __init__(self, config: FlowConfig) -> None:
        self._config = config
        self._seen: list[_Seen] = []
        self._time_s = -np.inf

    def step(
        self, picture: FlowPicture | None, scene: Scene, tissue_mm: Points | None, time_s: float
    ) -> tuple[FlowRegion, ...]:
        """Takes a frame and answers with every area of flow known by now.

        Args:
            picture: flow in it; None while Doppler is off.
            scene: of the frame, with a scale.
            tissue_mm: [2] how far the tissue has moved since the frame before; None: not known, taken for still.
            time_s: of the frame; one that runs backwards is another clip.
        """
        if time_s < self._time_s:
            self._seen = []
        self._time_s = time_s
        if tissue_mm is not None:
            self._seen = [one.moved(tissue_mm) for one in self._seen]
        self._seen = [one for one in self._seen if time_s - one.seen_s <= self._config.remember_s]
        if picture is not None:
            self._take_in(self._regions(picture, scene, time_s), time_s)
        return tuple(self._known(one, time_s) for one in self._seen)

    def _regions(self, picture: FlowPicture, scene: Scene, time_s: float) -> list[_Seen]:
        if picture.cells_HW.shape != scene.labels_HW.shape:
            return []
        kernel = np.ones((3, 3), np.uint8)
        whole = cv2.morphologyEx(picture.cells_HW.view(np.uint8), cv2.MORPH_CLOSE, kernel)
        contours, _ = cv2.findContours(cv2.morphologyEx(whole, cv2.MORPH_OPEN, kernel), cv2.RETR_EXTERNAL,
                                       cv2.CHAIN_APPROX_NONE)  # fmt: skip
        regions = [self._region(contour[:, 0].astype(np.float64), scene, time_s) for contour in contours]
        large = [one for one in regions if one.area_mm2 >= self._config.min_area_mm2]
        return sorted(large, key=lambda one: -one.area_mm2)[:_MOST_REGIONS]

    def _region(self, cells_xy: Points, scene: Scene, time_s: float) -> _Seen:
        """The outline runs through the outermost cells' centres: half a cell around them belongs to the flow too."""
        outline_mm = scene.plane.from_cells(cells_xy)
        perimeter_cells = len(cells_xy)
        area_cells = abs(float(cv2.contourArea(np.asarray(cells_xy, np.float32)))) + perimeter_cells / 2 + 1
        in_vessel = float(np.mean(scene.inside(outline_mm, anatomy.VESSELS)))
        return _Seen(outline_mm, area_cells * scene.plane.cell_area_mm2, in_vessel, time_s)

    def _take_in(self, regions: list[_Seen], time_s: float) -> None:
        """New regions take the place of those they cover; a wider one of the last heartbeats stays."""
        for region in regions:
            covered = [one for one in self._seen if _overlap(one, region)]
            recent = [one for one in covered if time_s - one.seen_s <= _SAME_BEAT_S]
            widest = max([*recent, region], key=lambda one: one.area_mm2)
            self._seen = [one for one in self._seen if not any(one is other for other in covered)]
            self._seen.append(replace(widest, seen_s=time_s, walked_mm=0.0))
        self._seen = sorted(self._seen, key=lambda one: -one.seen_s)[:_MOST_REGIONS]

    def _known(self, one: _Seen, time_s: float) -> FlowRegion:
        sigma_mm = float(np.hypot(self._config.sigma_mm, self._config.drift_share * one.walked_mm))
        return FlowRegion(one.outline_mm, one.area_mm2, time_s - one.seen_s, sigma_mm, one.in_vessel)


def _overlap(one: _Seen, other: _Seen) -> bool:
    """Whether the middle of either lies in the other."""
    return _holds(other, one.outline_mm.mean(axis=0)) or _holds(one, other.outline_mm.mean(axis=0))


def _holds(region: _Seen, point_mm: Points) -> bool:
    x, y = point_mm.tolist()
    return cv2.pointPolygonTest(region.outline_mm.astype(np.float32), (x, y), False) > 0


def distances_to_flow(points_mm: Points, regions: tuple[FlowRegion, ...]) -> npt.NDArray[np.float64]:
    """Signed distance [n] of points to the nearest flow, negative inside; infinite without any."""
    nearest = np.full(len(points_mm), np.inf)
    for region in regions:
        distances = distances_to(points_mm, region.outline_mm)
        nearest = np.minimum(nearest, np.where(is_inside(points_mm, region.outline_mm), -distances, distances))
    return nearest


def marked_on_path(
    regions: tuple[FlowRegion, ...], path_mm: Points | None, config: FlowConfig
) -> tuple[FlowRegion, ...]:
    """The regions, those near a path [n, 2] marked."""
    if path_mm is None or not regions:
        return regions
    near = [float(distances_to_flow(path_mm, (region,)).min()) <= config.on_path_mm for region in regions]
    return tuple(replace(region, on_path=on_path) for region, on_path in zip(regions, near, strict=True))


def share_of_cells(picture: FlowPicture | None, cells_HW: npt.NDArray[np.bool_] | None) -> float | None:
    """Share of a structure's cells with flow; None without Doppler, or where its box may not cover the structure.

    Where the box lies is not known: flow on both sides of the structure's middle shows that it was looked at.
    """
    if picture is None or cells_HW is None or picture.cells_HW.shape != cells_HW.shape or not picture.cells_HW.any():
        return None
    columns = np.flatnonzero(picture.cells_HW.any(axis=0))
    middle = float(np.nonzero(cells_HW)[1].mean())
    if not columns[0] <= middle <= columns[-1]:
        return None
    return float(np.count_nonzero(picture.cells_HW & cells_HW) / np.count_nonzero(cells_HW))
