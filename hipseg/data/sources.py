"""Where training samples come from: data sets on disk, and the simulator as it runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hipseg.anatomy import BACKGROUND, CLASS_NAMES
from hipseg.data.clips import draw_row, frames_in_a_row
from hipseg.data.pixel_store import STORES, open_store
from hipseg.data.reading import load_dataset
from hipseg.data.records import DatasetManifest
from hipseg.data.sample import IN_IMAGE, Sample, landmark_array, membership, sample_of_case, scaled
from hipseg.data.splitting import cases_of_fold
from hipseg.errors import SourceError, UsageError, nearest_name

BYTES_A_MEGABYTE = 2**20


class Source(Protocol):
    """Gives samples to train on; what it gives depends on the generator alone."""

    def prepare(self) -> None:
        """Makes ready to draw; called once, before worker processes are forked."""
        ...

    def draw(self, rng: np.random.Generator) -> Sample:
        """One sample, drawn with this generator."""
        ...


@runtime_checkable
class ClipSource(Source, Protocol):
    """A source that has frames in a row."""

    def draw_clip(self, num_frames: int, rng: np.random.Generator) -> list[Sample]:
        """So many frames, all of one size, or a single one."""
        ...


def draw_clip(source: Source, num_frames: int, rng: np.random.Generator) -> list[Sample]:
    """Frames in a row, where the source has such; else one still."""
    return source.draw_clip(num_frames, rng) if isinstance(source, ClipSource) else [source.draw(rng)]


class CaseReader:
    """The cases of one split of a data set, decoded.

    Args:
        root: folder of the data set.
        split: "train", "val" or "test".
        fold: of cross-validation, which replaces the splits "train" and "val" (see `splitting.lay_out_folds`).
        store: where decoded pixels are kept, one of `pixel_store.STORES`.
        longest_side: larger images are shrunk to it, pixels; None keeps all as they are.
        cache_megabytes: how much decoded data to keep in memory; the rest is read again each time.

    Raises:
        SourceError: the data set is not valid, or has no case in this split.
        UsageError: there is no such store.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        *,
        fold: int | None = None,
        store: str = "memory",
        longest_side: int | None = None,
        cache_megabytes: int = 2048,
    ) -> None:
        if store not in STORES:
            raise UsageError(f"no store '{store}'", mend=nearest_name(store, STORES))
        self.root = Path(root)
        self.manifest, cases = load_dataset(self.root)
        chosen = cases if fold is None else cases_of_fold(self.root, cases, split, fold)
        self.cases = [case for case in chosen if fold is not None or case.split == split]
        if not self.cases:
            raise SourceError(f"no case in split '{split}'", where=self.root)
        num_bytes = cache_megabytes * BYTES_A_MEGABYTE
        self._store = open_store(self.root, self.cases, store=store, longest_side=longest_side, num_bytes=num_bytes)

    def __len__(self) -> int:
        return len(self.cases)

    @functools.cached_property
    def rows(self) -> list[list[int]]:
        """For each case the positions of the frames in a row that it belongs to."""
        return frames_in_a_row(self.cases)

    def sample(self, index: int) -> Sample:
        """The case at a position. Raises SourceError when its files cannot be read."""
        image_HW, labels_HW, scale_xy = self._store[index]
        return scaled(sample_of_case(self.cases[index], self.manifest, image_HW, labels_HW), scale_xy)


class DiskSource:
    """Draws evenly from the cases of a data set on disk.

    Args:
        root, split, fold, store, longest_side, cache_megabytes: as in `CaseReader`. Training images are shrunk to
            512 pixels: with the strongest zoom of the presets they are still finer than a grid of 256 cells.
        unknown_is_background: takes what nobody annotated as background. Wrong, and here for one purpose: to measure
            what partial labels are worth (configs/experiment/unknown_as_background.yaml).
    """

    def __init__(
        self,
        root: str | Path,
        *,
        split: str = "train",
        fold: int | None = None,
        store: str = "auto",
        longest_side: int | None = 512,
        cache_megabytes: int = 2048,
        unknown_is_background: bool = False,
    ) -> None:
        self._root, self._split, self.fold = root, split, fold
        self._store, self._longest_side, self._cache_megabytes = store, longest_side, cache_megabytes
        self._unknown_is_background = unknown_is_background

    @functools.cached_property
    def reader(self) -> CaseReader:
        """The cases drawn from. Raises SourceError as `CaseReader`."""
        return CaseReader(
            self._root,
            self._split,
            fold=self.fold,
            store=self._store,
            longest_side=self._longest_side,
            cache_megabytes=self._cache_megabytes,
        )

    def prepare(self) -> None:
        """Reads the data set. Raises SourceError as `CaseReader`."""
        _ = self.reader.rows

    def draw(self, rng: np.random.Generator) -> Sample:
        """One case of the split."""
        return self._sample(int(rng.integers(len(self.reader))))

    def draw_clip(self, num_frames: int, rng: np.random.Generator) -> list[Sample]:
        """So many frames in a row, all of one size, or a single one where a case has no others beside it."""
        row = self.reader.rows[int(rng.integers(len(self.reader)))]
        samples = [self._sample(position) for position in draw_row(row, num_frames, rng)]
        return samples if len({sample.image_HW.shape for sample in samples}) == 1 else samples[:1]

    def _sample(self, position: int) -> Sample:
        sample = self.reader.sample(position)
        if self._unknown_is_background:
            sample.membership_CC[BACKGROUND] = np.arange(len(CLASS_NAMES)) == BACKGROUND
        return sample


class SimulationSource:
    """Simulates every sample anew.

    Args:
        options: fields of `hipseg.simulation.SimulationConfig`; what is left out keeps its default.

    Raises:
        UsageError: an option the simulator does not have.
    """

    def __init__(self, **options: Any) -> None:
        from hipseg.simulation import SimulationConfig, simulate_frame

        known = [field.name for field in dataclasses.fields(SimulationConfig)]
        for name in options:
            if name not in known:
                raise UsageError(f"the simulator has no option '{name}'", mend=nearest_name(name, known))
        self._simulate = simulate_frame
        self._config = SimulationConfig(**{name: _frozen(value) for name, value in options.items()})

    def prepare(self) -> None:
        """Nothing to do: a frame is made when it is drawn."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """One simulated frame, with everything known about it."""
        frame = self._simulate(self._config, rng)
        return Sample(
            image_HW=frame.image_HW,
            labels_HW=frame.labels_HW,
            membership_CC=membership(CLASS_NAMES, {}),
            landmarks_K3=landmark_array(frame.landmarks),
            hip_view=IN_IMAGE,
            spacing_mm=(frame.spacing.row_mm, frame.spacing.column_mm),
        )


def _frozen(value: Any) -> Any:
    """Ranges are tuples; YAML knows lists only."""
    return tuple(value) if isinstance(value, list) else value


def manifests_of(sources: Mapping[str, Source]) -> dict[str, DatasetManifest]:
    """The manifests of the data sets among some sources: licences and attributions for a model's card."""
    return {name: source.reader.manifest for name, source in sources.items() if isinstance(source, DiskSource)}
