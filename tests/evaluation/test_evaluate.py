"""`hipseg evaluate` from the command line: models of ours, foreign ones and folders of masks, on data of known truth.

The images are drawn so that the grey model reads exactly the labels that were drawn; where masks differ from them, the
difference is known.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import onnx.parser
import pandas as pd
import pytest
from drawn_masks import box, disc, lens_dice
from grey_model import grey_of, write_grey_model

from hipseg.anatomy import CLASS_NAMES, FEMORAL_ARTERY, FEMORAL_HEAD, FEMORAL_VEIN, NEEDLE
from hipseg.cli.main import execute
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.evaluation.predictors.choice import PredictorChoice
from hipseg.evaluation.results import Results
from hipseg.evaluation.run import EvaluationRequest
from hipseg.evaluation.run import evaluate as run
from hipseg.io.masks import encode_mask

SPACING_MM = (0.2, 0.1)
NUM_PATIENTS = 4
MEAN_DICE = float(np.mean([lens_dice(20, shift) for shift in (0, 4, 8, 12)]))


def drawn(shift: int) -> np.ndarray:
    """A bone, two vessels and a needle; the vessels moved to the right."""
    labels_HW = np.zeros((200, 240), np.uint8)
    labels_HW[box(120, 160, 20, 220)] = FEMORAL_HEAD
    labels_HW[disc(centre_xy=(60 + shift, 60), radius=20)] = FEMORAL_ARTERY
    labels_HW[disc(centre_xy=(170 + shift, 60), radius=20)] = FEMORAL_VEIN
    labels_HW[box(100, 103, 100, 200)] = NEEDLE
    return labels_HW


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grey_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of each patient; the model draws the vessels of patient k shifted by 4 k pixels (0.4 k mm)."""
    root = tmp_path_factory.mktemp("data") / "drawn"
    with DatasetWriter(root, DatasetManifest("drawn", CLASS_NAMES[1:])) as writer:
        for patient in range(NUM_PATIENTS):
            for image in range(2):
                writer.add(
                    id=f"p{patient}_{image}",
                    image_HW=grey_of(drawn(4 * patient)),
                    labels_HW=drawn(0),
                    patient=f"p{patient}",
                    split="test",
                    spacing_mm=SPACING_MM,
                    landmarks={"needle_tip": (199.0, 102.0), "needle_entry": (100.0, 101.0)},
                    view="longitudinal" if patient % 2 else "transverse",
                    hip_view=True,
                    truth={"habitus": 0.9},
                )
    return root


def evaluate(*arguments: object) -> int:
    return execute(["evaluate", *map(str, arguments), "--workers", "1"])


