"""Training samples as tensors: an endless stream in which sample k depends on (seed, k) alone, and fixed test sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from hipseg.data.augment import Augmentation
from hipseg.data.clips import draw_sway
from hipseg.data.negatives import spoil
from hipseg.data.sample import GridSample, place_on_grid
from hipseg.data.sources import CaseReader, Source, draw_clip
from hipseg.errors import UsageError


class Batch(TypedDict):
    """What a network is trained on; a single sample has the same entries without the first axis.

    A batch of clips to train on has a second axis, T, in every entry: the frames of each clip.

    S is the grid's side, C the number of classes, K of landmarks.

    Attributes:
        image: float32 [N, 1, S, S], 0-1, 0 outside the image.
        labels: int64 [N, S, S], annotation ids, 255 ignored or outside the image.
        membership: bool [N, C, C], row a is the set of true classes that annotation id a may stand for.
        landmarks: float32 [N, K, 3], x and y in cells, state 1 in the image, 0 absent, -1 unknown.
        view: float32 [N], 1 a hip view, 0 not, -1 unknown.
        index: int64 [N], position in the stream or in the test set.
        spacing: float32 [N, 2], millimetres per cell along rows and columns, NaN unknown.
        mirrored: bool [N], left and right have changed places since the image was taken.
        before: float32 [N, T - 1, 1, S, S], of fixed cases for a network that remembers: what came before `image`.
    """

    image: Tensor
    labels: Tensor
    membership: Tensor
    landmarks: Tensor
    view: Tensor
    index: Tensor
    spacing: Tensor
    mirrored: Tensor
    before: NotRequired[Tensor]


def tensors_of(sample: GridSample, index: int) -> Batch:
    """A sample on the grid as tensors, without a batch axis."""
    return Batch(
        image=torch.from_numpy(sample.image_SS).unsqueeze(0),
        labels=torch.from_numpy(sample.labels_SS),
        membership=torch.from_numpy(sample.membership_CC),
        landmarks=torch.from_numpy(sample.landmarks_K3),
        view=torch.tensor(sample.hip_view, dtype=torch.float32),
        index=torch.tensor(index, dtype=torch.int64),
        spacing=torch.tensor(sample.spacing_mm, dtype=torch.float32),
        mirrored=torch.tensor(sample.mirrored),
    )


class SampleStream(Dataset[Batch]):
    """An endless stream of augmented training samples, open at every position.

    Sample k is drawn with a generator seeded by (seed, k): workers, restarts and what was read before do not matter.

    Args:
        sources: by name.
        weights: how often each source is drawn, by the same names; any positive scale.
        augmentation: applied to every sample.
        grid_size: side of the network's grid, cells.
        seed: of the whole stream.
        negatives: probability that a sample is spoiled into one that is no hip view.
        clip_frames: above 1 every sample is a clip of so many frames: in a row where the source has them, else a still
            that is made to move.

    Raises:
        UsageError: sources and weights do not match, or no weight is positive.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        weights: Mapping[str, float],
        augmentation: Augmentation,
        *,
        grid_size: int,
        seed: int,
        negatives: float = 0.0,
        clip_frames: int = 1,
    ) -> None:
        if set(sources) != set(weights) or not sources or min(weights.values()) < 0 or sum(weights.values()) <= 0:
            raise UsageError(f"source weights {dict(weights)}", expected=f"one above 0 for each of {sorted(sources)}")
        self._sources = list(sources.values())
        shares = np.array([weights[name] for name in sources], np.float64)
        self._upto = np.cumsum(shares / shares.sum())
        self._augmentation, self._grid_size, self._seed, self._negatives = augmentation, grid_size, seed, negatives
        self._clip_frames = clip_frames

    def __getitem__(self, k: int) -> Batch:
        rng = np.random.default_rng((self._seed, k))
        source = self._source(rng)
        if self._clip_frames > 1:
            return self._clip(source, k, rng)
        sample = source.draw(rng)
        sample = spoil(sample, rng) if rng.random() < self._negatives else self._augmentation.paint(sample, rng)
        return tensors_of(self._augmentation(sample, self._grid_size, rng), k)

    def _source(self, rng: np.random.Generator) -> Source:
        position = int(np.searchsorted(self._upto, rng.random(), side="right"))
        return self._sources[min(position, len(self._upto) - 1)]

    def _clip(self, source: Source, k: int, rng: np.random.Generator) -> Batch:
        samples = draw_clip(source, self._clip_frames, rng)
        sway = draw_sway(self._clip_frames, samples[0].image_HW.shape, rng)
        if len(samples) == 1:
            samples *= self._clip_frames
        else:
            sway = sway[:1] * self._clip_frames
        if rng.random() < self._negatives:
            seed = int(rng.integers(2**63))
            samples = [spoil(sample, np.random.default_rng(seed)) for sample in samples]
        else:
            samples = self._augmentation.paint_clip(samples, rng)
        frames = [tensors_of(frame, k) for frame in self._augmentation.clip(samples, sway, self._grid_size, rng)]
        return cast(Batch, default_collate(frames))


class CaseSet(Dataset[Batch]):
    """The cases of one split as they are, in order.

    Args:
        readers: data sets, one after the other.
        grid_size: side of the network's grid, cells.
        clip_frames: above 1 each case comes with so many frames less one that were `before` it; where there are none,
            the first one stands still.
    """

    def __init__(self, readers: Sequence[CaseReader], *, grid_size: int, clip_frames: int = 1) -> None:
        self._places = [(reader, index) for reader in readers for index in range(len(reader))]
        self._grid_size, self._num_before = grid_size, clip_frames - 1

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Batch:
        reader, position = self._places[index]
        case = self._placed(reader, position, index)
        if self._num_before:
            row = reader.rows[position]
            at = row.index(position)
            earlier = [row[max(at - back, 0)] for back in range(self._num_before, 0, -1)]
            case["before"] = torch.stack([self._placed(reader, each, index)["image"] for each in earlier])
        return case

    def _placed(self, reader: CaseReader, position: int, index: int) -> Batch:
        return tensors_of(place_on_grid(reader.sample(position), self._grid_size), index)

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))
