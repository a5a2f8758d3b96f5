"""Clips on disk: colour, gaps in time, masks, events, a full disk; read back by other software."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image

from hipseg import anatomy
from hipseg.cli.main import execute
from hipseg.data.manifest import load_dataset, read_image
from hipseg.io import list_clips, open_source

SMALL = ("simulation.pixel_mm=[0.14,0.14]", "simulation.curvilinear_share=0", "num_workers=1")


def simulate(*arguments: object) -> int:
    return execute(["simulate", *map(str, arguments), *SMALL])


def truth_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "procedure_0000.truth.jsonl").read_text().splitlines()]


def members(archive: Path) -> list[np.ndarray]:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        names = sorted(opened.namelist())
        return [cv2.imdecode(np.frombuffer(opened.read(name), np.uint8), cv2.IMREAD_UNCHANGED) for name in names]


def labels(archive: Path) -> list[np.ndarray]:
    with zipfile.ZipFile(archive) as opened:
        return [np.asarray(Image.open(io.BytesIO(opened.read(name)))) for name in sorted(opened.namelist())]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 24 frames of a colour Doppler survey, which is on from frame 20."""
    folder = tmp_path_factory.mktemp("survey")
    assert simulate(f"out={folder}", "format=dicom", "scenario=doppler_survey", "num_frames=24", "seed=3") == 0
    return folder


def test_a_clip_with_doppler_is_in_colour(survey: Path) -> None:
    dataset = pydicom.dcmread(survey / "procedure_0000.dcm")
    assert dataset.PhotometricInterpretation == "YBR_FULL_422"
    assert [region.RegionDataType for region in dataset.SequenceOfUltrasoundRegions] == [1, 2]
    pixels = dataset.pixel_array.astype(int)
    assert pixels.shape == (24, dataset.Rows, dataset.Columns, 3)
    colourful = np.abs(pixels - pixels.mean(axis=3, keepdims=True)).max(axis=3) > 40
    assert not colourful[:20].any()
    truth = truth_of(survey)
    for index in range(20, 24):
        box = np.array(truth[index]["doppler"]["box_px"])
        inside = cv2.fillPoly(np.zeros(colourful[0].shape, np.uint8), [np.rint(box).astype(np.int32)], 1) > 0
        vessels = np.isin(labels(survey / "procedure_0000.masks.zip")[index], anatomy.VESSELS)
        flowing = colourful[index] & inside
        assert flowing.sum() > 100
        # JPEG's chroma is coarser than its lightness: colour bleeds by some pixels.
        assert (
            flowing & ~cv2.dilate(vessels.astype(np.uint8), np.ones((9, 9))).astype(bool)
        ).sum() < 0.05 * flowing.sum()
    assert all(line["doppler"] is None for line in truth[:20])


def test_hipseg_reads_its_scale_from_the_tissue_region(survey: Path) -> None:
    source = open_source(list_clips(str(survey))[0].spec)
    frame = next(iter(source.frames()))
    assert frame.spacing is not None
    assert frame.spacing.row_mm == pytest.approx(truth_of(survey)[0]["spacing_mm"][0])
    source.close()


def test_whole_structures_hold_all_that_is_drawn(survey: Path) -> None:
    whole = members(survey / "procedure_0000.amodal.zip")
    drawn = labels(survey / "procedure_0000.masks.zip")
    assert len(drawn) == len(whole) == 24
    for labels_HW, bits_HW in zip(drawn, whole, strict=True):
        assert bits_HW.dtype == np.uint16
        for structure in np.unique(labels_HW[labels_HW > 0]):
            assert (bits_HW[labels_HW == structure] >> structure & 1).all()


def test_events_stand_in_a_record_of_their_own(survey: Path) -> None:
    record = json.loads((survey / "procedure_0000.scenario.json").read_text())
    assert (record["scenario"], record["num_frames"], record["has_needle"]) == ("doppler_survey", 24, False)
    (event,) = [event for event in record["events"] if event["kind"] == "scripted"]
    assert (event["name"], event["frame"], event["time_s"]) == ("doppler_on", 20, 1.0)
    assert "doppler_on" in truth_of(survey)[20]["events"]
    assert (survey / "procedure_0000.preview.webp").is_file()