def figures(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def evaluated(dataset: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "results"
    assert evaluate(dataset, "--model", model, "--out", out) == 0
    return out


def test_what_was_drawn_is_measured(evaluated: Path) -> None:
    found = figures(evaluated / "results.json")
    assert (found["num_cases"], found["num_patients"]) == (8, 4)
    head = found["structures"]["femoral_head"]
    assert (head["dice"]["mean"], head["nsd"]["mean"], head["hd95_mm"]["mean"]) == (1.0, 1.0, 0.0)
    assert found["cortex"]["femoral_head"]["distance_mm"]["mean"] == 0.0
    artery = found["structures"]["femoral_artery"]
    assert artery["hd95_mm"]["mean"] == pytest.approx(np.mean([0, 0.4, 0.8, 1.2]), abs=0.15)
    assert artery["dice"]["interval"][0] < artery["dice"]["mean"] < artery["dice"]["interval"][1]
    assert artery["sensitivity"]["share"] == 1.0
    assert found["needle_tip"]["error_mm"]["median"] == 0.0
    assert found["guidance"]["needle_tip"]["found"]["share"] == 1.0
    assert found["guidance"]["angle_deg"]["median"] < 2.0
    assert found["view"]["hip_recognised"]["share"] == 1.0
    assert found["structures"]["femoral_nerve"]["dice"]["mean"] is None
    assert found["structures"]["femoral_nerve"]["specificity"]["num"] == 8


def test_tables_tell_frame_clip_and_patient(evaluated: Path) -> None:
    results = Results.read(evaluated)
    dice = results.values("femoral_artery", "dice")
    patients = pd.read_parquet(evaluated / "patients.parquet")
    chosen = patients[(patients["structure"] == "femoral_artery") & (patients["metric"] == "dice")]
    assert chosen["value"].tolist() == pytest.approx(dice.groupby("patient")["value"].mean().tolist())
    assert chosen[["num_clips", "num_cases"]].to_numpy().tolist() == [[2, 2]] * 4
    assert pd.read_csv(evaluated / "clips.csv").shape[0] == len(pd.read_parquet(evaluated / "clips.parquet"))
    assert (evaluated / "report.html").is_file()


def test_subgroups_are_told_apart(evaluated: Path) -> None:
    groups = figures(evaluated / "results.json")["subgroups"]
    assert groups["view"].keys() == {"longitudinal", "transverse"}
    assert groups["view"]["transverse"]["num_patients"] == 2
    assert groups["habitus"].keys() == {"large"}
    assert groups["depth"].keys() == {"40-60 mm"}
    assert not {"probe", "device"} & groups.keys()


def test_a_second_run_gives_the_same_bytes_whatever_the_number_of_processes(
    evaluated: Path, dataset: Path, model: Path, tmp_path: Path
) -> None:
    arguments = ["evaluate", str(dataset), "--model", str(model), "--out", str(tmp_path / "again"), "--workers", "2"]
    assert execute(arguments) == 0
    for path in evaluated.glob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name
    first, second = (figures(folder / "results.json") for folder in (evaluated, tmp_path / "again"))
    for record in (first, second):
        del record["command"], record["versions"]  # someone may commit meanwhile
    assert first == second


def test_a_page_without_pictures_shows_nobody(dataset: Path, model: Path, evaluated: Path, tmp_path: Path) -> None:
    assert execute(["evaluate", str(dataset), "--model", str(model), "--no-pictures", "--out", str(tmp_path)]) == 0
    bare, full = ((folder / "report.html").read_text() for folder in (tmp_path, evaluated))
    assert "data:image" in full
    assert "data:image" not in bare
    assert "--no-pictures" in bare


def test_a_json_file_holds_the_figures_that_cards_read(dataset: Path, model: Path, tmp_path: Path) -> None:
    assert evaluate(dataset, "--model", model, "--out", tmp_path / "figures.json") == 0
    found = figures(tmp_path / "figures.json")
    assert found["data"]["name"] == "drawn"
    assert found["structures"]["femoral_head"]["dice"]["num_frames"] == 8
    assert "subgroups" not in found
    assert not any((tmp_path / name).exists() for name in ("cases.csv", "results.json"))


def write_masks(dataset: Path, folder: Path, draw: Callable[[int], np.ndarray]) -> Path:
    folder.mkdir()
    for line in (dataset / "cases.jsonl").read_text().splitlines():
        case = json.loads(line)["id"]
        (folder / f"{case}.png").write_bytes(encode_mask(draw(int(case[1]))))
    return folder


MAPPING = """
name: a foreign network
classes:
  0: background
  1: femoral_vein
  2: femoral_artery
  7: background
"""


def as_foreign(labels_HW: np.ndarray) -> np.ndarray:
    return np.select(
        [labels_HW == FEMORAL_VEIN, labels_HW == FEMORAL_ARTERY, labels_HW == NEEDLE], [1, 2, 7], 0
    ).astype(np.uint8)


def test_a_folder_of_foreign_masks_is_judged_on_what_it_knows(dataset: Path, tmp_path: Path) -> None:
    masks = write_masks(dataset, tmp_path / "masks", lambda patient: as_foreign(drawn(4 * patient)))
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    out = tmp_path / "figures.json"
    assert evaluate(dataset, "--predictions", masks, "--mapping", tmp_path / "mapping.yaml", "--out", out) == 0
    found = figures(out)
    assert found["model"]["name"] == "a foreign network"
    assert found["structures"].keys() == {"femoral_artery", "femoral_vein", "femoral_vessels"}
    assert found["structures"]["femoral_artery"]["dice"]["mean"] == pytest.approx(MEAN_DICE, abs=0.01)
    assert found["needle_tip"]["found"]["num"] == 0
    assert not found["calibration"]


def test_nifti_masks_are_read_with_columns_first(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    for line in (dataset / "cases.jsonl").read_text().splitlines():
        mask_IJK = np.ascontiguousarray(drawn(0).T[..., None])
        nibabel.save(nibabel.Nifti1Image(mask_IJK, np.eye(4)), folder / f"{json.loads(line)['id']}.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.zeros((240, 200, 3), np.uint8), np.eye(4)), folder / "p0_0.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.full((240, 200, 1), 0.5), np.eye(4)), folder / "p0_1.nii.gz")
    results = run(EvaluationRequest(dataset, PredictorChoice(predictions=folder), num_workers=1))
    assert results.record["structures"]["femoral_artery"]["dice"]["mean"] == 1.0
    assert results.excluded["status"].tolist() == [
        "prediction: 3 slices instead of one",
        "prediction: values that are no ids from 0 to 255",
    ]


def test_merged_foreign_classes_are_judged_together(dataset: Path, tmp_path: Path) -> None:
    def vessel_or_nothing(_: int) -> np.ndarray:
        return np.isin(drawn(0), (FEMORAL_ARTERY, FEMORAL_VEIN)).astype(np.uint8)

    masks = write_masks(dataset, tmp_path / "masks", vessel_or_nothing)
    (tmp_path / "mapping.yaml").write_text("classes: {0: background, 1: [femoral_artery, femoral_vein]}")
    out = tmp_path / "figures.json"
    assert evaluate(dataset, "--predictions", masks, "--mapping", tmp_path / "mapping.yaml", "--out", out) == 0
    found = figures(out)["structures"]
    assert found.keys() == {"femoral_vessels"}
    assert found["femoral_vessels"]["dice"]["mean"] == 1.0


FOREIGN = """
<ir_version: 9, opset_import: ["" : 18]>
foreign (float[N,1,{H},{W}] x) => (float[N,3,{H},{W}] y)
<float artery = {{{A}}}, float vein = {{{V}}}, float half = {{{E}}}, float sure = {{{S}}}, float zero = {{0}}>
{{
    to_artery = Sub(x, artery)
    far_artery = Abs(to_artery)
    is_artery = Less(far_artery, half)
    to_vein = Sub(x, vein)
    far_vein = Abs(to_vein)
    is_vein = Less(far_vein, half)
    vessel = Or(is_artery, is_vein)
    other = Not(vessel)
    a = Cast<to = 1>(is_artery)
    v = Cast<to = 1>(is_vein)
    o = Cast<to = 1>(other)
    stacked = Concat<axis = 1>(a, o, v)
    scaled = Mul(stacked, sure)
    y = {END}(scaled)
}}
"""


def write_foreign(path: Path, *, end: str, sure: float, size: tuple[str, str] = ("H", "W")) -> Path:
    """A float NCHW network with the classes artery, other, vein; the input is grey level / 255."""
    level = {name: f"{(20 * label + 10) / 255:.6f}" for name, label in (("A", FEMORAL_ARTERY), ("V", FEMORAL_VEIN))}
    text = FOREIGN.format(H=size[0], W=size[1], E=f"{9 / 255:.6f}", S=sure, END=end, **level)
    onnx.save(onnx.parser.parse_model(text), path)
    return path


FOREIGN_MAPPING = "classes: {0: femoral_artery, 1: background, 2: femoral_vein}\n"


@pytest.mark.parametrize(
    ("end", "sure", "size", "kind"),
    [
        ("Identity", 1.0, ("H", "W"), "softmax"),
        ("Softmax<axis = 1>", 20.0, ("H", "W"), "softmax"),
        ("Identity", 20.0, ("200", "240"), "logits"),
    ],
)
def test_a_foreign_network_is_understood_through_its_mapping(
    end: str, sure: float, size: tuple[str, str], kind: str, dataset: Path, tmp_path: Path
) -> None:
    network = write_foreign(tmp_path / "network.onnx", end=end, sure=sure, size=size)
    (tmp_path / "mapping.yaml").write_text(f"{FOREIGN_MAPPING}output: {{kind: {kind}}}")
    out = tmp_path / "figures.json"
    assert evaluate(dataset, "--model", network, "--mapping", tmp_path / "mapping.yaml", "--out", out) == 0
    found = figures(out)
    assert found["structures"].keys() == {"femoral_artery", "femoral_vein", "femoral_vessels"}
    assert found["structures"]["femoral_artery"]["hd95_mm"]["mean"] == pytest.approx(0.6, abs=0.1)
    assert found["calibration"]["femoral_artery"]["brier"] < 0.2


def test_a_foreign_network_without_a_mapping_is_told_to_bring_one(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = write_foreign(tmp_path / "network.onnx", end="Identity", sure=1.0)
    assert evaluate(dataset, "--model", network, "--out", tmp_path / "out.json") == 4
    assert "--mapping" in capsys.readouterr().err


def test_another_input_size_is_undone(dataset: Path, tmp_path: Path) -> None:
    network = write_foreign(tmp_path / "network.onnx", end="Identity", sure=1.0)
    (tmp_path / "mapping.yaml").write_text(f"{FOREIGN_MAPPING}input: {{size: [100, 160], resize: pad}}")
    out = tmp_path / "figures.json"
    assert evaluate(dataset, "--model", network, "--mapping", tmp_path / "mapping.yaml", "--out", out) == 0
    assert figures(out)["structures"]["femoral_vein"]["dice"]["mean"] == pytest.approx(MEAN_DICE, abs=0.03)


@pytest.mark.parametrize(
    ("end", "sure", "mapping", "code", "message"),
    [
        ("Identity", 3.0, FOREIGN_MAPPING, 4, "'softmax' sums to 3"),
        ("Log", 1.0, f"{FOREIGN_MAPPING}output: {{kind: logits}}", 4, "not finite"),
        ("Identity", 1.0, "classes: {0: femoral_artery, 1: background}", 4, "gives 3 classes"),
        ("Identity", 1.0, "classes: {0: femoral_artry}", 2, "did you mean 'femoral_artery'"),
        ("Identity", 1.0, f"{FOREIGN_MAPPING}input: {{channels: 3}}", 4, "refuses an input of 1x3x200x240"),
        ("Identity", 1.0, f"{FOREIGN_MAPPING}input: {{std: 0}}", 2, "input.std"),
        ("Identity", 1.0, f"{FOREIGN_MAPPING}output: {{name: z}}", 4, "no output 'z'"),
        ("Identity", 1.0, f"{FOREIGN_MAPPING}outptu: {{}}", 2, "outptu"),
        ("Identity", 1.0, "[1, 2]", 2, "holds no mapping"),
        ("Identity", 1.0, "classes: {0: [femoral_artery, femoral_vein], 1: femoral_artery}", 2, "overlaps"),
        ("Identity", 1.0, "classes: {{", 2, "not YAML"),
    ],
)
def test_nonsense_of_foreign_models_is_refused(
    end: str,
    sure: float,
    mapping: str,
    code: int,
    message: str,
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    network = write_foreign(tmp_path / "network.onnx", end=end, sure=sure)
    (tmp_path / "mapping.yaml").write_text(mapping)
    out = tmp_path / "figures.json"
    assert evaluate(dataset, "--model", network, "--mapping", tmp_path / "mapping.yaml", "--out", out) == code
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("hipseg: ")
    assert message in last
    assert not out.exists()


def test_what_cannot_be_judged_is_counted_with_its_reason(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = write_masks(dataset, tmp_path / "masks", lambda _: drawn(0))
    (masks / "p0_0.png").unlink()
    (masks / "p0_1.png").write_bytes(encode_mask(drawn(0)[:100]))
    (masks / "p1_0.png").write_bytes(encode_mask(np.full((200, 240), 37, np.uint8)))
    (masks / "p1_1.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (masks / "stranger.png").write_bytes(encode_mask(drawn(0)))
    results = run(EvaluationRequest(dataset, PredictorChoice(predictions=masks), num_workers=1))
    reasons = dict(zip(results.excluded["case"], results.excluded["status"], strict=True))
    assert reasons["p0_0"] == "no prediction"
    assert reasons["p0_1"] == "prediction of 240x100 for an image of 240x200"
    assert "id 37" in reasons["p1_0"]
    assert "not an image" in reasons["p1_1"]
    record = results.record
    assert (record["num_cases"], record["excluded"]["num"]) == (4, 4)
    assert record["unused_predictions"] == ["stranger.png"]
    told = capsys.readouterr().err
    assert "1 of 8 cases left out: no prediction" in told
    assert "stranger.png" in told


def damaged(dataset: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    return copy


def test_images_that_cannot_be_read_are_counted_too(dataset: Path, model: Path, tmp_path: Path) -> None:
    copy = damaged(dataset, tmp_path)
    (copy / "images" / "p2_0.png").write_bytes(b"nothing")
    (copy / "masks" / "p2_1.png").unlink()
    (copy / "masks" / "p3_0.png").write_bytes(encode_mask(drawn(0)[:50]))
    results = run(EvaluationRequest(copy, PredictorChoice(str(model)), num_workers=1))
    assert results.excluded["case"].tolist() == ["p2_0", "p2_1", "p3_0"]


def test_without_spacing_lengths_are_pixels(dataset: Path, model: Path, tmp_path: Path) -> None:
    copy = damaged(dataset, tmp_path)
    lines = [json.loads(line) | {"spacing_mm": None} for line in (copy / "cases.jsonl").read_text().splitlines()]
    (copy / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert evaluate(copy, "--model", model, "--out", tmp_path / "figures.json") == 0
    found = figures(tmp_path / "figures.json")
    assert found["num_without_spacing"] == 8
    artery = found["structures"]["femoral_artery"]
    assert artery["hd95_px"]["mean"] == pytest.approx(6.0, abs=1.0)
    assert "hd95_mm" not in artery
    assert "nsd" not in artery
    assert found["needle_tip"]["error_mm"]["num"] == 0
    assert found["needle_tip"]["error_px"]["median"] == 0.0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--split", "tset"], 2, "did you mean 'test'"),
        (["--split", "val"], 2, "no case in split 'val'"),
        (["--predictions", "nowhere"], 3, "no such folder"),
        (["--predictions", ".", "--model", "hip-first"], 2, "give one of them"),
        (["--mapping", "nowhere.yaml", "--model", "x.onnx"], 2, "nowhere.yaml"),
        (["--model", "hip-frist"], 4, "hip-first"),
        (["--tolerance", "needl=1"], 2, "did you mean 'needle'"),
        (["--tolerance", "needle=-1"], 2, "above 0"),
        (["guidance.view_chek=off"], 2, "guidance.view_check"),
    ],
)
def test_bad_usage_is_refused_in_one_line(
    arguments: list[str], code: int, message: str, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(dataset, "--out", tmp_path / "out", *arguments) == code
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("hipseg: ")
    assert message in last


def test_nothing_to_judge_is_refused(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert evaluate(dataset, "--predictions", tmp_path / "empty", "--out", tmp_path / "out") == 3
    assert "none of 8 cases can be judged; the first: no prediction" in capsys.readouterr().err
    assert evaluate(tmp_path / "empty", "--out", tmp_path / "out") == 3
    assert evaluate(tmp_path / "missing", "--out", tmp_path / "out") == 3


def test_data_sets_of_a_folder_are_judged_together(dataset: Path, model: Path, tmp_path: Path) -> None:
    """What is no hip is told from hips, and the source is a subgroup."""
    folder = tmp_path / "datasets"
    shutil.copytree(dataset, folder / "drawn")
    others = DatasetManifest("black", ("needle",))
    with DatasetWriter(folder / "black", others) as writer:
        for name in ("p0_0", "p0_1", "p0_2"):
            black_HW = np.zeros((40, 50), np.uint8)
            writer.add(id=name, image_HW=black_HW, labels_HW=black_HW, patient=name, split="test", hip_view=False)
    with DatasetWriter(folder / "none", DatasetManifest("none", ("needle",))) as writer:
        writer.add(id="a", image_HW=black_HW, labels_HW=None, patient="a", split="train")
    results = run(EvaluationRequest(folder, PredictorChoice(str(model)), num_workers=1))
    view = results.record["view"]
    assert (view["auc"]["value"], view["auc"]["num_positive"], view["auc"]["num_negative"]) == (1.0, 8, 3)
    assert view["other_unrecognised"]["share"] == 1.0
    assert view["roc"][0]["true_positive"] == 0.0
    assert results.record["subgroups"]["source"].keys() == {"black", "drawn"}
    assert results.record["data"]["without_cases"] == ["none"]
    assert {"black/p0_0", "drawn/p0_0"} <= set(results.cases["case"])
