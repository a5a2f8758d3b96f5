"""Guidance from segmentation to record: what is known, what is withheld, and that it is the same every time."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import numpy as np
import pytest
from drawn_scenes import DrawnScene, landmark, segmentation_of

from hipseg import anatomy
from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.guidance.record import alert_records, frame_record
from hipseg.runtime.segmentation import Segmentation

HIP = DrawnScene()
DISTANCES = ["tip_to_target", "tip_to_artery", "tip_to_vein", "tip_to_nerve", "tip_to_bone", "path_to_vessel",
             "path_miss_target", "tip_to_labrum", "tip_to_flow", "path_to_nerve", "path_to_flow"]  # fmt: skip
MEASUREMENTS = ["neck_capsule_distance_mm", "capsule_thickness_mm", "recess_area_mm2", "recess_width_mm",
                "artery_diameter_mm", "vein_diameter_mm", "hyperaemia"]  # fmt: skip


def step(engine: GuidanceEngine, drawn: DrawnScene, index: int = 0, **changes: Any) -> Guidance:
    segmentation = changes.pop("segmentation", None) or drawn.segmentation()
    arguments = {"spacing": drawn.spacing, "region": drawn.region, "frame": index, "time_s": index / 30} | changes
    return engine.step(segmentation, **arguments)


def one(drawn: DrawnScene = HIP, config: GuidanceConfig | None = None, **changes: Any) -> dict[str, Any]:
    """The record of a single image."""
    record = frame_record(step(GuidanceEngine(config or GuidanceConfig(), still=True), drawn, **changes))
    return json.loads(json.dumps(record, allow_nan=False))  # type: ignore[no-any-return]


def nothing_is_claimed(record: dict[str, Any]) -> bool:
    withheld = [*record["distances_mm"].values(), *record["measurements"].values(), record["target"]["px"]]
    needle = {key: value for key, value in record["needle"].items() if key != "state"}
    return all(value is None for value in [*withheld, *needle.values()])


def test_a_record_has_every_field_of_the_contract() -> None:
    record = one()
    of_contract = ["frame", "time_s", "spacing_mm", "view", "structures", "needle", "target"]
    assert list(record)[:10] == [*of_contract, "distances_mm", "measurements", "alerts"]
    assert record["view"] == {"state": "recognised", "score": 0.97}
    assert list(record["structures"]) == list(anatomy.CLASS_NAMES[1:])
    assert all(list(found) == ["present", "area_mm2", "confidence"] for found in record["structures"].values())
    assert list(record["needle"]) == ["state", "tip_px", "entry_px", "tip_sigma_mm", "angle_deg", "speed_mm_s"]
    assert list(record["distances_mm"]) == DISTANCES
    assert list(record["measurements"]) == MEASUREMENTS


def test_a_hip_is_read_as_it_was_drawn() -> None:
    record = one()
    assert record["needle"]["state"] == "tracked"
    assert record["needle"]["tip_px"] == pytest.approx([400, 250], abs=4)
    assert record["needle"]["entry_px"] == pytest.approx([639, 52], abs=6)
    assert record["needle"]["angle_deg"] == pytest.approx(39.6, abs=0.5)
    assert record["needle"]["speed_mm_s"] is None
    assert record["target"]["px"] == pytest.approx([380, 325], abs=4)
    assert record["distances_mm"]["tip_to_artery"] == pytest.approx(np.hypot(32, 15) - 3.5, abs=0.3)
    assert record["distances_mm"]["tip_to_vein"] is None
    assert record["structures"]["femoral_vein"] == {"present": False, "area_mm2": None, "confidence": None}


def test_pixels_are_those_of_the_frame() -> None:
    shifted = one(region=ScanRegion(100, 50, HIP.width, HIP.height, "user"))
    plain = one()
    for path in (("needle", "tip_px"), ("needle", "entry_px"), ("target", "px")):
        assert np.subtract(shifted[path[0]][path[1]], plain[path[0]][path[1]]) == pytest.approx([100, 50], abs=0.02)


def test_the_mirrored_hip_gives_the_mirrored_guidance() -> None:
    plain, mirrored = one(), one(segmentation=segmentation_of(HIP.labels()[:, ::-1].copy()))
    assert mirrored["needle"]["tip_px"][0] == pytest.approx(639 - plain["needle"]["tip_px"][0], abs=1)
    assert mirrored["target"]["px"][0] == pytest.approx(639 - plain["target"]["px"][0], abs=2)
    for name in DISTANCES:
        expected = plain["distances_mm"][name]
        assert mirrored["distances_mm"][name] == (None if expected is None else pytest.approx(expected, abs=0.25))


@pytest.mark.parametrize("size", [(240, 320, 0.2), (960, 1280, 0.05), (1080, 1440, 0.0444)], ids=str)
def test_another_resolution_gives_the_same_millimetres(size: tuple[int, int, float]) -> None:
    height, width, pixel_mm = size
    plain, other = one(), one(HIP.with_(height=height, width=width, spacing=Spacing(pixel_mm, pixel_mm, "user")))
    for name in DISTANCES:
        expected = plain["distances_mm"][name]
        assert other["distances_mm"][name] == (None if expected is None else pytest.approx(expected, abs=0.25))


def test_without_scale_no_millimetre_is_told() -> None:
    record = one(spacing=None)
    assert record["spacing_mm"] is None
    assert record["needle"]["tip_px"] == pytest.approx([400, 250], abs=4)
    assert record["target"]["px"] is not None
    lengths = [*record["distances_mm"].values(), *record["measurements"].values()]
    lengths += [record["needle"][key] for key in ("tip_sigma_mm", "angle_deg", "speed_mm_s")]
    lengths += [found["area_mm2"] for found in record["structures"].values()]
    assert lengths == [None] * len(lengths)
    assert record["alerts"] == ["no_scale"]


def test_an_unrecognised_view_withdraws_guidance() -> None:
    record = one(HIP.with_(view_score=0.1))
    assert record["view"] == {"state": "unrecognised", "score": 0.1}
    assert record["needle"]["state"] is None
    assert nothing_is_claimed(record)
    assert "unrecognised_view" in record["alerts"]
    assert record["structures"]["femoral_head"]["present"]


def test_the_view_check_can_be_switched_off() -> None:
    record = one(HIP.with_(view_score=0.1), GuidanceConfig(view_check=False))
    assert record["view"]["state"] == "unrecognised"
    assert record["needle"]["tip_px"] is not None
    assert "unrecognised_view" not in record["alerts"]


def test_an_uncertain_view_keeps_guidance() -> None:
    record = one(HIP.with_(view_score=0.4))
    assert record["view"]["state"] == "uncertain"
    assert record["needle"]["state"] == "tracked"


def broken(seg: Segmentation, **changes: Any) -> Segmentation:
    return dataclasses.replace(seg, **changes)


def with_a_nan() -> Segmentation:
    seg = HIP.segmentation()
    seg.probabilities_CHW[3, 17, 40] = np.nan
    return seg


def test_probabilities_that_are_not_numbers_say_nothing() -> None:
    record = one(segmentation=with_a_nan(), config=GuidanceConfig(view_check=False))
    assert nothing_is_claimed(record)
    assert not any(found["present"] for found in record["structures"].values())


def test_a_view_score_that_is_no_number_is_unrecognised() -> None:
    record = one(segmentation=broken(HIP.segmentation(), view_score=float("nan")))
    assert record["view"] == {"state": "unrecognised", "score": None}
    assert nothing_is_claimed(record)


@pytest.mark.parametrize("class_id", range(anatomy.NUM_CLASSES))
def test_one_class_over_the_whole_image_claims_no_needle_and_no_target(class_id: int) -> None:
    record = one(segmentation=segmentation_of(np.full((480, 640), class_id, dtype=np.uint8)))
    assert record["needle"]["state"] == "absent"
    assert nothing_is_claimed({**record, "measurements": {}})


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)], ids=str)
def test_the_smallest_images_are_survived(size: tuple[int, int]) -> None:
    labels = np.full(size, anatomy.NEEDLE, dtype=np.uint8)
    region = ScanRegion(0, 0, size[1], size[0], "full")
    assert one(segmentation=segmentation_of(labels), region=region)["needle"]["tip_px"] is None


def test_noise_is_survived() -> None:
    rng = np.random.default_rng(7)
    engine = GuidanceEngine(GuidanceConfig(view_check=False))
    for index in range(5):
        labels = rng.integers(0, anatomy.NUM_CLASSES, (120, 160), dtype=np.uint8)
        record = frame_record(step(engine, HIP, index, segmentation=segmentation_of(labels)))
        assert record["needle"]["state"] == "absent"


def approaching_the_artery(index: int) -> DrawnScene:
    """The tip moves towards the artery at 12 mm/s."""
    tip, coarse = (30.0 - 0.4 * index, 10.0), Spacing(0.2, 0.2, "user")
    return HIP.with_(
        height=240,
        width=320,
        spacing=coarse,
        tip=tip,
        entry=(63.0, 9.0),
        landmarks={"needle_tip": landmark(tip, coarse)},
    )


def test_a_needle_that_comes_near_the_artery_is_warned_of_in_time() -> None:
    engine = GuidanceEngine(GuidanceConfig())
    records = [record for k in range(50) for record in alert_records(step(engine, approaching_the_artery(k), k))]
    raised = {record["id"]: record for record in records if record["event"] == "raised"}
    assert raised["vessel_contact"]["priority"] == "high"
    entry_frame = next(k for k in range(50) if 30.0 - 0.4 * k < 11.5)
    assert raised["vessel_contact"]["frame"] < entry_frame - 6
    assert raised["vessel_proximity"]["value"] < 5.0
    assert list(raised["vessel_contact"]) == [
        "id",
        "priority",
        "event",
        "frame",
        "time_s",
        "value",
        "threshold",
        "message",
    ]


def test_the_same_clip_gives_the_same_bytes() -> None:
    def play() -> str:
        engine = GuidanceEngine(GuidanceConfig())
        return "\n".join(json.dumps(frame_record(step(engine, approaching_the_artery(k), k))) for k in range(6))

    assert play() == play()


def test_a_clip_whose_scale_and_clock_jump_is_survived() -> None:
    engine = GuidanceEngine(GuidanceConfig())
    for index, changes in enumerate([{}, {"time_s": -5.0}, {"spacing": None}, {"spacing": Spacing(0.2, 0.3, "user")}]):
        record = frame_record(step(engine, HIP, index, **changes))
        assert record["needle"]["speed_mm_s"] is None


def test_guidance_takes_a_few_milliseconds() -> None:
    engine, segmentation = GuidanceEngine(GuidanceConfig()), HIP.segmentation()
    times_s = []
    for index in range(30):
        begin_s = time.process_time()
        step(engine, HIP, index, segmentation=segmentation)
        times_s.append(time.process_time() - begin_s)
    assert np.median(times_s) < 0.012  # 3 ms when the machine is quiet


def test_a_thin_branch_counts_where_a_speck_of_another_structure_does_not() -> None:
    """Branches are 1 mm across and less; the truth of a procedure that passed one by showed it."""
    labels = HIP.with_(artery=None, vein=None).labels()
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]] * HIP.spacing.row_mm
    for class_id, expected in ((anatomy.FEMORAL_ARTERY, True), (anatomy.FEMORAL_VEIN, False)):
        drawn = labels.copy()
        drawn[np.hypot(x - 30.0, y - 12.0) <= 0.45] = class_id
        found = GuidanceEngine(GuidanceConfig(), still=True).step(
            segmentation_of(drawn), frame=0, time_s=0.0, spacing=HIP.spacing, region=HIP.region
        )
        assert found.structures[anatomy.STRUCTURES[class_id].name].present == expected