@pytest.mark.parametrize("format_", ["dicom", "mp4"])
def test_dropped_frames_are_gaps_in_the_recordings_times(format_: str, tmp_path: Path) -> None:
    script = tmp_path / "gap.yaml"
    script.write_text(
        "summary: A gap.\nview: transverse\nduration_s: 1\nframe_rate_hz: 20\n"
        "actions:\n  - drop_frames: {at_s: 0.2, for_s: 0.4}\n"
    )
    assert simulate(f"out={tmp_path}/out", f"format={format_}", f"scenario={script}") == 0
    source = open_source(list_clips(str(tmp_path / "out"))[0].spec)
    times_s = [frame.time_s for frame in source.frames()]
    source.close()
    truth = truth_of(tmp_path / "out")
    assert len(truth) == 12
    assert times_s == pytest.approx([line["time_s"] for line in truth], abs=1e-3)
    assert truth[4]["dropped_before"] == 8
    if format_ == "dicom":
        dataset = pydicom.dcmread(tmp_path / "out" / "procedure_0000.dcm")
        assert [float(step) for step in dataset.FrameTimeVector[:6]] == pytest.approx([0, 50, 50, 50, 450, 50])


def test_scenarios_are_taken_in_turn(tmp_path: Path) -> None:
    arguments = (f"out={tmp_path}/out", "format=png", "scenario=[no_needle,vein_collapses]", "num_cases=3")
    assert simulate(*arguments, "num_frames=1") == 0
    records = [json.loads((tmp_path / "out" / f"procedure_{case:04d}.scenario.json").read_text()) for case in range(3)]
    assert [record["scenario"] for record in records] == ["no_needle", "vein_collapses", "no_needle"]
    assert len({record["patient"] for record in records}) == 3


def test_a_data_set_of_procedures_holds_frames_in_a_row(tmp_path: Path) -> None:
    arguments = (f"out={tmp_path}/out", "scenario=[effusion,no_needle]", "clip_frames=3", "num_cases=2", "seed=4")
    assert simulate(*arguments) == 0
    _, cases = load_dataset(tmp_path / "out")
    assert [case.clip for case in cases] == ["case_000000"] * 3 + ["case_000001"] * 3
    for clip in (cases[:3], cases[3:]):
        times_s = [case.time_s for case in clip]
        assert np.diff(times_s) == pytest.approx(0.05)
        images = [read_image(tmp_path / "out", case).astype(float) for case in clip]
        assert np.corrcoef(images[0].ravel(), images[1].ravel())[0, 1] > 0.8
        assert len({case.patient for case in clip}) == 1


def test_a_sheet_shows_every_scenario_asked_for(tmp_path: Path) -> None:
    assert simulate(f"out={tmp_path}", "format=sheet", "scenario=[prosthesis,doppler_survey]") == 0
    sheet = cv2.imread(str(tmp_path / "scenarios.webp"))
    assert sheet.shape[1] == 1330
    colourful = np.ptp(sheet.astype(int), axis=2).max(axis=1) > 80
    assert colourful[sheet.shape[0] // 2 :].any(), "Doppler in the second row"


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are a POSIX matter")
def test_a_disk_that_takes_no_more_is_told_and_the_run_goes_on_later(tmp_path: Path) -> None:
    arguments = f"out={tmp_path}/out format=dicom scenario=no_needle num_frames=6 num_cases=1"
    command = f"simulate {arguments} {' '.join(SMALL)}"
    hipseg = f"{shlex.quote(sys.executable)} -c 'from hipseg.cli.main import run; run()'"
    limited = ["bash", "-c", f"ulimit -f 60; {hipseg} {command}"]
    full = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert full.returncode == 2
    lines = [line for line in full.stderr.splitlines() if "clips" not in line]
    assert len(lines) == 1
    assert "cannot be written" in lines[0]
    assert not (tmp_path / "out" / "procedure_0000.truth.jsonl").exists()
    assert execute(command.split()) == 0
    fresh = command.replace(f"{tmp_path}/out", f"{tmp_path}/fresh")
    assert execute(fresh.split()) == 0
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")
