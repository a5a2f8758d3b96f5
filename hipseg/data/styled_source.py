"""A data set whose images borrow the look of another one: simulated frames that look like real ones."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.data.reading import ImageHW
from hipseg.data.sample import Sample
from hipseg.data.sources import CaseReader, DiskSource
from hipseg.data.style import exchange_amplitude, match_histogram, match_patches
from hipseg.errors import UsageError

# Wider windows leave bright clouds of the other image's anatomy in shadows.
_EXTENTS = (0.01, 0.03)
_AMOUNTS = (0.4, 1.0)


class StyledSource(DiskSource):
    """Draws evenly from a data set; some images get the look of a random training image of another one.

    Labels, landmarks and scale stay. Only "train" images lend their looks, and nothing of their labels is read.

    Args:
        root: the data set that is drawn from.
        looks: the data set that lends its looks.
        fourier, histogram, patches: probability of each exchange, see `data.style`; how strong it is is drawn too.
        options: as for `DiskSource`.

    Raises:
        UsageError: a probability outside 0-1.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        looks: str | Path,
        fourier: float = 0.0,
        histogram: float = 0.0,
        patches: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(root, **options)
        self._chances = {"fourier": fourier, "histogram": histogram, "patches": patches}
        for name, chance in self._chances.items():
            if not 0 <= chance <= 1:
                raise UsageError(f"{name} is {chance}", where=f"source of {root}", expected="a probability, 0-1")
        self._looks = DiskSource(looks)

    @functools.cached_property
    def looks(self) -> CaseReader:
        """The cases that lend their looks. Raises SourceError as `CaseReader`."""
        self._looks.fold = self.fold
        return self._looks.reader

    def prepare(self) -> None:
        """Reads both data sets. Raises SourceError as `CaseReader`."""
        super().prepare()
        _ = self.looks

    def draw(self, rng: np.random.Generator) -> Sample:
        """One case of the split, perhaps in the look of another."""
        sample = super().draw(rng)
        other_HW = self.looks.sample(int(rng.integers(len(self.looks)))).image_HW
        return dataclasses.replace(sample, image_HW=self._restyled(sample.image_HW, other_HW, rng))

    def _restyled(self, image_HW: ImageHW, other_HW: ImageHW, rng: np.random.Generator) -> ImageHW:
        happens = {name: rng.random() < chance for name, chance in self._chances.items()}
        extent, amount, grain = (rng.uniform(*bounds) for bounds in (_EXTENTS, _AMOUNTS, _AMOUNTS))
        if happens["fourier"]:
            image_HW = exchange_amplitude(image_HW, other_HW, extent)
        if happens["patches"]:
            image_HW = match_patches(image_HW, other_HW, grain)
        return match_histogram(image_HW, other_HW, amount) if happens["histogram"] else image_HW
