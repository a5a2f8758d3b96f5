"""`hipseg data preview` and `hipseg data report`: one page each, with the figures that a count by hand gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hip_scenes import CLASSES, hip_scene, read_records, write_hips, write_records

from hipseg import DISCLAIMER
from hipseg.cli.main import execute
from hipseg.data.augment import AugmentConfig, parts_of
from hipseg.data.presets import augment_preset
from hipseg.data.sample import Sample, landmark_array, membership


@pytest.fixture(scope="module")
def hips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_hips(tmp_path_factory.mktemp("hips"))
    records = read_records(root)
    records[0]["annotated"] = ["femoral_head", "needle"]  # nobody looked for the artery
    records[1]["spacing_mm"] = None
    write_records(root, records)
    return root


def test_the_report_tells_what_is_in_the_data_set(hips: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert execute(["data", "report", str(hips), "--out", str(page), "--pictures", "6", "--workers", "1"]) == 0
    figures = json.loads(page.with_suffix(".json").read_text())
    assert figures["splits"]["train"] == {"images": 4, "patients": 4}
    assert figures["classes"]["femoral_head"] == {"train": [4, 4], "val": [2, 2], "test": [2, 2]}
    assert figures["classes"]["femoral_artery"]["train"] == [3, 3]
    assert figures["classes"]["labrum"]["train"] == [0, 0]
    artery = figures["sizes"]["femoral_artery"]
    assert artery["thickness_mm"]["p50"] == pytest.approx(36 * 0.2, abs=0.3)
    assert artery["depth_mm"]["p50"] == pytest.approx(100 * 0.2, abs=0.2)
    assert artery["area_mm2"]["p50"] == pytest.approx(np.pi * 18**2 * 0.04, rel=0.12)
    assert figures["images"]["scale_unknown"] == 1
    assert figures["findings"] == {"scale_missing": 1, "unannotated_class": 1}
    shown = page.read_text()
    assert DISCLAIMER in shown
    assert "CC0-1.0" in shown
    assert shown.count("<svg") == 2
    assert shown.count("data:image/jpeg") > 6
    assert 'src="http' not in shown


def test_the_preview_shows_every_part_alone_and_all_together(hips: Path, tmp_path: Path) -> None:
    page = tmp_path / "preview.html"
    assert execute(["data", "preview", str(hips), "--out", str(page), "--cases", "1"]) == 0
    first = page.read_text()
    parts = parts_of(AugmentConfig.from_mapping(augment_preset("strong")))
    assert len(parts) == 22
    for name in parts:
        assert f"{name}<" in first
    assert first.count("data:image/jpeg") == 1 + len(parts) + 8
    assert execute(["data", "preview", str(hips), "--out", str(page), "--cases", "1"]) == 0
    assert page.read_text() == first


def test_every_part_alone_changes_something() -> None:
    image_HW, labels_HW = hip_scene(0)
    sample = Sample(
        image_HW, labels_HW * (labels_HW != 4), membership(CLASSES, {}), landmark_array({}), 1.0, (0.2, 0.2)
    )
    for name, part in parts_of(AugmentConfig.from_mapping(augment_preset("strong"))).items():
        changed = [part(sample, np.random.default_rng(seed)).image_HW for seed in range(6)]
        assert any(not np.array_equal(image, image_HW) for image in changed), name


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["report", "{tmp}/nowhere"], 3, "cases.jsonl: cannot be read"),
        (["preview", "{tmp}/nowhere"], 3, "manifest.json: cannot be read"),
        (["preview", "{hips}", "--preset", "strnog"], 2, "did you mean 'strong'"),
        (["preview", "{hips}", "--split", "valid"], 3, "no case in split 'valid'"),
        (["report", "{hips}", "--out", "{tmp}/file/report.html"], 2, "cannot be written"),
    ],
)
def test_refusals_are_one_line(
    hips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    exit_code: int,
    message: str,
) -> None:
    (tmp_path / "file").write_text("")
    filled = [argument.replace("{tmp}", str(tmp_path)).replace("{hips}", str(hips)) for argument in arguments]
    assert execute(["data", *filled]) == exit_code
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
