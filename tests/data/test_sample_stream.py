"""The training stream: sample k is a function of (seed, k), sources mix by weight, a restart goes on exactly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from small_scenes import spot_sample

from hipseg import anatomy
from hipseg.data.augment import Augmentation, AugmentConfig
from hipseg.data.datamodule import HipDataModule, StreamBatches
from hipseg.data.sample import Sample
from hipseg.data.sources import CaseReader, DiskSource, SimulationSource
from hipseg.data.stream import CaseSet, SampleStream
from hipseg.errors import SourceError, UsageError

STRONG = AugmentConfig(flip=0.5, crop=0.2, rotation_deg=10, aspect=0.1, warp=0.3, look=0.5, furniture=0.5)


def stream(dataset: Path, seed: int = 0, negatives: float = 0.2) -> SampleStream:
    sources = {"disk": DiskSource(dataset)}
    return SampleStream(sources, {"disk": 1.0}, Augmentation(STRONG), grid_size=32, seed=seed, negatives=negatives)


def assert_same(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0, equal_nan=True, msg=name)


def test_a_sample_is_what_the_network_expects(dataset: Path) -> None:
    sample = stream(dataset)[3]
    shapes = {name: (tuple(value.shape), value.dtype) for name, value in sample.items()}
    assert shapes == {
        "image": ((1, 32, 32), torch.float32),
        "labels": ((32, 32), torch.int64),
        "membership": ((anatomy.NUM_CLASSES, anatomy.NUM_CLASSES), torch.bool),
        "landmarks": ((3, 3), torch.float32),
        "view": ((), torch.float32),
        "index": ((), torch.int64),
        "spacing": ((2,), torch.float32),
        "mirrored": ((), torch.bool),
    }
    assert 0 <= sample["image"].min() <= sample["image"].max() <= 1
    assert sample["index"] == 3


def test_sample_k_does_not_depend_on_history(dataset: Path) -> None:
    one, other = stream(dataset), stream(dataset)
    for k in (7, 0, 7, 10**9):
        assert_same(one[k], other[k])
    assert not torch.equal(one[0]["image"], one[1]["image"])
    assert not torch.equal(one[0]["image"], stream(dataset, seed=1)[0]["image"])


def test_workers_change_nothing(dataset: Path) -> None:
    def batches(num_workers: int) -> list[Any]:
        module = HipDataModule(
            {"disk": DiskSource(dataset)},
            {"disk": 1.0},
            augment=STRONG,
            grid_size=32,
            batch_size=3,
            steps_per_epoch=4,
            num_workers=num_workers,
        )
        module.setup("fit")
        return list(module.train_dataloader())

    for alone, shared in zip(batches(0), batches(2), strict=True):
        assert_same(alone, shared)


class Marked:
    """A source whose samples say where they come from."""

    def __init__(self, grey: int, side: int = 32) -> None:
        self.grey, self.side = grey, side

    def prepare(self) -> None:
        """Nothing to do."""

    def draw(self, rng: np.random.Generator) -> Sample:  # noqa: ARG002
        sample = spot_sample([], self.side, self.side)
        sample.image_HW[:] = self.grey
        return sample


def test_sources_are_drawn_by_weight() -> None:
    sources = {"often": Marked(50), "seldom": Marked(100), "never": Marked(150)}
    mixed = SampleStream(
        sources, {"often": 3, "seldom": 1, "never": 0}, Augmentation(AugmentConfig()), grid_size=16, seed=0
    )
    greys = Counter(round(float(mixed[k]["image"].max()) * 255) for k in range(400))
    assert set(greys) == {50, 100}
    assert greys[50] == pytest.approx(300, abs=30)


def test_simulated_frames_come_fully_labelled_and_by_the_generator_alone() -> None:
    def draw() -> Sample:
        return SimulationSource(needle_share=1.0, head_radius_mm=[22.0, 24.0]).draw(np.random.default_rng(4))

    frame, again = draw(), draw()
    np.testing.assert_array_equal(frame.image_HW, again.image_HW)
    np.testing.assert_array_equal(frame.membership_CC, np.eye(anatomy.NUM_CLASSES, dtype=bool))
    assert frame.hip_view == 1
    assert (frame.labels_HW == anatomy.FEMORAL_HEAD).any()
    with pytest.raises(UsageError, match="did you mean 'needle_share'"):
        SimulationSource(needle_shar=1.0)


def test_negatives_come_at_their_rate(dataset: Path) -> None:
    views = Counter(float(stream(dataset, negatives=0.3)[k]["view"]) for k in range(200))
    assert set(views) == {0.0, 1.0}
    assert views[0.0] == pytest.approx(60, abs=20)


@pytest.mark.parametrize("weights", [{}, {"other": 1.0}, {"disk": 0.0}, {"disk": -1.0}])
def test_weights_that_fit_no_source_are_refused(dataset: Path, weights: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="source weights"):
        HipDataModule({"disk": DiskSource(dataset)}, weights)


def test_fixed_cases_come_in_order_and_untouched(dataset: Path) -> None:
    cases = CaseSet([CaseReader(dataset, "val"), CaseReader(dataset, "test")], grid_size=64)
    assert [int(sample["index"]) for sample in cases] == [0, 1]
    assert_same(cases[1], cases[1])
    uncached = CaseSet([CaseReader(dataset, "val", cache_megabytes=0)], grid_size=64)
    assert_same(cases[0], uncached[0])


def test_a_split_without_cases_is_refused(tmp_path: Path, dataset: Path) -> None:
    for name in ("manifest.json", "cases.jsonl"):
        lines = [line for line in (dataset / name).read_text().splitlines() if '"split": "val"' not in line]
        (tmp_path / name).write_text("\n".join(lines))
    with pytest.raises(SourceError, match="no case in split 'val'"):
        CaseReader(tmp_path, "val")


def test_epochs_cut_the_stream_wherever_training_stands() -> None:
    def indices(next_batch: int) -> list[list[int]]:
        return list(StreamBatches(2, 3, lambda: next_batch))

    assert indices(0) == [[0, 1], [2, 3], [4, 5]]
    assert indices(3) == [[6, 7], [8, 9], [10, 11]]
    assert indices(4) == [[8, 9], [10, 11]]


def test_processes_that_train_together_share_each_step() -> None:
    first, second = (list(StreamBatches(2, 2, lambda: 0, rank=rank, world_size=2)) for rank in (0, 1))
    assert first == [[0, 1], [4, 5]]
    assert second == [[2, 3], [6, 7]]


class Recorder(pl.LightningModule):
    """Trains a brightness and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.brightness = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[list[int], float]] = []

    def training_step(self, batch: Any, _index: int) -> torch.Tensor:
        loss = (batch["image"].mean(dim=(1, 2, 3)) - self.brightness).square().mean()
        self.seen.append((batch["index"].tolist(), loss.item()))
        return loss

    def validation_step(self, batch: Any, _index: int) -> None:
        assert (batch["view"] == 1).all()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.05)


