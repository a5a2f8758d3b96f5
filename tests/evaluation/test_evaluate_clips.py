"""Clips with truth beside them: frames in order, the scan region's pixels, and what moves although nothing does."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_masks import box, disc
from grey_model import grey_of, write_grey_model
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from recordings import save, ultrasound_dataset

from hipseg.anatomy import FEMORAL_ARTERY, FEMORAL_HEAD, NEEDLE
from hipseg.cli.main import execute
from hipseg.evaluation.results import Results
from hipseg.io.masks import encode_mask

SHAPE = (100, 160)
REGION_XY = (12, 8)
SPACING_MM = (0.25, 0.25)
NUM_FRAMES = 6


def frame(shift: int, *, tip_x: int = 90, artery: bool = True) -> np.ndarray:
    labels_HW = np.zeros(SHAPE, np.uint8)
    labels_HW[box(60, 80, 20, 150, SHAPE)] = FEMORAL_HEAD
    if artery:
        labels_HW[disc(centre_xy=(50 + shift, 35), radius=12, shape=SHAPE)] = FEMORAL_ARTERY
    labels_HW[box(50, 52, 30, tip_x, SHAPE)] = NEEDLE
    return labels_HW


def write_clip(folder: Path, name: str, drawn: list[np.ndarray], *, tip_px: tuple[float, float] = (89.0, 51.0)) -> None:
    """A DICOM clip whose images show `drawn`, with the truth that nothing ever moves."""
    x, y = REGION_XY
    region = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 0,
        "RegionLocationMinX0": x,
        "RegionLocationMinY0": y,
        "RegionLocationMaxX1": SHAPE[1] - 1,
        "RegionLocationMaxY1": SHAPE[0] - 1,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.025,
        "PhysicalDeltaY": 0.025,
    }
    item = Dataset()
    for key, value in region.items():
        setattr(item, key, value)
    dicom = ultrasound_dataset([grey_of(one) for one in drawn])
    dicom.SequenceOfUltrasoundRegions = Sequence([item])
    save(dicom, folder / f"{name}.dcm")
    masks = io.BytesIO()
    with zipfile.ZipFile(masks, "w") as archive:
        for index in range(len(drawn)):
            archive.writestr(f"{index:06d}.png", encode_mask(frame(0)))
    (folder / f"{name}.masks.zip").write_bytes(masks.getvalue())
    lines = [
        {
            "frame": index,
            "time_s": index / 20,
            "spacing_mm": list(SPACING_MM),
            "view": "transverse",
            "patient": f"patient-{name}",
            "landmarks_px": {"needle_tip": tip_px, "needle_entry": (30.0, 50.5), "something_new": None},
            "target_px": None,
            "habitus": 0.1,
            "events": [],
        }
        for index in range(len(drawn))
    ]
    (folder / f"{name}.truth.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One clip at rest; one whose artery and tip jump by 4 pixels (1 mm) every other frame, and vanish at the end."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder, "still", [frame(0)] * NUM_FRAMES)
    restless = [frame(4 * (index % 2), tip_x=90 + 4 * (index % 2)) for index in range(NUM_FRAMES - 1)]
    write_clip(folder, "restless", [*restless, frame(0, artery=False)])
    return folder


@pytest.fixture(scope="module")
def results(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("evaluated")
    model = write_grey_model(folder)
    arguments = ["evaluate", str(clips), "--model", str(model), "--out", str(folder / "out"), "--workers", "1"]
    assert execute(arguments) == 0
    return Results.read(folder / "out")


def by_clip(results: Results, structure: str, metric: str, unit: str = "1") -> dict[str, list[float]]:
    values = results.values(structure, metric, unit)
    return values.groupby("clip")["value"].apply(list).to_dict()


def test_every_frame_is_measured_in_its_scan_region(results: Results) -> None:
    assert results.cases["clip"].value_counts().to_dict() == {"still": NUM_FRAMES, "restless": NUM_FRAMES}
    assert results.cases["depth_mm"].unique().tolist() == [0.25 * (SHAPE[0] - REGION_XY[1])]
    assert by_clip(results, "femoral_artery", "dice")["still"] == [1.0] * NUM_FRAMES
    assert by_clip(results, "needle", "tip_error", "mm")["still"] == [0.0] * NUM_FRAMES


def test_flicker_is_change_that_the_truth_does_not_have(results: Results) -> None:
    flicker = by_clip(results, "femoral_artery", "flicker")
    assert flicker["still"] == [0.0] * (NUM_FRAMES - 1)
    assert flicker["restless"][0] == pytest.approx(flicker["restless"][1])
    assert 0.2 < flicker["restless"][0] < 0.5
    assert flicker["restless"][-1] == 1.0
    assert by_clip(results, "femoral_artery", "presence_flip")["restless"] == [0.0] * (NUM_FRAMES - 2) + [1.0]


def test_a_tip_that_jumps_by_a_millimetre_has_that_jitter(results: Results) -> None:
    jitter = by_clip(results, "needle", "tip_jitter_at_rest", "mm")
    assert jitter["still"] == [0.0] * (NUM_FRAMES - 1)
    assert jitter["restless"] == pytest.approx([1.0] * (NUM_FRAMES - 2) + [0.0])


def test_figures_average_clips_and_not_frames(results: Results) -> None:
    flicker = results.record["stability"]["structures"]["femoral_artery"]["flicker"]
    assert (flicker["num_frames"], flicker["num_clips"], flicker["num_patients"]) == (10, 2, 2)
    assert results.record["data"]["split"] is None


def test_masks_of_clips_are_found_as_infer_writes_them(clips: Path, tmp_path: Path) -> None:
    x, y = REGION_XY
    for name in ("still", "restless"):
        folder = tmp_path / "masks" / name / "masks"
        folder.mkdir(parents=True)
        for index in range(NUM_FRAMES):
            (folder / f"{index:06d}.png").write_bytes(encode_mask(frame(0)[y:, x:]))
    out = tmp_path / "figures.json"
    arguments = ["evaluate", str(clips), "--predictions", str(tmp_path / "masks"), "--out", str(out), "--workers", "1"]
    # The clips' needle stands still, which no needle may that is to be believed by its motion.
    assert execute([*arguments, "guidance.tracking.require_motion=false"]) == 0
    found = json.loads(out.read_text())
    assert found["structures"]["femoral_artery"]["dice"]["mean"] == 1.0
    assert found["guidance"]["needle_tip"]["error_mm"]["median"] < 1.0


def broken(folder: Path, what: str) -> None:
    truth = folder / "still.truth.jsonl"
    lines = truth.read_text().splitlines()
    if what == "no recording":
        (folder / "still.dcm").unlink()
    elif what == "no masks":
        (folder / "still.masks.zip").unlink()
    elif what == "not a zip":
        (folder / "still.masks.zip").write_bytes(b"PK\x03\x04 nothing")
    elif what == "not JSON":
        truth.write_text("{\n")
    elif what == "twice":
        truth.write_text("\n".join([*lines, lines[0]]))
    elif what == "no patient":
        truth.write_text(json.dumps(json.loads(lines[0]) | {"patient": None}))
    elif what == "empty":
        truth.write_text("")
    elif what == "negative spacing":
        truth.write_text(json.dumps(json.loads(lines[0]) | {"spacing_mm": [-1, 1]}))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no recording", "no recording"),
        ("no masks", "masks of a clip"),
        ("not a zip", "masks of a clip"),
        ("not JSON", "not JSON"),
        ("twice", "ascending"),
        ("no patient", "patient"),
        ("empty", "ascending"),
        ("negative spacing", "spacing_mm"),
    ],
)
def test_broken_clips_are_refused(what: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path, "still", [frame(0)] * 2)
    broken(tmp_path, what)
    assert evaluate_masks(tmp_path) == 3
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("hipseg: ")
    assert message in last


def evaluate_masks(folder: Path) -> int:
    (folder / "masks").mkdir(exist_ok=True)
    out = folder / "out.json"
    command: list[Any] = ["evaluate", folder, "--predictions", folder / "masks", "--out", out, "--workers", "1"]
    return execute([str(word) for word in command])


def test_a_split_of_clips_is_refused(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["evaluate", str(clips), "--split", "test", "--out", str(tmp_path / "out.json")]) == 2
    assert "belong to no split" in capsys.readouterr().err


def test_frames_that_the_recording_lacks_are_counted(tmp_path: Path) -> None:
    write_clip(tmp_path, "still", [frame(0)] * 3)
    truth = tmp_path / "still.truth.jsonl"
    last = json.loads(truth.read_text().splitlines()[-1]) | {"frame": 9}
    truth.write_text(truth.read_text() + json.dumps(last) + "\n")
    masks = tmp_path / "masks" / "still"
    masks.mkdir(parents=True)
    for index in range(3):
        (masks / f"{index:06d}.png").write_bytes(encode_mask(frame(0)[REGION_XY[1] :, REGION_XY[0] :]))
    assert evaluate_masks(tmp_path) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["excluded"] == {"num": 1, "reasons": {"its recording has no frame 9": 1}}
