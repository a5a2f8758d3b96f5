"""Nothing is inverted and nothing runs through anything else, whoever the patient is and wherever the body is cut."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import VARIANTS, axial_slice, first_depth_mm, patient_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg import anatomy
from hipseg.simulation import SimulationConfig, simulate_frame
from hipseg.simulation.phantom import BodyState

anybody = given(seed=st.integers(0, 1_000_000), y_mm=st.floats(-18, 10))


@anybody
@settings(max_examples=40, deadline=None)
def test_layers_lie_over_each_other(seed: int, y_mm: float) -> None:
    """Skin, fat, muscle, capsule, femur, from superficial to deep, in every column."""
    section = axial_slice(patient_of(seed), y_mm)
    skin, fat, fascia, capsule, femur = (
        first_depth_mm(section, distance)
        for distance in (section.skin, section.fat, section.fascia_iliaca, section.capsule_outer, section.femur)
    )
    assert np.all(skin < fat)
    assert np.all(fat < fascia)
    assert np.all(fascia <= capsule)
    over_head = np.abs(section.x[0]) < 18
    assert np.all(capsule[over_head] <= femur[over_head])
    assert np.all(section.capsule_outer < section.capsule_inner)


@anybody
@settings(max_examples=40, deadline=None)
def test_nothing_runs_through_bone_capsule_or_skin(seed: int, y_mm: float) -> None:
    section = axial_slice(patient_of(seed), y_mm)
    for name in ("artery", "vein", "nerve", "branch", "node"):
        inside = getattr(section, name) < 0
        assert not (inside & (section.bone < 0)).any(), name
        assert not (inside & (section.capsule_outer < 0)).any(), name
        assert not (inside & (section.skin > 0)).any(), name


@anybody
@settings(max_examples=40, deadline=None)
def test_vessels_nerve_and_nodes_lie_side_by_side(seed: int, y_mm: float) -> None:
    section = axial_slice(patient_of(seed), y_mm)
    artery, vein, nerve, node = (getattr(section, name) < 0 for name in ("artery", "vein", "nerve", "node"))
    assert artery.any()
    assert not (artery & vein).any()
    assert not ((artery | vein) & nerve).any()
    assert not (node & (artery | vein | nerve)).any()
    assert not ((section.plaque < 0) & ~artery).any()
    assert not ((section.hilum < 0) & ~node).any()


@given(seed=st.integers(0, 1_000_000), y_mm=st.floats(-18, 8))
@settings(max_examples=40, deadline=None)
def test_the_vein_lies_medial_of_the_artery_but_for_its_variant(seed: int, y_mm: float) -> None:
    ordinary = axial_slice(patient_of(seed, VARIANTS.replace(vein_under_share=0.0)), y_mm)
    under = axial_slice(patient_of(seed, VARIANTS.replace(vein_under_share=1.0)), y_mm)
    for section, is_under in ((ordinary, False), (under, True)):
        artery, vein = section.artery < 0, section.vein < 0
        if not vein.any():
            continue
        offset_mm = section.x[vein].mean() - section.x[artery].mean()
        assert (abs(offset_mm) < 5.5) if is_under else (offset_mm < -3.5)
        assert section.z[vein].mean() > section.z[artery].mean() - 0.5


@given(seed=st.integers(0, 1_000_000), fluid_mm=st.floats(0, 8), pulse=st.floats(0.94, 1.08), pressed=st.floats(0.1, 1))
@settings(max_examples=25, deadline=None)
def test_no_moment_of_a_procedure_inverts_anything(seed: int, fluid_mm: float, pulse: float, pressed: float) -> None:
    state = BodyState(artery_scale=pulse, vein_scale=pulse, vein_height=pressed, recess_mm=fluid_mm)
    section = axial_slice(patient_of(seed), -6.0, state=state)
    assert np.all(section.capsule_outer < section.capsule_inner)
    solid = np.minimum(section.bone, section.capsule_outer) < 0
    for name in ("artery", "vein", "nerve", "branch"):
        assert not ((getattr(section, name) < 0) & solid).any(), name


@pytest.mark.parametrize("seed", range(200, 216))
def test_no_needle_passes_through_bone(seed: int) -> None:
    """Over every pixel of the needle the image is free of bone, and none is left of the bone that it covers."""
    config = SimulationConfig(
        needle_share=1.0, osteophyte_share=1.0, cam_share=0.5, curvilinear_share=0.0, furniture_share=0.0,
        habitus=(0.0, 0.6),
    )  # fmt: skip
    frame = simulate_frame(config, np.random.default_rng(seed))
    bone = np.isin(frame.labels_HW, anatomy.BONES)
    below_bone = np.cumsum(bone, axis=0) > 0.3 / frame.spacing.row_mm
    assert not (below_bone & (frame.labels_HW == anatomy.NEEDLE)).any()


@pytest.mark.parametrize("head_mm", [15.0, 32.0])
@pytest.mark.parametrize("distance_mm", [3.0, 16.0])
@pytest.mark.parametrize("habitus", [0.0, 1.0])
def test_the_ends_of_all_ranges_are_bodies_too(head_mm: float, distance_mm: float, habitus: float) -> None:
    """A large effusion under a wide capsule in the thinnest thigh takes no more room than there is."""
    config = VARIANTS.replace(
        head_radius_mm=(head_mm, head_mm), neck_capsule_distance_mm=(distance_mm, distance_mm),
        effusion_mm=(15.0, 15.0), effusion_share=1.0, habitus=(habitus, habitus),
    )  # fmt: skip
    for seed in range(3):
        section = axial_slice(patient_of(seed, config), -5.0)
        skin, fat, capsule = (
            first_depth_mm(section, distance) for distance in (section.skin, section.fat, section.capsule_outer)
        )
        assert np.all(skin < fat)
        assert np.all(fat < capsule)
        assert (section.artery < 0).any()
        for name in ("artery", "vein", "nerve", "branch", "node"):
            assert not ((getattr(section, name) < 0) & (np.minimum(section.bone, -section.skin) < 0)).any(), name
