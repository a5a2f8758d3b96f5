"""Training, validation and test batches for Lightning, with a training stream that a restart takes up exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from hipseg.data.augment import Augmentation, AugmentConfig
from hipseg.data.records import DatasetManifest
from hipseg.data.sources import CaseReader, DiskSource, Source, manifests_of
from hipseg.data.stream import Batch, CaseSet, SampleStream


class StreamBatches(Sampler[list[int]]):
    """Cuts the endless stream into batches and epochs, from whatever step training has reached.

    Batch b of the whole training holds the samples [b * batch_size, (b + 1) * batch_size); an epoch that begins in
    the middle ends where it would have ended. Several processes take turns.

    Args:
        batch_size: samples of one batch in one process.
        num_batches: of an epoch.
        next_batch: how many batches have been trained on; asked whenever an epoch begins.
        rank, world_size: of this process among those that train together.
    """

    def __init__(
        self, batch_size: int, num_batches: int, next_batch: Callable[[], int], *, rank: int = 0, world_size: int = 1
    ) -> None:
        self._batch_size, self._num_batches, self._next_batch = batch_size, num_batches, next_batch
        self._rank, self._world_size = rank, world_size

    def __len__(self) -> int:
        return self._num_batches

    def __iter__(self) -> Iterator[list[int]]:
        first = self._next_batch()
        end = (first // self._num_batches + 1) * self._num_batches
        for step in range(first, end):
            start = (step * self._world_size + self._rank) * self._batch_size
            yield list(range(start, start + self._batch_size))


class StreamLoader(DataLoader[Batch]):
    """A loader that tells Lightning it can go on in the middle of an epoch.

    Its state is empty: where to go on is read from the trainer's own step count (see `HipDataModule`).
    """

    def state_dict(self) -> dict[str, Any]:
        """Nothing to remember."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


class HipDataModule(LightningDataModule):
    """Mixes sources into a training stream and reads fixed validation and test cases.

    The order of training samples depends on `seed` alone, not on the workers. The stream goes on at the trainer's
    `global_step`, so a resumed training sees exactly the samples it had not seen.

    Args:
        train: sources by name.
        weights: how often each is drawn, by the same names.
        validation, test: folders of data sets, whose "val" and "test" cases are read.
        augment: applied to training samples.
        grid_size: side of the network's grid, cells.
        batch_size: samples a batch.
        steps_per_epoch: optimizer steps an epoch; a step takes as many batches as the trainer accumulates.
        num_workers: processes that prepare batches; 0 does it in the training process.
        seed: of the training stream.
        negatives: part of the training samples spoiled into images that are no hip view.
        cache_megabytes: decoded images kept in memory for each validation and test set.
        clip_frames: of each sample and case, see `SampleStream` and `CaseSet`; 1 is for networks without memory.
        fold: of cross-validation, for all data sets: see `hipseg data split --folds`.
    """

    def __init__(
        self,
        train: Mapping[str, Source],
        weights: Mapping[str, float],
        *,
        validation: Sequence[str] = (),
        test: Sequence[str] = (),
        augment: AugmentConfig | Mapping[str, Any] | None = None,
        grid_size: int = 256,
        batch_size: int = 16,
        steps_per_epoch: int = 200,
        num_workers: int = 0,
        seed: int = 0,
        negatives: float = 0.1,
        cache_megabytes: int = 512,
        clip_frames: int = 1,
        fold: int | None = None,
    ) -> None:
        super().__init__()
        self.sources, self.weights = dict(train), dict(weights)
        self._validation, self._test, self._fold = list(validation), list(test), fold
        for source in self.sources.values():
            if isinstance(source, DiskSource) and fold is not None:
                source.fold = fold
        config = augment if isinstance(augment, AugmentConfig) else AugmentConfig.from_mapping(augment or {})
        self.stream = SampleStream(
            self.sources, weights, Augmentation(config), grid_size=grid_size, seed=seed, negatives=negatives,
            clip_frames=clip_frames,
        )  # fmt: skip
        self._clip_frames = clip_frames
        self._grid_size, self._batch_size, self._num_workers = grid_size, batch_size, num_workers
        self._steps_per_epoch, self._cache_megabytes = steps_per_epoch, cache_megabytes
        self.readers: dict[str, list[CaseReader]] = {}

    def setup(self, stage: str) -> None:
        """Reads the data sets of a stage. Raises SourceError when one is not valid or lacks the split."""
        if stage == "fit":
            for source in self.sources.values():
                source.prepare()
        if stage in ("fit", "validate"):
            self._read("val", self._validation)
        if stage == "test":
            self._read("test", self._test)

    @property
    def manifests(self) -> dict[str, DatasetManifest]:
        """Of the data sets that are trained on, by name of the source: licences and attributions for a card."""
        return manifests_of(self.sources)

    def train_dataloader(self) -> StreamLoader:
        """Batches of the stream for `steps_per_epoch` optimizer steps, from the trainer's step on."""
        batches = StreamBatches(
            self._batch_size,
            self._steps_per_epoch * (self.trainer.accumulate_grad_batches if self.trainer else 1),
            self._num_batches_trained,
            rank=self.trainer.global_rank if self.trainer else 0,
            world_size=self.trainer.world_size if self.trainer else 1,
        )
        return StreamLoader(self.stream, batch_sampler=batches, **self._workers())

    def val_dataloader(self) -> DataLoader[Batch]:
        """The validation cases in order."""
        return self._fixed("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """The test cases in order."""
        return self._fixed("test")

    def _num_batches_trained(self) -> int:
        return self.trainer.global_step * self.trainer.accumulate_grad_batches if self.trainer else 0

    def _read(self, split: str, roots: Sequence[str]) -> None:
        if split not in self.readers:
            self.readers[split] = [
                CaseReader(root, split, fold=self._fold, cache_megabytes=self._cache_megabytes) for root in roots
            ]

    def _fixed(self, split: str) -> DataLoader[Batch]:
        readers = self.readers.get(split, [])
        cases: Dataset[Batch] = CaseSet(readers, grid_size=self._grid_size, clip_frames=self._clip_frames)
        return DataLoader(cases, batch_size=self._batch_size, shuffle=False)

    def _workers(self) -> dict[str, Any]:
        if self._num_workers == 0:
            return {}
        return {"num_workers": self._num_workers, "persistent_workers": True, "worker_init_fn": _calm_worker}


def _calm_worker(_worker: int) -> None:
    """Each worker is one thread: OpenCV's own threads would fight the training for the cores."""
    cv2.setNumThreads(0)
