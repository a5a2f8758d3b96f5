"""Recipes: one YAML of configs/data says how a source becomes a data set, and one call makes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hipseg.anatomy import CLASS_NAMES
from hipseg.data.importers.case import Importer
from hipseg.data.importers.intake import Intake, Progress, take_in
from hipseg.data.importers.refusals import Refusals
from hipseg.data.reading import ids_in, load_dataset, read_labels
from hipseg.data.records import SPLITS, Case, DatasetManifest
from hipseg.errors import UsageError, nearest_name


@dataclass
class Recipe:
    """A source and how to read it.

    Attributes:
        name, classes, merged, licence, attribution, source: go into the manifest as they are.
        importer: `_target_` of an `Importer` and its arguments.
    """

    name: str
    classes: list[str]
    importer: dict[str, Any]
    merged: dict[str, list[str]] = field(default_factory=dict)
    licence: str = ""
    attribution: str = ""
    source: str = ""

    def manifest(self) -> DatasetManifest:
        """The manifest of the data set this recipe makes. Raises SourceError for unknown class names."""
        values = {name: getattr(self, name) for name in ("name", "classes", "merged", "licence", "attribution")}
        return DatasetManifest.from_dict(values | {"source": self.source, "version": 1}, where=f"recipe '{self.name}'")


@dataclass(frozen=True, slots=True)
class SplitCount:
    """What one split of a data set holds.

    Attributes:
        num_cases, num_patients: images and persons.
        num_with_class: images that show a class, by name.
        num_unsure: images in which its shape was drawn and doubted, by name; they do not count above.
    """

    num_cases: int
    num_patients: int
    num_with_class: dict[str, int]
    num_unsure: dict[str, int] = field(default_factory=dict)


def load_recipe(name_or_path: str, folder: Path) -> Recipe:
    """A recipe by its name in a folder of recipes, or by its path.

    Raises:
        UsageError: there is no such recipe, or it is not one.
    """
    path = Path(name_or_path) if name_or_path.endswith((".yaml", ".yml")) else folder / f"{name_or_path}.yaml"
    if not path.is_file():
        known = [file.stem for file in folder.glob("*.yaml")]
        raise UsageError(f"no recipe '{name_or_path}'", mend=nearest_name(name_or_path, known))
    try:
        merged = OmegaConf.merge(OmegaConf.structured(Recipe), OmegaConf.load(path))
        recipe = OmegaConf.to_object(merged)
    except (OmegaConfBaseException, ValueError) as error:
        raise UsageError(f"not a recipe ({str(error).splitlines()[0]})", where=path) from error
    assert isinstance(recipe, Recipe)
    return recipe


def import_dataset(
    recipe: Recipe, source: Path, out: Path, *, overwrite: bool = False, progress: Progress = lambda _done, _total: None
) -> Intake:
    """Makes a data set from a source; goes on where an earlier, interrupted run stopped.

    Args:
        recipe: says how to read the source.
        source: folder of the source, left untouched.
        out: folder of the data set.
        overwrite: replace what is at `out`.
        progress: called with the cases done and their total.

    Returns:
        What came in and what was refused.

    Raises:
        SourceError: the source is not what the recipe expects, or no case of it can come in.
        OutputError: `out` holds a data set already or cannot be written.
    """
    importer: Importer = instantiate(recipe.importer, _convert_="all")
    origin, refusals = {"recipe": recipe.name}, Refusals(source)
    return take_in(
        importer.cases(source),
        recipe.manifest(),
        out,
        refusals=refusals,
        overwrite=overwrite,
        origin=origin,
        progress=progress,
    )


def count_dataset(root: Path) -> dict[str, SplitCount]:
    """What a data set holds, by split. Raises SourceError as `load_dataset`."""
    _, cases = load_dataset(root)
    return {split: _count(root, [case for case in cases if case.split == split]) for split in SPLITS}


def _count(root: Path, cases: list[Case]) -> SplitCount:
    with_class = Counter(name for case in cases for name in _classes_shown(root, case))
    unsure = Counter(name for case in cases for name in case.unsure or ())
    in_order = ({name: counter[name] for name in CLASS_NAMES if counter[name]} for counter in (with_class, unsure))
    return SplitCount(len(cases), len({case.patient for case in cases}), *in_order)


def _classes_shown(root: Path, case: Case) -> Iterable[str]:
    labels_HW = read_labels(root, case)
    ids = [] if labels_HW is None else ids_in(labels_HW)
    return [CLASS_NAMES[id] for id in ids if 0 < id < len(CLASS_NAMES)]
