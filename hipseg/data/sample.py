"""One annotated image on its way into training, and how it comes to lie on the network's grid."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hipseg.anatomy import BACKGROUND, IGNORED, LANDMARKS, NUM_CLASSES, structure_named
from hipseg.data.reading import ImageHW, LabelsHW
from hipseg.data.records import Case, DatasetManifest, PointXY
from hipseg.runtime.grid import Grid

IN_IMAGE, ABSENT, UNKNOWN = 1.0, 0.0, -1.0
"""States of landmarks, and answers to whether an image is a hip view."""

MembershipCC = npt.NDArray[np.bool_]
LandmarksK3 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """An image with everything that is known of it, in its own pixels.

    Attributes:
        image_HW: grey levels, uint8.
        labels_HW: annotation ids, 255 ignored, uint8.
        membership_CC: row a is the set of true classes that annotation id a may stand for.
        landmarks_K3: x, y in pixels and the state (`IN_IMAGE`, `ABSENT`, `UNKNOWN`), in the order of
            `anatomy.LANDMARKS`; x and y count only in the image.
        hip_view: 1 yes, 0 no, -1 unknown.
        spacing_mm: pixel size as (row, column), NaN when unknown.
        mirrored: left and right have changed places since the image was taken.
    """

    image_HW: ImageHW
    labels_HW: LabelsHW
    membership_CC: MembershipCC
    landmarks_K3: LandmarksK3
    hip_view: float
    spacing_mm: tuple[float, float]
    mirrored: bool = False


def sample_of_case(case: Case, manifest: DatasetManifest, image_HW: ImageHW, labels_HW: LabelsHW | None) -> Sample:
    """A case of a data set with its decoded files. An unlabelled case teaches nothing about classes: all is 255."""
    annotated = manifest.classes if case.annotated is None else case.annotated
    merged = manifest.merged if case.merged is None else case.merged
    if labels_HW is None:
        labels_HW = np.full(image_HW.shape, IGNORED, np.uint8)
    return Sample(
        image_HW=image_HW,
        labels_HW=labels_HW,
        membership_CC=membership(annotated, merged),
        landmarks_K3=landmark_array(case.landmarks or {}),
        hip_view=UNKNOWN if case.hip_view is None else float(case.hip_view),
        spacing_mm=case.spacing_mm or (math.nan, math.nan),
    )


def scaled(sample: Sample, scale_xy: tuple[float, float]) -> Sample:
    """A sample whose image and mask have been resized: landmarks and scale follow.

    Args:
        sample: landmarks and scale are those of the image before.
        scale_xy: pixels now for each pixel before, along columns and rows.
    """
    if scale_xy == (1.0, 1.0):
        return sample
    (scale_x, scale_y), (row_mm, column_mm) = scale_xy, sample.spacing_mm
    landmarks_K3 = sample.landmarks_K3.copy()
    landmarks_K3[:, :2] = (landmarks_K3[:, :2] + 0.5) * scale_xy - 0.5
    return dataclasses.replace(sample, landmarks_K3=landmarks_K3, spacing_mm=(row_mm / scale_y, column_mm / scale_x))


def membership(annotated: Sequence[str], merged: Mapping[str, Sequence[str]]) -> MembershipCC:
    """What each annotation id may stand for, bool [C, C].

    Row 0 holds the background and every class that nobody annotated, a merged row its members, any other row itself
    alone; with all classes annotated and none merged this is the identity.

    Args:
        annotated: names of the annotated classes.
        merged: a mask's class name to the true classes it may be.
    """
    rows_CC = np.eye(NUM_CLASSES, dtype=bool)
    for name, members in merged.items():
        rows_CC[structure_named(name).id] = False
        rows_CC[structure_named(name).id, [structure_named(member).id for member in members]] = True
    known = {structure_named(name).id for name in annotated} | {BACKGROUND}
    covered_C = rows_CC[sorted(known)].any(axis=0)
    rows_CC[BACKGROUND] |= ~covered_C
    return rows_CC


def landmark_array(points: Mapping[str, PointXY | None]) -> LandmarksK3:
    """Landmarks by name as an array [K, 3] of x, y, state: None is absent, a name left out unknown."""
    rows = [(0.0, 0.0, UNKNOWN) if name not in points else _landmark_row(points[name]) for name in LANDMARKS]
    return np.array(rows, np.float64)


def _landmark_row(point: PointXY | None) -> tuple[float, float, float]:
    return (0.0, 0.0, ABSENT) if point is None else (*point, IN_IMAGE)


@dataclass(frozen=True, slots=True)
class GridSample:
    """A sample on the network's grid of S x S cells.

    Attributes:
        image_SS: 0-1, float32, 0 outside the image.
        labels_SS: annotation ids, 255 ignored or outside the image, int64.
        membership_CC: as in `Sample`.
        landmarks_K3: x, y in cells and the state, float32; x = y = 0 unless in the image.
        hip_view, mirrored: as in `Sample`.
        spacing_mm: millimetres per cell as (row, column), NaN when unknown.
    """

    image_SS: npt.NDArray[np.float32]
    labels_SS: npt.NDArray[np.int64]
    membership_CC: MembershipCC
    landmarks_K3: npt.NDArray[np.float32]
    hip_view: float
    spacing_mm: tuple[float, float]
    mirrored: bool


def place_on_grid(sample: Sample, size: int) -> GridSample:
    """Lays a sample, in its own pixels, on a grid of `size` cells as the exported model lays an image."""
    height, width = sample.image_HW.shape
    grid = Grid(height, width, size)
    placed = on_grid(resampled(sample, grid), grid)
    placed.image_SS[:] = resample_image(sample.image_HW, grid) / np.float32(255)  # without rounding to grey levels
    return placed


def resampled(sample: Sample, grid: Grid) -> Sample:
    """A sample on the cells of the grid that its image lies on."""
    rows, columns = grid.occupied
    row_mm, column_mm = sample.spacing_mm
    grey_SS = resample_image(sample.image_HW, grid)[grid.occupied]
    landmarks_K3 = sample.landmarks_K3.copy()
    landmarks_K3[:, :2] = grid.to_grid(landmarks_K3[:, :2]) - (columns.start, rows.start)
    return dataclasses.replace(
        sample,
        image_HW=np.clip(np.rint(grey_SS), 0, 255).astype(np.uint8),
        labels_HW=resample_labels(sample.labels_HW, grid)[grid.occupied],
        landmarks_K3=landmarks_K3,
        spacing_mm=(row_mm * grid.scale, column_mm * grid.scale),
    )


def on_grid(sample: Sample, grid: Grid) -> GridSample:
    """A sample on the occupied cells of a grid (see `resampled`) with the empty cells around it."""
    image_SS = np.zeros((grid.size, grid.size), np.float32)
    labels_SS = np.full((grid.size, grid.size), IGNORED, np.int64)
    rows, columns = grid.occupied
    image_SS[rows, columns] = sample.image_HW * np.float32(1 / 255)
    labels_SS[rows, columns] = sample.labels_HW
    landmarks_K3 = sample.landmarks_K3.copy()
    landmarks_K3[:, :2] += (columns.start, rows.start)
    landmarks_K3[landmarks_K3[:, 2] != IN_IMAGE, :2] = 0
    return GridSample(
        image_SS=image_SS,
        labels_SS=labels_SS,
        membership_CC=sample.membership_CC,
        landmarks_K3=landmarks_K3.astype(np.float32),
        hip_view=sample.hip_view,
        spacing_mm=sample.spacing_mm,
        mirrored=sample.mirrored,
    )


def resample_image(image_HW: ImageHW, grid: Grid) -> npt.NDArray[np.float32]:
    """Grey levels on the grid, float32 [S, S], by the exported model's filter: a triangle as wide as a grid cell.

    Narrow cells are averaged over, so that speckle does not alias; an image smaller than the grid is interpolated.
    Cells outside the image are 0.
    """
    rows, columns = grid.occupied
    to_rows = _triangle_weights(rows.start, rows.stop, grid.height, grid.scale, 0.0)
    to_columns = _triangle_weights(columns.start, columns.stop, grid.width, grid.scale, grid.left)
    grey_SS = np.zeros((grid.size, grid.size), np.float32)
    # torch, not numpy, multiplies: in a worker process it keeps to one thread
    grey_SS[rows, columns] = ((to_rows @ torch.from_numpy(image_HW).float()) @ to_columns.T).numpy()
    return grey_SS


@functools.lru_cache(maxsize=64)  # the images of a data set have few sizes
def _triangle_weights(start: int, stop: int, num_pixels: int, scale: float, offset: float) -> Tensor:
    centres = (np.arange(start, stop) + 0.5 - offset) * scale - 0.5
    distances = np.abs(np.arange(num_pixels) - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(1 - distances, 0).astype(np.float32)
    return torch.from_numpy(weights / np.maximum(weights.sum(axis=1, keepdims=True), np.float32(1e-6)))


def resample_labels(labels_HW: LabelsHW, grid: Grid) -> npt.NDArray[np.uint8]:
    """Annotation ids at the cells' centres, uint8 [S, S], 255 outside the image."""
    rows, columns = grid.occupied
    centres_y = grid.to_image(np.stack([np.zeros(rows.stop), np.arange(rows.stop)], axis=-1))[:, 1]
    centres_x = grid.to_image(np.stack([np.arange(columns.stop), np.zeros(columns.stop)], axis=-1))[columns, 0]
    y = np.clip(np.floor(centres_y + 0.5), 0, grid.height - 1).astype(np.intp)
    x = np.clip(np.floor(centres_x + 0.5), 0, grid.width - 1).astype(np.intp)
    labels_SS = np.full((grid.size, grid.size), IGNORED, np.uint8)
    labels_SS[rows, columns] = labels_HW[np.ix_(y, x)]
    return labels_SS


def last_point_inside(
    start_xy: npt.NDArray[np.float64], end_xy: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """The end, or the last point of the way to it that lies on the pixels of an image of this shape."""
    way, last_xy = end_xy - start_xy, np.array([shape[1] - 1.0, shape[0] - 1.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(way > 0, (last_xy - start_xy) / way, np.where(way < 0, -start_xy / way, np.inf))
    return np.asarray(start_xy + way * min(1.0, max(float(reach.min()), 0.0)))
