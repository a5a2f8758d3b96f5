"""Lengths and areas of the joint and its vessels that a clinician reads, each with its doubt. None: not known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.guidance.config import CapsuleFace, MeasurementConfig, TargetConfig
from hipseg.guidance.flow import FlowPicture, share_of_cells
from hipseg.guidance.geometry import Points, ScanPlane, distances_to, median, quantile
from hipseg.guidance.structures import CutOut, Scene, pieces_of
from hipseg.guidance.target import Target

_WIDEST = 0.95
"""The widest place, a single frayed cell left out."""
_CORRELATED_MM = 3.0
"""Neighbouring surface points err together over about this length: a mean over more of them is surer."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """Of the joint and its vessels.

    Attributes:
        neck_capsule_distance_mm: cortex of the neck to the capsule, see `MeasurementConfig`.
        capsule_thickness_mm: median between both faces.
        recess_area_mm2: of the recess in view.
        recess_width_mm: deep face of the capsule to the cortex, median over the target's span.
        artery_diameter_mm, vein_diameter_mm: shorter axis of the largest piece, whole in the picture.
        hyperaemia: Doppler cells per capsule cells, 0-1.
    """

    neck_capsule_distance_mm: float | None = None
    capsule_thickness_mm: float | None = None
    recess_area_mm2: float | None = None
    recess_width_mm: float | None = None
    artery_diameter_mm: float | None = None
    vein_diameter_mm: float | None = None
    hyperaemia: float | None = None


def measure_joint(
    scene: Scene,
    target: Target | None,
    config: MeasurementConfig,
    targets: TargetConfig | None = None,
    flow: FlowPicture | None = None,
) -> Measurements:
    """Every measure whose structures are seen.

    Args:
        scene: of the frame, with a scale.
        target: of it.
        config: definitions.
        targets: the target's span.
        flow: colour Doppler of the frame.
    """
    recess = scene.findings[anatomy.STRUCTURES[anatomy.JOINT_RECESS].name]
    targets = targets or TargetConfig()
    return Measurements(
        neck_capsule_distance_mm=_neck_capsule_distance(scene, target, config),
        capsule_thickness_mm=_capsule_thickness(scene),
        recess_area_mm2=recess.area_mm2,
        recess_width_mm=_recess_width(scene, target, targets.span_mm),
        artery_diameter_mm=_diameter(scene, anatomy.FEMORAL_ARTERY, targets.main_vessel_mm2),
        vein_diameter_mm=_diameter(scene, anatomy.FEMORAL_VEIN, targets.main_vessel_mm2),
        hyperaemia=share_of_cells(flow, scene.cells(anatomy.ANTERIOR_CAPSULE)),
    )


def joint_sigma(
    found: Measurements, scene: Scene, config: MeasurementConfig, targets: TargetConfig | None = None
) -> Measurements:
    """Standard deviation of each number, by the doubt about the surfaces it lies between."""
    one_mm = config.surface_sigma_mm
    two_mm = float(np.sqrt(2)) * one_mm
    capsule, recess = scene.surface(anatomy.ANTERIOR_CAPSULE), scene.cut_out(anatomy.JOINT_RECESS)
    span_mm = (targets or TargetConfig()).span_mm
    return Measurements(
        neck_capsule_distance_mm=_if_known(found.neck_capsule_distance_mm, two_mm),
        capsule_thickness_mm=_if_known(
            found.capsule_thickness_mm, two_mm * _mean_of(0 if capsule is None else _extent_mm(capsule.deep_mm))
        ),
        recess_area_mm2=_if_known(
            found.recess_area_mm2, _area_sigma(0 if recess is None else 2 * _width_mm(recess, scene.plane), one_mm)
        ),
        recess_width_mm=_if_known(found.recess_width_mm, two_mm * _mean_of(span_mm)),
        artery_diameter_mm=_if_known(found.artery_diameter_mm, two_mm),
        vein_diameter_mm=_if_known(found.vein_diameter_mm, two_mm),
        hyperaemia=_if_known(found.hyperaemia, _share_sigma(found.hyperaemia, scene)),
    )


def _if_known(value: float | None, sigma: float) -> float | None:
    return None if value is None else sigma


def _extent_mm(points_mm: Points) -> float:
    return float(np.ptp(points_mm[:, 0])) if len(points_mm) else 0.0


def _width_mm(found: CutOut, plane: ScanPlane) -> float:
    return float(found.cells_HW.shape[1] * plane.grid.scale * plane.column_mm)


def _mean_of(length_mm: float) -> float:
    """By how much a mean over a length is surer than one place."""
    return 1 / math.sqrt(max(length_mm / _CORRELATED_MM, 1.0))


def _area_sigma(perimeter_mm: float, surface_mm: float) -> float:
    """Independent pieces of the border, each off by the surface's doubt."""
    return surface_mm * float(np.sqrt(perimeter_mm * _CORRELATED_MM))


