"""The page of an evaluation: what was measured stands there, with its n, and nothing comes from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from drawn_study import drawn_hip, write_study
from grey_model import write_grey_model

from hipseg.cli.main import execute
from hipseg.evaluation.inputs.dataset import open_dataset
from hipseg.evaluation.predictors.choice import PredictorChoice
from hipseg.evaluation.report.page import report_page, worst_cases
from hipseg.evaluation.report.pictures import Viewer, encoded
from hipseg.evaluation.report.wording import share_of, title_of, with_interval
from hipseg.evaluation.results import Results
from hipseg.evaluation.run import EvaluationRequest, evaluate
from hipseg.evaluation.values import MeasureValues


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_study(tmp_path_factory.mktemp("study") / "drawn", [0, 4, 8, 12])
    (root / "images" / "p1_1.png").write_bytes(b"broken")
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grey_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def folder(study: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "results"
    assert execute(["evaluate", str(study), "--model", str(model), "--out", str(out), "--workers", "1"]) == 0
    return out


def test_the_page_stands_by_itself_and_tells_where_it_comes_from(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page), "nothing from outside"
    assert "<script" not in page
    for told in ("hipseg evaluate", "grey 1.0.0", "commit", "Not a medical device", "not an image"):
        assert told in page, told


def test_every_part_that_was_measured_has_its_section(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    wanted = ["Structures", "Bone surface", "Needle", "View recognition", "Calibration", "Worst cases", "Left out"]
    assert [title for title in titles if title in wanted] == wanted
    assert "Stability in time" not in titles, "no clip, no stability"


def test_the_json_beside_it_is_the_record(folder: Path) -> None:
    assert json.loads((folder / "report.json").read_text()) == json.loads((folder / "results.json").read_text())


def test_the_worst_cases_come_first_and_a_clip_only_once(folder: Path) -> None:
    values = MeasureValues(Results.read(folder))
    worst = worst_cases(values, 3)
    assert worst["case"].tolist() == ["p3_0", "p3_1", "p2_0"]
    assert set(worst["structure"]) == {"femoral_artery"}
    assert worst["dice"].is_monotonic_increasing


def test_a_picture_shows_reference_and_prediction(study: Path, model: Path) -> None:
    batches = open_dataset(study, "test").batches
    pictures = Viewer(batches, PredictorChoice(str(model)).open()).pictures(["p0_0", "p3_0", "p1_1", "nobody"])
    assert sorted(pictures) == ["p0_0", "p3_0"], "what cannot be read has no picture"
    assert (pictures["p0_0"] != pictures["p3_0"]).any()
    alone = Viewer(batches).pictures(["p0_0"])["p0_0"]
    assert (alone != pictures["p0_0"]).any()
    assert encoded(alone, pictures["p0_0"]).startswith(b"\xff\xd8\xff")


def test_a_page_can_be_made_of_tables_alone(folder: Path) -> None:
    page = report_page(Results.read(folder)).render()
    assert "No pictures" in page
    assert "data:image/jpeg" not in page


def test_masks_have_neither_calibration_nor_view(study: Path, tmp_path: Path) -> None:
    from hipseg.io.masks import encode_mask

    for case in ("p0_0", "p1_0"):
        (tmp_path / f"{case}.png").write_bytes(encode_mask(drawn_hip()))
    results = evaluate(EvaluationRequest(study, PredictorChoice(predictions=tmp_path), num_workers=1))
    page = report_page(results).render()
    assert ">Calibration<" not in page
    assert "no prediction" in page


def test_words_for_figures() -> None:
    assert with_interval(0.5, [0.25, 0.75], decimals=2) == "0.50 [0.25, 0.75]"
    assert with_interval(0.5, None) == "0.500"
    assert with_interval(None, None) is None
    assert share_of({"share": 0.5, "interval": [0.1, 0.9], "num": 8}) == "50 % [10, 90] of 8"
    assert share_of({"share": None, "interval": None, "num": 0}) is None
    assert title_of("femoral_artery+femoral_vein") == "femoral artery or femoral vein"
    assert title_of("hd95_mm") == "HD95 mm"
