"""hipseg infer from recordings to results: real decoding, real onnxruntime, a model that knows the answer."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pydicom
import pytest
from drawn_clips import PATIENT, approaching_needle, images_of, write_dicom_clip, write_images
from drawn_scenes import DrawnScene
from grey_model import grey_of, write_grey_model

from hipseg.cli.main import execute

NUM_FRAMES = 24


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grey_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    return write_dicom_clip(folder / "needle.dcm", images_of(approaching_needle(NUM_FRAMES)))


@pytest.fixture(scope="module")
def session(clip: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one complete run."""
    out = tmp_path_factory.mktemp("out") / "session"
    assert infer(clip, out, model, "--masks", "--dicom-seg") == 0
    return out


def infer(source: Path | str, out: Path, model: Path | str, *others: str) -> int:
    return execute(["infer", str(source), "--out", str(out), "--model", str(model), *others])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "session.json").read_text())  # type: ignore[no-any-return]


def frames_of_video(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_every_result_of_the_contract_is_there(session: Path) -> None:
    expected = {"session.json", "frames.jsonl", "alerts.jsonl", "overlay.mp4", "masks", "segmentation.dcm"}
    assert {path.name for path in session.iterdir()} == expected | {"report.html", "replay"}
    assert [path.name for path in sorted((session / "masks").iterdir())] == [f"{k:06d}.png" for k in range(NUM_FRAMES)]
    assert len(frames_of_video(session / "overlay.mp4")) == NUM_FRAMES


def test_the_needle_is_followed_to_a_fraction_of_a_millimetre(session: Path) -> None:
    records = lines(session / "frames.jsonl")
    states = [record["needle"]["state"] for record in records]
    first = states.index("tracked")
    assert set(states[:first]) <= {"absent"}, "not believed before it has moved along itself"
    assert first <= NUM_FRAMES / 2
    for record, scene in list(zip(records, approaching_needle(NUM_FRAMES), strict=True))[first:]:
        assert scene.tip is not None
        assert record["needle"]["state"] == "tracked"
        assert record["needle"]["tip_px"] == pytest.approx(np.divide(scene.tip, 0.2), abs=3)
        assert record["spacing_mm"] == [0.2, 0.2]
    assert record["time_s"] == pytest.approx((NUM_FRAMES - 1) * 0.04)
    assert record["needle"]["speed_mm_s"] == pytest.approx(0.4 / 0.04, rel=0.35)
    assert list(record)[-1] == "latency_ms"
    assert set(record["latency_ms"]) == {"preprocess", "inference", "guidance", "overlay", "total"}


def test_masks_and_segmentation_hold_the_labels_of_the_source_frame(session: Path) -> None:
    for index, scene in enumerate(approaching_needle(2)):
        stored = cv2.imread(str(session / "masks" / f"{index:06d}.png"), cv2.IMREAD_UNCHANGED)
        assert stored.shape[:2] == (240, 320)
        counts = Counter(scene.labels().ravel().tolist())
        assert len(np.unique(stored.reshape(-1, stored.shape[-1] if stored.ndim == 3 else 1), axis=0)) == len(counts)
    assert pydicom.dcmread(session / "segmentation.dcm").Modality == "SEG"


def test_the_summary_tells_what_ran_on_what(session: Path) -> None:
    record = summary(session)
    assert record["state"] == "complete"
    assert record["model"]["name"] == "grey"
    assert len(record["model"]["sha256"]) == 64
    assert record["source"] == "needle"
    assert record["frame_count"] == NUM_FRAMES
    assert record["size"] == {"height": 240, "width": 320}
    assert record["spacing_origin"] == "dicom_region"
    assert record["dropped_frames"] == 0
    for stage in ("source", "preprocess", "inference", "guidance", "overlay", "total", "record"):
        assert record["latency_ms"][stage]["p50"] > 0
    assert record["fps"] > 0


def test_alert_counts_are_those_of_the_alert_lines(session: Path) -> None:
    raised = Counter(line["id"] for line in lines(session / "alerts.jsonl") if line["event"] == "raised")
    assert raised
    assert summary(session)["alert_counts"] == raised


def test_nothing_of_the_patient_is_written(session: Path) -> None:
    for path in session.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert PATIENT.split("^")[0].encode() not in content, path.name
            assert b"PX-4711-Q" not in content, path.name


def test_two_runs_write_the_same_bytes_but_for_latencies(
    session: Path, clip: Path, model: Path, tmp_path: Path
) -> None:
    assert infer(clip, tmp_path / "again", model, "--no-overlay") == 0

    def without_latency(out: Path) -> list[str]:
        return [line.split(', "latency_ms"')[0] for line in (out / "frames.jsonl").read_text().splitlines()]

    assert without_latency(tmp_path / "again") == without_latency(session)
    assert (tmp_path / "again" / "alerts.jsonl").read_bytes() == (session / "alerts.jsonl").read_bytes()
    assert not (tmp_path / "again" / "overlay.mp4").exists()


def test_one_image_gives_a_picture_and_its_alerts_at_once(model: Path, tmp_path: Path) -> None:
    image = write_images(tmp_path / "images", images_of([DrawnScene()])) / "frame_000.png"
    assert infer(image, tmp_path / "out", model) == 0
    assert cv2.imread(str(tmp_path / "out" / "overlay.png")) is not None
    assert not (tmp_path / "out" / "overlay.mp4").exists()
    (record,) = lines(tmp_path / "out" / "frames.jsonl")
    assert record["spacing_mm"] is None
    assert record["alerts"] == ["no_scale"]


def test_a_folder_of_images_is_one_clip(model: Path, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", images_of(approaching_needle(4)))
    assert infer(folder, tmp_path / "out", model, "--spacing", "0.2", "--frame-rate", "20") == 0
    records = lines(tmp_path / "out" / "frames.jsonl")
    assert [record["time_s"] for record in records] == pytest.approx([0, 0.05, 0.1, 0.15])
    assert records[-1]["spacing_mm"] == [0.2, 0.2]
    assert summary(tmp_path / "out")["spacing_origin"] == "user"


def test_pixels_are_of_the_source_frame_whatever_the_region(model: Path, tmp_path: Path) -> None:
    framed = np.full((300, 420), 10, dtype=np.uint8)
    framed[40:280, 60:380] = grey_of(approaching_needle(1)[0].labels())
    folder = write_images(tmp_path / "images", framed[None])
    options = ("--spacing", "0.2", "--region", "60,40,320,240", "--masks")
    assert infer(folder / "frame_000.png", tmp_path / "out", model, *options) == 0
    (record,) = lines(tmp_path / "out" / "frames.jsonl")
    assert record["needle"]["tip_px"] == pytest.approx([50 / 0.2 + 60, 17 / 0.2 + 40], abs=3)
    assert summary(tmp_path / "out")["region"] == {"x": 60, "y": 40, "width": 320, "height": 240, "origin": "user"}
    assert cv2.imread(str(tmp_path / "out" / "masks" / "000000.png")).shape[:2] == (300, 420)


def test_a_broken_clip_among_good_ones_is_reported_and_passed(
    clip: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study"
    study.mkdir()
    shutil.copy(clip, study / "a.dcm")
    (study / "b.dcm").write_bytes(clip.read_bytes()[:600])
    shutil.copy(clip, study / "c.dcm")
    assert infer(study, tmp_path / "out", model, "--no-overlay") == 3
    said = capsys.readouterr().err.splitlines()
    assert "b.dcm" in said[0]
    assert said[-1].startswith("hipseg: ")
    assert "1 of 3 clips" in said[-1]
    for name in ("a", "c"):
        assert len(lines(tmp_path / "out" / name / "frames.jsonl")) == NUM_FRAMES
    states = {clip["name"]: clip["state"] for clip in summary(tmp_path / "out")["clips"]}
    assert states == {"a": "complete", "b": "failed", "c": "complete"}


def test_a_settings_file_and_assignments_reach_guidance(clip: Path, model: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("guidance: {alerts: {steep_angle: {raise_at: 20, clear_at: 15}}}")
    out = tmp_path / "out"
    assert (
        infer(clip, out, model, "--no-overlay", "--config", str(file), "guidance.alerts.steep_angle.raise_frames=1")
        == 0
    )
    assert "steep_angle" in lines(out / "frames.jsonl")[-1]["alerts"]
    assert summary(out)["settings"] == {
        "guidance.alerts.steep_angle.raise_at": 20.0,
        "guidance.alerts.steep_angle.clear_at": 15.0,
        "guidance.alerts.steep_angle.raise_frames": 1,
    }


def test_a_setting_may_stand_before_the_source(clip: Path, model: Path, tmp_path: Path) -> None:
    command = ["infer", "guidance.view_check=off", str(clip), "--no-overlay", "--model", str(model)]
    assert execute([*command, "--out", str(tmp_path / "out")]) == 0
    assert summary(tmp_path / "out")["settings"] == {"guidance.view_check": False}


def test_an_unrecognised_view_writes_masks_but_no_guidance(model: Path, tmp_path: Path) -> None:
    dark = write_images(tmp_path / "dark", np.full((1, 240, 320), 12, dtype=np.uint8)) / "frame_000.png"
    assert infer(dark, tmp_path / "out", model, "--masks", "--spacing", "0.2") == 0
    (record,) = lines(tmp_path / "out" / "frames.jsonl")
    assert record["view"]["state"] == "unrecognised"
    assert "unrecognised_view" in record["alerts"]
    assert set(record["distances_mm"].values()) == {None}
    assert (tmp_path / "out" / "masks" / "000000.png").is_file()
