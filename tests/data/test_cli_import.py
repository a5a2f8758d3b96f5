"""`hipseg data import` as a user calls it: propose, decide, import, be killed, go on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from tool_exports import HEIGHT, WIDTH, blocks, cases_by_id, labels_by_id, write_json, write_picture

from hipseg.cli.main import execute
from hipseg.io.masks import encode_mask

SQUARE = [10, 10, 40, 10, 40, 40, 10, 40]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Five pictures of a COCO file; two have broken annotations, two labels need a decision."""
    root = tmp_path / "coco"
    for number in range(5):
        write_picture(root / f"us_{10 * number}.png", number)
    images = [{"id": n, "file_name": f"us_{10 * n}.png", "height": HEIGHT, "width": WIDTH} for n in range(5)]
    categories = [{"id": 1, "name": "needle"}, {"id": 2, "name": "Vessel"}, {"id": 3, "name": "sartorius"}]
    shapes = [(0, 1, SQUARE), (1, 2, SQUARE), (2, 3, SQUARE), (3, 1, SQUARE[:4]), (4, 9, SQUARE)]
    annotations = [
        {"id": number, "image_id": image, "category_id": category, "segmentation": [points]}
        for number, (image, category, points) in enumerate(shapes)
    ]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_json(root / "instances.json", content)
    return root


def test_a_dry_run_proposes_a_mapping_and_tells_what_would_come(
    coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["data", "import", str(coco), "--dry-run"]) == 3
    told = capsys.readouterr()
    mapping = yaml.safe_load(told.out)
    assert mapping["labels"] == {
        "needle": "needle", "Vessel": ["femoral_artery", "femoral_vein"], "sartorius": "unknown",
    }  # fmt: skip
    assert "5 images of 5 persons or groups" in told.err
    assert told.err.count("would be refused: us_") == 2
    assert list(tmp_path.iterdir()) == [coco]


def test_propose_decide_import(coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping, out = tmp_path / "mapping.yaml", tmp_path / "out"
    assert execute(["data", "import", str(coco), "--out", str(out)]) == 2
    assert "what 'sartorius' is nobody has said" in capsys.readouterr().err
    assert not out.exists()
    assert execute(["data", "import", str(coco), "--dry-run", "--mapping-out", str(mapping)]) == 3
    mapping.write_text(mapping.read_text().replace('sartorius": unknown', 'sartorius": background'))
    capsys.readouterr()
    arguments = ["--out", str(out), "--mapping", str(mapping), "--licence", "CC0-1.0", "--attribution", "nobody"]
    assert execute(["data", "import", str(coco), *arguments]) == 3
    told = capsys.readouterr()
    assert "refused: us_30: instances.json, annotation 3: field 'segmentation[0]' has 2 points" in told.err
    assert "refused: us_40: instances.json, annotation 4: field 'category_id' is 9" in told.err
    assert told.err.splitlines()[-1].startswith(f"hipseg: {coco}: 2 refused, 3 came in")
    assert list(cases_by_id(out)) == ["us_0", "us_10", "us_20"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["licence"], manifest["attribution"], manifest["name"]) == ("CC0-1.0", "nobody", "coco")
    report = json.loads((out / "import.json").read_text())
    assert report["format"] == "coco"
    assert report["mapping"]["labels"]["sartorius"] == "background"
    assert len(report["refused"]) == 2
    assert str(tmp_path) not in (out / "import.json").read_text()


def test_a_zip_file_with_a_bomb_and_a_way_out_still_gives_its_good_cases(
    coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in coco.iterdir():
            archive.write(path, path.name)
        archive.writestr("../../way_out.png", b"x")
        archive.writestr("zeros.png", bytes(60 << 20))
    (tmp_path / "m.yaml").write_text("labels: {needle: needle, Vessel: ignore, sartorius: unknown}")
    arguments = ["--out", str(tmp_path / "out"), "--mapping", str(tmp_path / "m.yaml")]
    assert execute(["data", "import", str(tmp_path / "export.zip"), *arguments]) == 3
    told = capsys.readouterr().err
    for refused in ("../../way_out.png", "zeros.png", "us_30", "us_40"):
        assert f"refused: {refused}: " in told
    assert list(labels_by_id(tmp_path / "out")) == ["us_0", "us_10", "us_20"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coco", "export.zip", "m.yaml", "out"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["nowhere", "--out", "{tmp}/out"], 3, "nowhere: does not exist"),
        (["{coco}"], 2, "--out: is missing"),
        (["{coco}", "--out", "{tmp}/out", "--format", "cocoo"], 2, "did you mean 'coco'"),
        (["{coco}", "--out", "{tmp}/out", "--shares", "1,2"], 2, "--shares"),
        (["{coco}", "--out", "{tmp}/out", "--mapping", "{tmp}/none.yaml"], 2, "none.yaml: cannot be read"),
        (["{coco}", "--out", "{tmp}/out", "--format", "slicer"], 3, "holds no annotated image"),
        (["{coco}", "--out", "{tmp}/out", "--patient", "("], 2, "--patient"),
    ],
)
def test_refusals_are_one_line_with_the_right_exit_code(
    coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], exit_code: int, message: str
) -> None:
    filled = [text.replace("{tmp}", str(tmp_path)).replace("{coco}", str(coco)) for text in arguments]
    assert execute(["data", "import", *filled]) == exit_code
    refusal = capsys.readouterr().err.strip().splitlines()[-1]
    assert refusal.startswith("hipseg: ")
    assert message in refusal
    assert not (tmp_path / "out").exists()


def test_an_import_that_was_killed_goes_on_and_nothing_is_half_written(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "masks").mkdir(parents=True)
    write_picture(source / "images" / "us_0000.png")
    for number in range(400):
        if number:
            shutil.copy(source / "images" / "us_0000.png", source / "images" / f"us_{number:04d}.png")
        (source / "masks" / f"us_{number:04d}.png").write_bytes(encode_mask(blocks((4, 1, 9, 1, 9))))
    command = [
        sys.executable,
        "-c",
        "from hipseg.cli.main import run; run()",
        "data",
        "import",
        str(source),
        "--out",
        str(out),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ) as process:
        while process.poll() is None and (not out.is_dir() or len(list((out / "masks").glob("*.png"))) < 20):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert not (out / "cases.jsonl").exists(), "killed too late"
    already = len((out / "cases.jsonl.part").read_text().splitlines()) - 1
    assert 0 < already < 400
    (out / "masks" / ".us_0399.png.1.part").write_bytes(b"half")  # a kill between two instructions, made certain
    assert execute(["data", "import", str(source), "--out", str(out)]) == 0
    assert len(cases_by_id(out)) == 400
    assert not list(out.rglob("*.part"))
    assert execute(["data", "import", str(source), "--out", str(tmp_path / "whole")]) == 0
    for name in ("manifest.json", "cases.jsonl", "import.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert all(np.count_nonzero(labels_HW) == 64 for labels_HW in labels_by_id(out).values())