def train(dataset: Path, folder: Path, num_workers: int = 0, resume: Path | None = None) -> list[Any]:
    recorder = Recorder()
    module = HipDataModule(
        {"disk": DiskSource(dataset)},
        {"disk": 1.0},
        validation=[str(dataset)],
        augment=STRONG,
        grid_size=32,
        batch_size=2,
        steps_per_epoch=3,
        num_workers=num_workers,
    )
    every_step = ModelCheckpoint(dirpath=folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[every_step],
    )
    trainer.fit(recorder, module, ckpt_path=str(resume) if resume else None)
    return recorder.seen


def test_a_resumed_training_sees_exactly_what_it_had_not_seen(dataset: Path, tmp_path: Path) -> None:
    whole = train(dataset, tmp_path / "whole")
    assert [indices for indices, _ in whole] == [[2 * step, 2 * step + 1] for step in range(9)]
    for step, num_workers in ((1, 0), (3, 2), (5, 2), (8, 0)):
        resumed = train(dataset, tmp_path / f"from_{step}", num_workers, tmp_path / "whole" / f"step={step}.ckpt")
        assert resumed == whole[step:]


def test_painted_needles_reach_the_stream_but_not_the_negatives() -> None:
    painted = SampleStream(
        {"muscle": Marked(60, side=128)},  # large enough that a needle always finds room
        {"muscle": 1},
        Augmentation(AugmentConfig(needle=1.0)),
        grid_size=128,
        seed=0,
        negatives=0.5,
    )
    for k in range(20):
        sample = painted[k]
        has_needle = bool((sample["labels"] == anatomy.NEEDLE).any())
        assert has_needle == (sample["landmarks"][0, 2] == 1) == (sample["view"] == 1)
