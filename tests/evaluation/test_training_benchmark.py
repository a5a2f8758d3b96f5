"""Trainings against each other: the watch counts training alone, the others' parts are what their papers say."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss

from hipseg.anatomy import CLASS_NAMES, NUM_CLASSES
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.data.sources import CaseReader
from hipseg.evaluation.training.cases import pictures, with_first_cases
from hipseg.evaluation.training.nnunet import NNUNET, train_nnunet
from hipseg.evaluation.training.others import ZScored, deeply_supervised
from hipseg.evaluation.training.page import training_page
from hipseg.evaluation.training.recipes import nnunet_augmentation, tutorial_augmentation
from hipseg.evaluation.training.setting import Outcome, Setting, Watch


def test_validations_do_not_count_to_the_minutes():
    watch = Watch(budget_s=0.2, num_validations=2)
    watch.run()
    time.sleep(0.11)
    assert watch.is_due
    watch.rest()
    time.sleep(0.2)
    assert not watch.is_over
    watch.validated({}, 0.3)
    watch.run()
    assert not watch.is_due
    time.sleep(0.1)
    assert watch.is_over
    assert watch.progress == 1


def test_time_to_a_dice_is_that_of_the_first_validation_as_good():
    outcome = Outcome(num_images=80, seconds=40.0, curve=[(10.0, 0.2), (20.0, 0.6), (40.0, 0.5)])
    assert outcome.seconds_to(0.5) == 20
    assert outcome.seconds_to(0.7) is None
    assert outcome.images_per_s == 2
    assert outcome.final_dice == 0.5


def test_deep_supervision_halves_the_weight_of_each_coarser_head():
    generator = torch.Generator().manual_seed(0)
    heads = torch.randn(2, 3, NUM_CLASSES, 16, 16, generator=generator)
    labels = torch.randint(0, NUM_CLASSES, (2, 1, 16, 16), generator=generator)
    single = DiceCELoss(softmax=True, to_onehot_y=True, batch=True, include_background=False)
    first, second, third = (single(heads[:, head], labels) for head in range(3))
    torch.testing.assert_close(deeply_supervised(heads, labels), (first + second / 2 + third / 4) / 1.75)


def test_images_are_scored_one_by_one():
    image = torch.rand(2, 1, 8, 8) * torch.tensor([1.0, 100.0]).view(2, 1, 1, 1)
    scored = ZScored(torch.nn.Identity())(image)
    torch.testing.assert_close(scored.mean((1, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(scored.std((1, 2, 3)), torch.ones(2))


def test_everybody_gets_the_same_first_cases(tmp_path: Path):
    manifest = DatasetManifest(name="drawn", classes=CLASS_NAMES[1:NUM_CLASSES], licence="CC0-1.0", source="drawn")
    with DatasetWriter(tmp_path / "all", manifest) as writer:
        for number in range(8):
            grey_HW = np.full((32, 32), 10 * number, np.uint8)
            split = "train" if number % 2 else "val"
            writer.add(id=f"case{number}", image_HW=grey_HW, labels_HW=0 * grey_HW, patient=f"{number}", split=split)
    setting = with_first_cases(Setting(data=str(tmp_path / "all"), most_cases=3, grid_size=32), tmp_path / "first")
    for split, greys in (("train", [10, 30, 50]), ("val", [0, 20, 40])):
        reader = CaseReader(setting.data, split)
        assert [int(reader.sample(index).image_HW[0, 0]) for index in range(len(reader))] == greys
        assert [int(picture["image"][0, 0, 0]) for picture in pictures(setting, split)] == greys


@pytest.mark.parametrize("recipe", [tutorial_augmentation, nnunet_augmentation])
def test_augmentation_keeps_labels_whole_and_images_in_shape(recipe):
    augmentation = recipe()
    augmentation.set_random_state(seed=3)
    picture = {
        "image": torch.arange(1024, dtype=torch.int64).remainder(256).to(torch.uint8).view(1, 32, 32),
        "label": torch.arange(1024).remainder(NUM_CLASSES).to(torch.uint8).view(1, 32, 32),
    }
    for _ in range(12):
        found = augmentation(dict(picture))
        assert found["image"].shape == found["label"].shape == (1, 32, 32)
        assert set(found["label"].unique().tolist()) <= set(range(NUM_CLASSES))
        assert found["image"].isfinite().all()


def test_nnunet_without_an_environment_says_what_it_needs(tmp_path: Path):
    assert "--nnunet-python" in train_nnunet(Setting(data="nowhere"), tmp_path)["absent"]


def test_the_page_tells_figures_and_absences(tmp_path: Path):
    outcome = Outcome(1_000_000, 1200, 60.0, [(30.0, 0.4), (60.0, 0.7)], {"needle": 0.7}, 800.0, "a note")
    record = {
        "command": "hipseg benchmark training datasets/frames",
        "data": {"name": "frames"},
        "setting": {
            "minutes": 1.0,
            "grid_size": 256,
            "batch_size": 16,
            "target_dice": 0.5,
            "pace_rounds": 3,
            "pace_steps": 40,
        },
        "contestants": {"hipseg": {**outcome.to_dict(0.5), "latency_ms": {"p50": 8.0}}},
        "pace": {"images_per_s": {"hipseg": 41.0, "bare loop": 50.0}, "share_of_bare_loop": 0.82},
        "absent": {NNUNET: "not here"},
        "versions": {},
    }
    path = tmp_path / "training.html"
    training_page(record).write(path, record)
    text = path.read_text()
    for shown in ("82 % of the bare loop", "0.700", "not here", "a note", "Not a medical device"):
        assert shown in text
    assert json.loads(path.with_suffix(".json").read_text())["contestants"]["hipseg"]["seconds_to_target"] == 60
