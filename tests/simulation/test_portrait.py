"""What a frame's truth says of the anatomy."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bodies import VARIANTS, scanned

from hipseg.simulation.frames import frame_of
from hipseg.simulation.population.habitus import BUILDS, build_of, habitus_of


@pytest.mark.parametrize("seed", range(10))
def test_the_anatomy_of_a_frame_is_its_patients_and_fits_json(seed: int) -> None:
    scene, seen = scanned(seed, VARIANTS.replace(prosthesis_share=0.0))
    said = json.loads(json.dumps(frame_of(scene, seen).truth["anatomy"]))
    patient = scene.patient
    assert said["bone_shape"] == patient.bone.shape
    assert said["effusion"] == patient.joint.effusion_grade
    assert said["build"] == build_of(patient.habitus)
    assert said["head_circle"]["radius_mm"] <= patient.bone.head_radius_mm + 1e-3
    for name in ("artery", "vein", "nerve"):
        inside = getattr(seen.section, name) < 0
        if said[name] is None:
            assert inside.sum() < 12
        elif not said[name]["cut"] and inside.sum() > 200:
            assert said[name]["centre_mm"][1] == pytest.approx(float(seen.w[inside].mean()), abs=0.3)
            height = float(np.ptp(seen.w[inside]))
            assert said[name]["size_mm"][1] == pytest.approx(height, abs=0.4)


def test_a_prosthesis_is_said_and_its_head_is_not_measured() -> None:
    scene, seen = scanned(2, VARIANTS.replace(prosthesis_share=1.0))
    said = frame_of(scene, seen).truth["anatomy"]
    assert said["bone_shape"] == "prosthesis"
    assert said["head_circle"] is None
    assert said["alpha_deg"] is None


def test_builds_cover_the_range_of_habitus() -> None:
    bounds = [habitus_of(build) for build in BUILDS]
    assert bounds[0][0] == 0.0
    assert bounds[-1][1] == 1.0
    for build, (low, high) in zip(BUILDS, bounds, strict=True):
        assert build_of((low + high) / 2) == build