def _share_sigma(share: float | None, scene: Scene) -> float:
    """Of a share of cells, as a binomial of patches of a square millimetre."""
    cells = scene.cells(anatomy.ANTERIOR_CAPSULE)
    if share is None or cells is None:
        return 0.0
    patches = max(float(np.count_nonzero(cells)) * scene.plane.cell_area_mm2, 1.0)
    return float(np.sqrt(max(share * (1 - share), 1 / patches) / patches))


def has_effusion(found: Measurements, config: MeasurementConfig) -> bool | None:
    """Whether the neck-capsule distance fulfils the configured definition; None when it can't be measured."""
    distance_mm, other_mm = found.neck_capsule_distance_mm, config.other_side_mm
    if distance_mm is None:
        return None
    is_wider = other_mm is not None and distance_mm - other_mm > config.effusion_asymmetry_mm
    return distance_mm >= config.effusion_from_mm or is_wider


def _neck_capsule_distance(scene: Scene, target: Target | None, config: MeasurementConfig) -> float | None:
    """From the cortex of the neck to the capsule above it, where that is widest (as collum-capsule distance is)."""
    neck, capsule = scene.surface(anatomy.FEMORAL_NECK), scene.surface(anatomy.ANTERIOR_CAPSULE)
    if neck is None or capsule is None or target is None:
        return None
    near = np.hypot(*(neck.superficial_mm - target.foot_mm).T) <= config.neck_length_mm
    face = capsule.deep_mm if config.neck_capsule_to is CapsuleFace.deep else capsule.superficial_mm
    cortex = neck.superficial_mm[near & _is_beneath(neck.superficial_mm, face)]
    return quantile(distances_to(cortex, face), _WIDEST) if len(cortex) else None


def _is_beneath(points_mm: Points, face_mm: Points) -> npt.NDArray[np.bool_]:
    """Which points lie under a face: beyond its ends the nearest point of it would be no distance to it.

    A capsule that is drawn below the bone bounds nothing.
    """
    if len(face_mm) == 0:
        return np.zeros(len(points_mm), dtype=bool)
    x, y = points_mm.T
    covered = (x >= face_mm[:, 0].min()) & (x <= face_mm[:, 0].max())
    return np.asarray(covered & (np.interp(x, face_mm[:, 0], face_mm[:, 1]) <= y))


def _capsule_thickness(scene: Scene) -> float | None:
    """Median distance between both faces of the capsule."""
    capsule = scene.surface(anatomy.ANTERIOR_CAPSULE)
    if capsule is None or not len(capsule.deep_mm) or not len(capsule.superficial_mm):
        return None
    return median(distances_to(capsule.deep_mm, capsule.superficial_mm))


def _recess_width(scene: Scene, target: Target | None, span_mm: float) -> float | None:
    """Between the capsule's deep face and the cortex, median over the acceptable span about the target."""
    capsule = scene.surface(anatomy.ANTERIOR_CAPSULE)
    bones = [surface for bone in (anatomy.FEMORAL_HEAD, anatomy.FEMORAL_NECK) if (surface := scene.surface(bone))]
    if target is None or capsule is None or not bones:
        return None
    cortex = np.concatenate([bone.superficial_mm for bone in bones])
    near = np.hypot(*(cortex - target.foot_mm).T) <= span_mm / 2
    covered = cortex[near & _is_beneath(cortex, capsule.deep_mm)]
    return median(distances_to(covered, capsule.deep_mm)) if len(covered) else None


def _diameter(scene: Scene, vessel: int, least_mm2: float) -> float | None:
    """Shorter axis of the ellipse with the moments of the vessel's largest piece.

    A vessel cut obliquely is wider one way, never narrower; None for branches and for one that leaves the picture.
    """
    found = scene.cut_out(vessel)
    if found is None:
        return None
    pieces_HW, areas = pieces_of(found.cells_HW)
    largest_HW = (pieces_HW == np.argmax(areas)).view(np.uint8)
    left, top, width, height = cv2.boundingRect(largest_HW)
    leaves = _touches_edge(found.left + left, found.top + top, width, height, scene.labels_HW.shape)
    if areas.max() * scene.plane.cell_area_mm2 < least_mm2 or leaves:
        return None
    return 4 * _narrower_sigma_mm(largest_HW, scene.plane)


def _narrower_sigma_mm(piece_HW: npt.NDArray[np.uint8], plane: ScanPlane) -> float:
    """Standard deviation of a piece's cells along their shorter principal axis."""
    moments = cv2.moments(piece_HW, binaryImage=True)
    count, column_mm, row_mm = moments["m00"], plane.grid.scale * plane.column_mm, plane.grid.scale * plane.row_mm
    xx, yy = moments["mu20"] / count * column_mm**2, moments["mu02"] / count * row_mm**2
    xy = moments["mu11"] / count * column_mm * row_mm
    return math.sqrt(max((xx + yy) / 2 - math.hypot((xx - yy) / 2, xy), 0.0))


def _touches_edge(left: int, top: int, width: int, height: int, shape: tuple[int, ...]) -> bool:
    return left == 0 or top == 0 or left + width >= shape[1] or top + height >= shape[0]
