"""The ablation: every preset differs from the base in what it says, runs are taken up again, failures are told."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf
from tiny_model import build_tiny_model

from hipseg.cli.main import execute
from hipseg.configuration import compose
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.evaluation.ablation.table import COLUMNS, markdown, rows_of
from hipseg.evaluation.ablation.variants import BASE, DATA_SETS, figures_file, find_variants, stages
from hipseg.runtime.models import MODEL_FILE
from hipseg.training.config import TrainConfig
from hipseg.training.trials import dry_run

NAMES = [variant.name for variant in find_variants()]
TINY = (
    "trainer.max_steps=2", "trainer.steps_per_epoch=2", "trainer.num_threads=1", "trainer.progress=off",
    "data.grid_size=64", "data.batch_size=2", "data.num_workers=0", "model.widths=[8,8,8,8,8]",
)  # fmt: skip


@functools.cache
def settings_of(name: str) -> dict[str, object]:
    return flat(OmegaConf.to_container(composed(name)))


def composed(name: str, *overrides: str) -> DictConfig:
    return compose("train", [f"experiment=ablation/{name}", *overrides], schema=TrainConfig)


def flat(node: object, path: str = "") -> dict[str, object]:
    if isinstance(node, dict):
        return {key: value for name, child in node.items() for key, value in flat(child, f"{path}.{name}").items()}
    return {path: node}


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_differs_from_the_base_in_one_part_of_the_configuration(name: str):
    ours, base = settings_of(name), settings_of(BASE)
    changed = {key for key in ours.keys() | base.keys() if ours.get(key) != base.get(key)}
    # What data's own copy of the augmentation says is the augmentation's change, not another one.
    parts = {key.split(".")[1] for key in changed if not key.startswith(".data.augment")}
    assert len(parts) == (name != BASE), changed


def test_every_variant_says_what_it_changes():
    meanings = [variant.meaning for variant in find_variants()]
    assert len(set(meanings)) == len(meanings) > 10
    assert all(20 < len(meaning) < 120 and meaning.endswith(".") for meaning in meanings)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data sets of the names that the presets ask for, each of two train images and one to validate."""
    folder = tmp_path_factory.mktemp("datasets")
    manifest = DatasetManifest(
        name="drawn", classes=("femoral_head", "femoral_artery"), licence="CC0-1.0", source="drawn"
    )
    for name in DATA_SETS:
        with DatasetWriter(folder / name, manifest) as writer:
            for number, split in enumerate(("train", "train", "val")):
                image_HW = np.random.default_rng(number).integers(0, 255, (70, 80)).astype(np.uint8)
                labels_HW = np.zeros((70, 80), np.uint8)
                labels_HW[40:60, 20:60], labels_HW[10:20, 10:20] = 1, 5
                writer.add(
                    id=f"case{number}", image_HW=image_HW, labels_HW=labels_HW, patient=f"p{number}", split=split,
                    spacing_mm=(0.5, 0.5), hip_view=True,
                )  # fmt: skip
    return folder


def test_an_ablation_goes_on_where_it_stopped_and_tells_what_failed(
    datasets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The base is trained, exported and evaluated on all but one data set; pseudo_labels lacks its data."""
    base, out = find_variants()[0], tmp_path / "out"
    model = out / "models" / "base"
    model.mkdir(parents=True)
    build_tiny_model(model).rename(model / MODEL_FILE)
    (out / "runs" / "base").mkdir(parents=True)
    (out / "runs" / "base" / "summary.html").touch()
    for name in DATA_SETS[1:]:
        file = figures_file(out, base, name, "val")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    assert execute(["benchmark", "ablation", str(datasets), "--out", str(out), "--only", "pseudo_labels"]) == 1
    table = capsys.readouterr().out
    assert (out / "ablation_val.md").read_text() == table
    record = json.loads((out / "ablation_val.json").read_text())
    assert "femoral_pseudo" in record["failures"]["pseudo_labels"]
    assert record["failures"]["pseudo_labels"] in table
    assert list(record["failures"]) == ["pseudo_labels"]
    assert record["rows"]["base"]["hip seen"] == 1
    assert record["rows"]["base"]["nerve"] is None


ALL_LOSSES = [f"loss.{name}=0.1" for name in ("boundary", "centreline", "spread", "unsafe_side", "second_head")]


@pytest.mark.parametrize(
    ("name", "overrides"),
    [("anatomy", [*ALL_LOSSES, "loss.soft_border_cells=1"]), ("patches", []), ("pseudo_labels", []), ("real_only", [])],
)
def test_variants_take_a_step(datasets: Path, tmp_path: Path, name: str, overrides: list[str]):
    folder = tmp_path / "datasets"
    shutil.copytree(datasets, folder)
    shutil.copytree(datasets / "femoral", folder / "femoral_pseudo")
    assert "loss" in dry_run(composed(name, f"datasets={folder}", *TINY, *overrides))


def test_what_there_is_decides_what_is_run_next(datasets: Path, tmp_path: Path):
    base = find_variants()[0]
    fresh, *_ = stages(base, datasets, tmp_path, split="val", overrides=("trainer.max_steps=2",))
    assert fresh.arguments[:2] == ("train", "experiment=ablation/base")
    assert "trainer.max_steps=2" in fresh.arguments
    checkpoint = tmp_path / "runs" / "base" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    again, *_ = stages(base, datasets, tmp_path, split="val")
    assert again.arguments == ("train", f"resume={tmp_path / 'runs' / 'base'}")


def test_the_table_shows_what_was_measured_and_dashes_for_the_rest(tmp_path: Path):
    (base, *_) = variants = find_variants(["boundary"])
    file = figures_file(tmp_path, base, "femoral", "val")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"structures": {"femoral_artery": {"dice": {"mean": 0.876}}}, "cortex": {}}))
    rows = rows_of(variants, tmp_path, "val")
    assert rows["base"]["artery"] == 0.876
    _, _, base_line, boundary_line = markdown(rows, {}).splitlines()
    assert base_line.split(" | ").count("–") == len(COLUMNS) - 1 - base_line.endswith("– |")
    assert "0.88" in base_line
    assert "0.88" not in boundary_line


def test_an_unknown_variant_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert execute(["benchmark", "ablation", str(tmp_path), "--out", str(tmp_path), "--only", "bondary"]) == 2
    assert "did you mean 'boundary'" in capsys.readouterr().err
