"""Where training samples come from: data sets on disk, and the simulator as it runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hipseg.anatomy import BACKGROUND, CLASS_NAMES
from hipseg.data.reading import ImageHW, LabelsHW, load_dataset, read_image, read_labels
from hipseg.data.records import Case, DatasetManifest
from hipseg.data.sample import IN_IMAGE, Sample, landmark_array, membership, sample_of_case
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


class CaseReader:
    """The cases of one split of a data set, decoded; as many as fit are kept in memory.

    They are decoded when the reader is made, so that worker processes forked later share the memory.

    Args:
        root: folder of the data set.
        split: "train", "val" or "test".
        cache_megabytes: how much decoded data to keep; the rest is read again each time.

    Raises:
        SourceError: the data set is not valid, or has no case in this split.
    """

    def __init__(self, root: str | Path, split: str, *, cache_megabytes: int = 2048) -> None:
        self.root = Path(root)
        self.manifest, cases = load_dataset(self.root)
        self.cases = [case for case in cases if case.split == split]
        if not self.cases:
            raise SourceError(f"no case in split '{split}'", where=self.root)
        self._kept: dict[int, tuple[ImageHW, LabelsHW | None]] = {}
        self._fill(cache_megabytes * BYTES_A_MEGABYTE)

    def __len__(self) -> int:
        return len(self.cases)

    def sample(self, index: int) -> Sample:
        """The case at a position. Raises SourceError when its files cannot be read."""
        image_HW, labels_HW = self._kept.get(index) or self._decode(self.cases[index])
        return sample_of_case(self.cases[index], self.manifest, image_HW, labels_HW)

    def _fill(self, num_bytes: int) -> None:
        for index, case in enumerate(self.cases):
            image_HW, labels_HW = self._decode(case)
            num_bytes -= image_HW.nbytes + (0 if labels_HW is None else labels_HW.nbytes)
            if num_bytes < 0:
                return
            self._kept[index] = image_HW, labels_HW

    def _decode(self, case: Case) -> tuple[ImageHW, LabelsHW | None]:
        image_HW, labels_HW = read_image(self.root, case), read_labels(self.root, case)
        if labels_HW is not None and labels_HW.shape != image_HW.shape:
            raise SourceError(
                f"a mask of {labels_HW.shape}", where=self.root / str(case.mask), expected=f"{image_HW.shape}"
            )
        return image_HW, labels_HW


class DiskSource:
    """Draws evenly from the cases of a data set on disk.

    Args:
        root, split, cache_megabytes: as in `CaseReader`.
        unknown_is_background: takes what nobody annotated as background. Wrong, and here for one purpose: to measure
            what partial labels are worth (configs/experiment/unknown_as_background.yaml).
    """

    def __init__(
        self,
        root: str | Path,
        *,
        split: str = "train",
        cache_megabytes: int = 2048,
        unknown_is_background: bool = False,
    ) -> None:
        self._root, self._split, self._cache_megabytes = root, split, cache_megabytes
        self._unknown_is_background = unknown_is_background

    @functools.cached_property
    def reader(self) -> CaseReader:
        """The cases drawn from. Raises SourceError as `CaseReader`."""
        return CaseReader(self._root, self._split, cache_megabytes=self._cache_megabytes)

    def prepare(self) -> None:
        """Reads the data set. Raises SourceError as `CaseReader`."""
        _ = self.reader

    def draw(self, rng: np.random.Generator) -> Sample:
        """One case of the split."""
        sample = self.reader.sample(int(rng.integers(len(self.reader))))
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
