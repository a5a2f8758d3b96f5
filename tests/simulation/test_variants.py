"""Variants: a share of one forces them, and each is what its name says, measured on the body."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from bodies import axial_slice, patient_of, scanned, smooth

from hipseg import anatomy
from hipseg.errors import UsageError
from hipseg.simulation import SimulationConfig
from hipseg.simulation.frames import frame_of
from hipseg.simulation.measures import joint_measures, regions
from hipseg.simulation.patient import Patient
from hipseg.simulation.phantom import Phantom
from hipseg.simulation.synovium import hyperaemia
from hipseg.simulation.tissue import Material, map_tissue

PLAIN = SimulationConfig(
    curvilinear_share=0.0, effusion_share=0.0, hyperaemia_share=0.0, branch_share=0.0, vein_under_share=0.0,
    dysplastic_share=0.0, cam_share=0.0, osteophyte_share=0.0, plaque_share=0.0, node_share=0.0, furniture_share=0.0,
    contact_loss_share=0.0, look_alike_share=0.0, habitus=(0.0, 0.5),
)  # fmt: skip
SEEDS = range(12)


def alpha_deg(patient: Patient, visible_mm: float) -> float:
    """The alpha angle measured: where the outline in the neck's plane first stands so much off the head's circle."""
    phantom = Phantom(smooth(patient))
    axis = phantom.skeleton.neck_axis
    anterior = np.array([0.0, 0.0, -1.0]) + axis * axis[2]
    anterior /= np.linalg.norm(anterior)
    # Downward from the apex, the circle is left where the neck's cone comes near.
    for angle in np.radians(np.arange(100.0, 20.0, -0.25)):
        reach = np.arange(patient.bone.head_radius_mm - 2, patient.bone.head_radius_mm + 4, 0.002, dtype=np.float32)
        direction = (np.cos(angle) * axis + np.sin(angle) * anterior).astype(np.float32)
        femur, _ = phantom.femur(*(reach * component for component in direction))
        if reach[femur < 0].max() > patient.bone.head_radius_mm + visible_mm:
            return float(np.degrees(angle))
    raise AssertionError("the outline never leaves the circle")


@pytest.mark.parametrize("seed", range(5))
def test_a_cam_has_no_offset_between_head_and_neck(seed: int) -> None:
    ordinary, cam = patient_of(seed, PLAIN), patient_of(seed, PLAIN.replace(cam_share=1.0))
    assert alpha_deg(cam, visible_mm=0.1) > 55
    assert alpha_deg(ordinary, visible_mm=0.1) < 54
    assert alpha_deg(cam, visible_mm=0.005) == pytest.approx(np.degrees(cam.bone.alpha_rad), abs=3.0)
    assert cam.bone.neck_radius_mm > ordinary.bone.neck_radius_mm


@pytest.mark.parametrize("seed", range(5))
def test_a_dysplastic_socket_covers_less_of_the_head(seed: int) -> None:
    ordinary, shallow = patient_of(seed, PLAIN), patient_of(seed, PLAIN.replace(dysplastic_share=1.0))
    assert coverage(shallow) < coverage(ordinary) - 0.05
    assert shallow.joint.labrum_length_mm > ordinary.joint.labrum_length_mm


def coverage(patient: Patient) -> float:
    """Share of the front half of the head that the socket lies over."""
    directions = np.random.default_rng(0).normal(size=(4000, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    x, y, z = ((patient.bone.head_radius_mm + 2.5) * directions[directions[:, 2] < 0]).T.astype(np.float32)
    return float((Phantom(patient).skeleton.past_rim(x, y, z) < 0).mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_vein_takes_the_shape_it_is_told(seed: int) -> None:
    comma = patient_of(seed, PLAIN.replace(vein_comma_share=1.0, vein_slit_share=0.0)).vein
    slit = patient_of(seed, PLAIN.replace(vein_comma_share=0.0, vein_slit_share=1.0)).vein
    oval = patient_of(seed, PLAIN.replace(vein_comma_share=0.0, vein_slit_share=0.0)).vein
    assert comma.taper >= 0.3
    assert comma.roll_rad < 0
    assert slit.semi_z_mm <= 0.34 * slit.semi_x_mm
    assert oval.semi_z_mm >= 0.5 * oval.semi_x_mm


@pytest.mark.parametrize("seed", SEEDS)
def test_a_vein_under_the_artery_is_under_it(seed: int) -> None:
    section = axial_slice(patient_of(seed, PLAIN.replace(vein_under_share=1.0)), 0.0)
    artery, vein = section.artery < 0, section.vein < 0
    shared = np.intersect1d(section.x[artery], section.x[vein])
    assert len(shared) * 0.5 > 2.0
    assert section.z[vein].min() > section.z[artery].min()


@pytest.mark.parametrize("seed", SEEDS)
def test_branches_cross_in_front_of_the_capsule_and_count_as_artery(seed: int) -> None:
    config = PLAIN.replace(view="longitudinal", branch_share=1.0, two_branches_share=1.0)
    scene, seen = scanned(seed, config)
    assert len(scene.patient.branches) == 2
    branch = seen.section.branch < 0
    visible = branch & (scene.probe.range_mm < seen.cortex.range_mm_L)
    if visible.sum() < 30:
        pytest.skip("this patient's branches pass beside the picture")
    assert (seen.section.capsule_outer[branch] > 0).all()
    labels_HW = frame_of(scene, seen).labels_HW
    drawn_mm2 = (labels_HW == anatomy.FEMORAL_ARTERY).sum() * scene.probe.pixel_mm**2
    whole_mm2 = ((branch | (seen.section.artery < 0)) & (scene.probe.range_mm < seen.cortex.range_mm_L)).sum()
    assert drawn_mm2 == pytest.approx(whole_mm2 * scene.probe.sample_mm * scene.probe.line_mm, rel=0.15, abs=0.5)


def test_the_circumflex_artery_crosses_one_in_five_planned_paths() -> None:
    """22 % of them, at a mean distance of 4 mm (clinical.md section 2); paths of 30-60 degrees to the target."""
    rng, least_mm = np.random.default_rng(0), []
    config = PLAIN.replace(view="longitudinal", branch_share=1.0, two_branches_share=0.3)
    for seed in range(90):
        scene, seen = scanned(seed, config)
        if seen.target_uw is None:
            continue
        angle = np.radians(rng.uniform(30, 60))
        back_mm = np.arange(0, seen.target_uw[1] / np.sin(angle), 0.25)
        u, w = seen.target_uw[0] + np.cos(angle) * back_mm, seen.target_uw[1] - np.sin(angle) * back_mm
        x, y, z = scene.pose.to_patient(u.astype(np.float32), w.astype(np.float32))
        least_mm.append(float(scene.phantom.section(x, y, z, w.astype(np.float32)).branch.min()))
    near = np.array(least_mm)
    assert 0.1 <= (near < 1.0).mean() <= 0.35
    assert np.mean(near[near < 20]) == pytest.approx(4.0, abs=1.5)


@pytest.mark.parametrize("view", ["longitudinal", "transverse"])
def test_a_prosthesis_is_no_hip_view(view: str) -> None:
    """Vessels and nerve stay labelled; bone, joint, target and junction do not exist."""
    config = PLAIN.replace(view=view, prosthesis_share=1.0)
    for seed in range(3):
        scene, seen = scanned(seed, config)
        frame = frame_of(scene, seen)
        assert not scene.patient.shows_hip
        assert frame.target_px is None
        assert frame.landmarks["head_neck_junction"] is None
        joint = (anatomy.ANTERIOR_CAPSULE, anatomy.JOINT_RECESS, anatomy.LABRUM)
        assert not np.isin(frame.labels_HW, (*anatomy.BONES, *joint)).any()
        measured = joint_measures(scene, seen)
        assert measured.recess_area_mm2 is None
        assert measured.neck_capsule_distance_mm is None


def test_a_prosthesis_is_of_metal() -> None:
    scene, seen = scanned(1, PLAIN.replace(prosthesis_share=1.0))
    noise = np.zeros(seen.section.x.shape, np.float32)
    material = map_tissue(seen.section, scene.patient, 0.0, noise, noise).material
    assert np.array_equal(material == Material.METAL, seen.section.femur < 0)
    assert scanned(1, PLAIN)[0].patient.shows_hip


@pytest.mark.parametrize("seed", SEEDS)
def test_nodes_are_never_labelled_as_vessels(seed: int) -> None:
    scene, seen = scanned(seed, PLAIN.replace(node_share=1.0, view="transverse"))
    with_nodes = frame_of(scene, seen).labels_HW
    without, empty = scanned(seed, PLAIN.replace(node_share=1.0, view="transverse"))
    assert np.array_equal(with_nodes, frame_of(without, empty).labels_HW)
    node = regions(seen)["node"]
    if node is None:
        return
    vessels = np.isin(with_nodes, (*anatomy.VESSELS, anatomy.FEMORAL_NERVE))
    y, x = np.nonzero(vessels)
    x = with_nodes.shape[1] - 1 - x if scene.patient.mirrored else x
    u, w = scene.probe.to_plane(x[::7].astype(np.float64), y[::7].astype(np.float64))
    assert node.signed_mm(np.stack([u, w], axis=1)).min() > 0


def test_plaques_are_bright_and_stay_labelled_artery() -> None:
    found = 0
    for seed in range(8):
        scene, seen = scanned(seed, PLAIN.replace(plaque_share=1.0, view="transverse"))
        noise = np.zeros(seen.section.x.shape, np.float32)
        tissue = map_tissue(seen.section, scene.patient, 0.0, noise, noise)
        plaque = tissue.material == Material.PLAQUE
        if not plaque.any():
            continue
        found += 1
        assert (seen.section.artery[plaque] < 0).all()
        assert tissue.echo_db[plaque].min() > tissue.echo_db[tissue.material == Material.FAT].max() - 3
        assert tissue.attenuation[plaque].min() > 5
    assert found >= 3


@pytest.mark.parametrize("seed", range(6))
def test_inflamed_synovium_lies_along_the_capsule_of_the_recess(seed: int) -> None:
    scene, seen = scanned(seed, PLAIN.replace(hyperaemia_share=1.0, view="longitudinal"))
    flow = hyperaemia(seen.section, scene.patient, scene.heading_rad)
    assert 0 <= flow.min() <= flow.max() <= 1
    assert flow.max() > 0.3
    assert np.abs(seen.section.capsule_inner[flow > 0]).max() < 2.0
    assert (seen.section.bone[flow > 0] > 0).all()
    calm, calm_seen = scanned(seed, PLAIN.replace(view="longitudinal"))
    assert not hyperaemia(calm_seen.section, calm.patient, calm.heading_rad).any()


@pytest.mark.parametrize("seed", range(4))
def test_the_capsule_is_thickest_where_the_iliofemoral_ligament_runs(seed: int) -> None:
    """Over the head anterosuperiorly to 6 mm, over the neck 2-4 mm."""
    patient = smooth(patient_of(seed, PLAIN))
    phantom, heading = Phantom(patient), patient.bone.neck_heading_rad

    def thickness_mm(along: float, aside: float) -> float:
        depth = np.arange(0, 140, 0.02, dtype=np.float32)
        x = np.full_like(depth, along * np.cos(heading) + aside * np.sin(heading))
        y = np.full_like(depth, -along * np.sin(heading) + aside * np.cos(heading))
        section = phantom.section(x, y, depth - np.float32(patient.head_depth_mm), depth)
        return float(depth[(section.capsule_inner < 0).argmax()] - depth[(section.capsule_outer < 0).argmax()])

    superior, inferior = thickness_mm(2.0, 5.0), thickness_mm(2.0, -12.0)
    assert superior > inferior + 0.4
    assert superior <= 6.6
    assert 1.9 <= thickness_mm(phantom.junction_mm + 9.0, 0.0) <= 4.4


def test_spurs_stand_on_bone_at_junction_and_rim() -> None:
    for seed in SEEDS:
        patient = patient_of(seed, PLAIN.replace(osteophyte_share=1.0))
        phantom = Phantom(smooth(patient))
        assert patient.bone.osteophytes
        for spur in patient.bone.osteophytes:
            point = tuple(np.float32([component]) for component in spur.centre_mm)
            distance = phantom.acetabulum(*point) if spur.pelvic else phantom.femur(*point)[0]
            assert abs(float(distance[0])) < spur.radius_mm + 1.5


def test_effusions_have_grades() -> None:
    grades = Counter(
        patient_of(0, PLAIN.replace(effusion_share=1.0, effusion_mm=(mm, mm))).joint.effusion_grade
        for mm in (1.0, 3.0, 5.0)
    )
    assert grades == {"mild": 1, "moderate": 1, "large": 1}
    assert patient_of(0, PLAIN).joint.effusion_grade == "none"


@pytest.mark.parametrize(
    "shares", [{"vein_comma_share": 0.7, "vein_slit_share": 0.6}, {"dysplastic_share": 1.0, "cam_share": 1.0}]
)
def test_nobody_has_two_variants_of_one_thing(shares: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="at most 1"):
        SimulationConfig(**shares)


def test_a_share_of_one_forces_a_variant_whatever_the_others_are() -> None:
    for seed in SEEDS:
        assert patient_of(seed, SimulationConfig(cam_share=1.0)).bone.shape == "cam"
        assert patient_of(seed, SimulationConfig(dysplastic_share=1.0)).bone.shape == "dysplastic"
        vein = patient_of(seed, SimulationConfig(vein_slit_share=1.0)).vein
        assert vein.semi_z_mm <= 0.34 * vein.semi_x_mm
