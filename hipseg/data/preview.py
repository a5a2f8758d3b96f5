"""One page that shows what augmentation does to a data set: each part alone, and all of them together."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hipseg.data.augment import Augmentation, AugmentConfig, parts_of
from hipseg.data.pictures import as_jpeg, fitted, painted_grid, painted_sample
from hipseg.data.sample import Sample
from hipseg.data.sources import CaseReader
from hipseg.pages import Page

_WIDTH_PX, _HEIGHT_PX, _GRID_SIZE = 256, 208, 256

Caption = tuple[bytes, str]


def write_preview(
    root: Path, out: Path, config: AugmentConfig, *, preset: str, split: str, num_cases: int, seed: int, command: str
) -> None:
    """Writes the page.

    Args:
        root: the data set's folder.
        out: the page, .html.
        config: what is shown.
        preset: its name.
        split: whose cases are shown, spread evenly.
        num_cases: shown with all parts; eight renderings of everything together follow each.
        seed: of all chance on the page.
        command: that makes it again.

    Raises:
        SourceError: the data set is not valid, or has no case in the split.
        OutputError: the page cannot be written.
    """
    reader = CaseReader(root, split, store="none", longest_side=640)
    page = Page("Augmentation preview", f"{reader.manifest.name}, preset {preset}", command)
    chosen = np.unique(np.linspace(0, len(reader) - 1, min(num_cases, len(reader))).round().astype(int))
    for index in chosen.tolist():
        sample, name = reader.sample(index), reader.cases[index].id
        alone = page.section(f"{name}: each part alone", "As strong as the preset makes it. Crosses are landmarks.")
        alone.gallery(_each_part(sample, config, seed))
        together = page.section(f"{name}: together", "What a network is given: 256 x 256 cells, eight draws.")
        together.gallery(_together(sample, config, seed))
    page.write(out)


def _each_part(sample: Sample, config: AugmentConfig, seed: int) -> list[Caption]:
    shown = [(_picture(sample), "as it is")]
    for position, (name, part) in enumerate(parts_of(config).items()):
        changed = part(sample, np.random.default_rng((seed, position)))
        shown.append((_picture(changed), name))
    return shown


def _picture(sample: Sample) -> bytes:
    return as_jpeg(fitted(painted_sample(sample), _WIDTH_PX, _HEIGHT_PX))


def _together(sample: Sample, config: AugmentConfig, seed: int) -> list[Caption]:
    augmentation = Augmentation(config)
    shown = []
    for draw in range(8):
        rng = np.random.default_rng((seed, 1000 + draw))
        grid = augmentation(augmentation.paint(sample, rng), _GRID_SIZE, rng)
        side = "mirrored" if grid.mirrored else "as taken"
        row_mm = grid.spacing_mm[0]
        scale = "scale unknown" if np.isnan(row_mm) else f"{row_mm:.3f} mm a cell"
        shown.append((as_jpeg(painted_grid(grid)), f"{side}, {scale}"))
    return shown
