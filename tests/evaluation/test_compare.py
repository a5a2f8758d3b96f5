"""`hipseg compare` from the command line: what was drawn differs as it was drawn, and every page stands by itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_masks import lens_dice
from drawn_study import RADIUS_PX, drawn_hip, write_study
from grey_model import write_grey_model

from hipseg.cli.main import execute
from hipseg.io.masks import encode_mask

SHIFTS_PX = [0, 4, 8, 12]
GAINS = [1 - lens_dice(RADIUS_PX, shift) for shift in SHIFTS_PX]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study") / "drawn", SHIFTS_PX)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grey_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masks that are the truth, of all cases but one."""
    folder = tmp_path_factory.mktemp("masks") / "perfect"
    folder.mkdir()
    for patient in range(len(SHIFTS_PX)):
        for image in range(2):
            if (patient, image) != (0, 1):
                (folder / f"p{patient}_{image}.png").write_bytes(encode_mask(drawn_hip()))
    return folder


@pytest.fixture(scope="module")
def evaluated(study: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "results"
    assert execute(["evaluate", str(study), "--model", str(model), "--out", str(out), "--workers", "1"]) == 0
    return out


def compare(*arguments: object) -> int:
    return execute(["compare", *map(str, arguments), "--workers", "1"])


@pytest.fixture(scope="module")
def compared(evaluated: Path, perfect: Path, study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "compare"
    assert compare(evaluated, perfect, "--data", study, "--out", out) == 0
    return out


def dice_of_artery(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "compare.json").read_text())["differences"]
    return next(each for each in found if (each["structure"], each["metric"]) == ("femoral_artery", "dice"))


def test_the_difference_is_the_drawn_one(compared: Path) -> None:
    found = dice_of_artery(compared)
    assert found["difference"] == pytest.approx(np.mean(GAINS), abs=0.005)
    assert found["candidate_mean"] == 1.0
    assert (found["wins"], found["losses"], found["ties"]) == (6, 0, 1)
    assert (found["num_cases"], found["num_patients"]) == (7, 4)
    assert found["interval"][0] < found["difference"] < found["interval"][1]
    assert found["effect"] == 1.0


def test_the_page_shows_both_models_and_names_what_was_left_out(compared: Path) -> None:
    page = (compared / "compare.html").read_text()
    assert page.count("data:image/jpeg") == 6, "the six cases that changed"
    assert "no prediction" in page
    assert "p0_1" in page
    assert "p3_0: " in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "nothing from outside"


def test_a_second_comparison_gives_the_same_bytes(
    compared: Path, evaluated: Path, perfect: Path, study: Path, tmp_path: Path
) -> None:
    assert compare(evaluated, perfect, "--data", study, "--out", tmp_path) == 0
    for name in ("compare.html", "compare.json"):
        first, second = ((folder / name).read_text() for folder in (compared, tmp_path))
        assert first.replace(str(compared), "") == second.replace(str(tmp_path), "")


def test_results_find_their_pictures_again(evaluated: Path, tmp_path: Path) -> None:
    assert compare(evaluated, evaluated, "--out", tmp_path) == 0
    found = dice_of_artery(tmp_path)
    assert (found["difference"], found["p_value"], found["ties"]) == (0.0, None, 8)
    assert "No case changed" in (tmp_path / "compare.html").read_text()


def test_several_candidates_meet_one_baseline(
    evaluated: Path, perfect: Path, model: Path, study: Path, tmp_path: Path
) -> None:
    assert compare(evaluated, perfect, model, "--data", study, "--metric", "hd95", "--out", tmp_path) == 0
    pairs = json.loads((tmp_path / "compare.json").read_text())["pairs"]
    assert [each["candidate"] for each in pairs] == ["perfect", "grey 1.0.0 (grey.onnx)"]
    assert {each["baseline"] for each in pairs} == {"grey 1.0.0 (results)"}


def test_the_verb_refuses_what_it_cannot_compare(
    evaluated: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_study(tmp_path / "other", [0, 0, 0], name="other")
    for arguments, message in (
        ((evaluated,), "two or more"),
        ((evaluated, model), "name the data with --data"),
        ((evaluated, model, "--data", other), "made on different data ('drawn' and 'other')"),
        ((evaluated, evaluated, "--metric", "dise"), "did you mean 'dice'"),
        ((evaluated, tmp_path / "nothing"), "no folder of results"),
    ):
        assert compare(*arguments, "--out", tmp_path / "out") == 2, arguments
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
