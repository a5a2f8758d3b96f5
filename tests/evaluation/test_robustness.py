"""The benchmark of robustness, on a model that reads grey levels: what each corruption must do to it is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn_masks import lens_dice
from drawn_study import RADIUS_PX, SPACING_MM, drawn_hip, write_study
from grey_model import grey_of, write_grey_model

from hipseg.anatomy import CLASS_NAMES
from hipseg.cli.main import execute
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.evaluation.inputs.dataset import open_dataset
from hipseg.evaluation.robustness.corruptions import shown_frames
from hipseg.evaluation.robustness.curves import curves_of, gives_in_at
from hipseg.evaluation.robustness.run import COLUMNS, evenly
from hipseg.io.masks import encode_mask


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study") / "drawn", [0, 0, 0], images_a_patient=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grey_model(tmp_path_factory.mktemp("model"))


def benchmark(*arguments: object) -> int:
    return execute(["benchmark", "robustness", *map(str, arguments), "--workers", "1"])


@pytest.fixture(scope="module")
def folder(study: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    assert benchmark(study, "--model", model, "--out", out) == 0
    return out


def curve(folder: Path, corruption: str, structure: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "robustness.json").read_text())["curves"][corruption][structure]
    return found


def test_a_clean_image_has_the_clean_score(folder: Path) -> None:
    point = curve(folder, "gain", "femoral_head")["points"][0]
    assert (point["grade"], point["score"], point["kept"]) == (0, 1.0, 1.0)
    assert (point["num_cases"], point["num_patients"]) == (3, 3)


def test_a_model_of_grey_levels_bears_what_moves_them_and_not_what_changes_them(folder: Path) -> None:
    for corruption in ("crop", "depth", "lost_contact"):
        assert curve(folder, corruption, "femoral_artery")["gives_in_at"] is None, corruption
    for corruption in ("gain", "contrast"):
        assert curve(folder, corruption, "femoral_artery")["gives_in_at"] in (1, 2), corruption


def test_the_tip_has_a_curve_of_its_own(folder: Path) -> None:
    points = curve(folder, "furniture", "needle_tip")["points"]
    assert points[0]["score"] == 1.0
    assert curve(folder, "contrast", "needle_tip")["gives_in_at"] is not None


def test_what_cannot_be_measured_says_why(folder: Path) -> None:
    page = (folder / "robustness.html").read_text()
    assert "these data hold no clip" in page
    assert "frame_drops" not in json.loads((folder / "robustness.json").read_text())["curves"]


def test_a_second_run_gives_the_same_figures(study: Path, model: Path, folder: Path, tmp_path: Path) -> None:
    assert (
        benchmark(study, "--model", model, "--corruption", "speckle", "--corruption", "motion", "--out", tmp_path) == 0
    )
    again = json.loads((tmp_path / "robustness.json").read_text())["curves"]
    first = json.loads((folder / "robustness.json").read_text())["curves"]
    assert again == {name: first[name] for name in ("speckle", "motion")}


def test_dropped_frames_show_old_anatomy(model: Path, tmp_path: Path) -> None:
    """The artery runs to the right: a frame that is late shows it where it is no more."""
    step_px, num_frames = 6, 12
    with DatasetWriter(tmp_path / "clip", DatasetManifest("clip", CLASS_NAMES[1:])) as writer:
        for frame in range(num_frames):
            labels_HW = drawn_hip(step_px * frame)
            writer.add(
                id=f"f{frame:02d}",
                image_HW=grey_of(labels_HW),
                labels_HW=labels_HW,
                patient="p",
                split="test",
                spacing_mm=SPACING_MM,
                clip="c",
                time_s=frame / 10,
            )
    assert benchmark(tmp_path / "clip", "--model", model, "--corruption", "frame_drops", "--out", tmp_path) == 0
    artery = curve(tmp_path, "frame_drops", "femoral_artery")
    for point, dropped_share in zip(artery["points"], (0.0, 0.1, 0.25, 0.5, 0.7, 0.85), strict=True):
        late = np.arange(num_frames) - shown_frames(num_frames, dropped_share, clip="c", seed=0)
        assert point["kept"] == pytest.approx(np.mean([lens_dice(RADIUS_PX, step_px * lag) for lag in late]), abs=0.01)
    assert artery["points"][-1]["kept"] < 0.9
    assert curve(tmp_path, "frame_drops", "femoral_head")["gives_in_at"] is None, "the bone rests"


def test_curves_compare_the_same_cases_at_every_grade() -> None:
    """A crop took the class out of the bad case: that is no gain."""
    rows = [("crop", 0, "needle", "good", "good", "p", 0.8), ("crop", 0, "needle", "bad", "bad", "q", 0.2),
            ("crop", 1, "needle", "good", "good", "p", 0.6)]  # fmt: skip
    points = curves_of(pd.DataFrame(rows, columns=list(COLUMNS)))["crop"]["needle"]
    assert points[0].score == pytest.approx(0.5)
    assert points[1].kept == pytest.approx(0.75)
    assert points[1].num_cases == 1
    assert gives_in_at(points) == 1


def test_without_a_clean_score_nothing_is_kept_or_lost() -> None:
    rows = [("blur", grade, "labrum", "c", "c", "p", 0.0) for grade in range(3)]
    points = curves_of(pd.DataFrame(rows, columns=list(COLUMNS)))["blur"]["labrum"]
    assert [point.kept for point in points] == [None] * 3
    assert gives_in_at(points) is None


def test_cases_are_spread_evenly(study: Path) -> None:
    collection = open_dataset(study, "test")
    assert evenly(collection, 2) == {"p0_0", "p2_0"}
    assert evenly(collection, None) == evenly(collection, 99) == {"p0_0", "p1_0", "p2_0"}


def test_masks_on_disk_are_refused(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p0_0.png").write_bytes(encode_mask(drawn_hip()))
    assert benchmark(study, "--model", tmp_path, "--out", tmp_path / "out") == 2
    assert "know nothing of corrupted images" in capsys.readouterr().err
