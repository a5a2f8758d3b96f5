"""Drawn labels against the body itself, asked at the pixels: no interpolation, no beams."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import VARIANTS, scanned

from hipseg import anatomy
from hipseg.simulation.frames import frame_of
from hipseg.simulation.labels import BONE_BAND_MM
from hipseg.simulation.phantom import Section
from hipseg.simulation.probe import COARSENESS
from hipseg.simulation.scene import Scene

CONFIG = VARIANTS.replace(prosthesis_share=0.0, furniture_share=0.0, curvilinear_share=0.3, habitus=(0.0, 0.8))


def tolerance_mm(scene: Scene) -> float:
    """Surfaces are found between coarse samples: 0.36 mm apart, and more where the beams of a sector diverge."""
    probe = scene.probe
    spread = 1.0 if probe.is_linear else 1.0 + probe.depth_mm / probe.radius_mm
    return max(0.35, 0.8 * COARSENESS * probe.line_mm * spread)


def body_at(scene: Scene, x_px: np.ndarray, y_px: np.ndarray) -> Section:
    """Distances of the body at pixels of the displayed image."""
    probe, width = scene.probe, scene.probe.image_shape[1]
    x_px = width - 1 - x_px if scene.patient.mirrored else x_px
    u, w = probe.to_plane(x_px.astype(np.float32), y_px.astype(np.float32))
    points = scene.pose.to_patient(u.astype(np.float32), w.astype(np.float32))
    face_mm = w if probe.is_linear else np.hypot(u, w + probe.radius_mm) - probe.radius_mm
    return scene.phantom.section(*points, np.asarray(face_mm, np.float32), scene.state)


def distance_of(label: int, section: Section) -> np.ndarray:
    """Distance that must be negative where a label is drawn."""
    depth_in_bone = np.maximum(section.bone, -section.bone - BONE_BAND_MM / np.cos(np.radians(52)) - 1.0)
    return {
        anatomy.FEMORAL_ARTERY: np.minimum(section.artery, section.branch),
        anatomy.FEMORAL_VEIN: section.vein,
        anatomy.FEMORAL_NERVE: section.nerve,
        anatomy.LABRUM: section.labrum,
        anatomy.ANTERIOR_CAPSULE: np.maximum(section.capsule_outer, -section.capsule_inner),
        anatomy.JOINT_RECESS: np.maximum(section.capsule_inner, -section.cartilage),
        anatomy.FEMORAL_HEAD: depth_in_bone,
        anatomy.FEMORAL_NECK: depth_in_bone,
        anatomy.ACETABULUM: depth_in_bone,
    }[label]


@pytest.mark.parametrize("seed", range(300, 316))
def test_every_labelled_pixel_lies_in_its_structure(seed: int) -> None:
    scene, seen = scanned(seed, CONFIG)
    labels_HW = frame_of(scene, seen).labels_HW
    for label in np.unique(labels_HW[labels_HW > 0]):
        y, x = np.nonzero(labels_HW == label)
        chosen = np.linspace(0, len(x) - 1, min(len(x), 600)).astype(int)
        distance = distance_of(int(label), body_at(scene, x[chosen], y[chosen]))
        assert np.quantile(distance, 0.995) < tolerance_mm(scene), anatomy.CLASS_NAMES[label]


@pytest.mark.parametrize("seed", range(300, 316))
def test_every_vessel_is_labelled_wherever_it_is_seen(seed: int) -> None:
    """Pixels well inside artery, vein or nerve and above bone bear its label."""
    scene, seen = scanned(seed, CONFIG)
    labels_HW = frame_of(scene, seen).labels_HW
    y, x = (grid.ravel() for grid in np.mgrid[0 : labels_HW.shape[0] : 4, 0 : labels_HW.shape[1] : 4])
    section = body_at(scene, x, y)
    above_bone = np.cumsum(np.isin(labels_HW, anatomy.BONES), axis=0)[y, x] == 0
    for label in (anatomy.FEMORAL_ARTERY, anatomy.FEMORAL_VEIN):
        inside = (distance_of(label, section) < -tolerance_mm(scene)) & above_bone
        covered = np.isin(labels_HW[y[inside], x[inside]], anatomy.VESSELS)
        if scene.probe.is_linear and inside.any():
            assert covered.mean() > 0.985, anatomy.CLASS_NAMES[label]


@pytest.mark.parametrize("seed", range(300, 312))
def test_the_upper_edge_of_bone_is_the_bones_surface(seed: int) -> None:
    scene, seen = scanned(seed, CONFIG)
    labels_HW = frame_of(scene, seen).labels_HW
    bone = np.isin(labels_HW, anatomy.BONES)
    x = np.flatnonzero(bone.any(axis=0))
    if len(x) == 0:
        pytest.skip("this patient shows no bone")
    y = bone.argmax(axis=0)[x]
    gentle = np.abs(np.gradient(y.astype(float))) < 1
    distance = body_at(scene, x[gentle], y[gentle]).bone
    assert np.quantile(np.abs(distance), 0.95) < tolerance_mm(scene)
