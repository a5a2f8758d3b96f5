"""The variants of a training, which are presets of `configs/experiment/ablation`, and what is done with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hipseg.configuration import config_folder
from hipseg.errors import UsageError, nearest_name
from hipseg.runtime.models import MODEL_FILE

BASE = "base"
DATA_SETS = ("femoral", "vessels", "muscle", "simulated")
_FOLDER = Path("experiment") / "ablation"


@dataclass(frozen=True, slots=True)
class Variant:
    """One training of the ablation.

    Attributes:
        name: of its preset.
        meaning: what it changes, one sentence.
    """

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One `hipseg` command of a variant.

    Attributes:
        arguments: of `hipseg`.
        result: what is there once it is done; then it is not run again.
    """

    arguments: tuple[str, ...]
    result: Path


def find_variants(only: Sequence[str] = ()) -> list[Variant]:
    """The presets, the base first.

    Args:
        only: names of those wanted; none means all. The base is always among them.

    Raises:
        UsageError: no preset of such a name.
    """
    folder = config_folder() / _FOLDER
    names = sorted(file.stem for file in folder.glob("*.yaml"))
    for name in only:
        if name not in names:
            raise UsageError(f"no variant '{name}'", where=folder, mend=nearest_name(name, names))
    chosen = [name for name in names if name != BASE and (not only or name in only)]
    return [Variant(name, _meaning(folder / f"{name}.yaml")) for name in [BASE, *chosen]]


def _meaning(file: Path) -> str:
    """The first sentence of a preset's comment."""
    comments = [line.removeprefix("#").strip() for line in file.read_text().splitlines() if line.startswith("# ")]
    return next(line for line in comments if not line.startswith("@"))


def stages(variant: Variant, datasets: Path, out: Path, *, split: str, overrides: Sequence[str] = ()) -> list[Stage]:
    """Training, export and evaluation of a variant, in order.

    Args:
        variant: which.
        datasets: folder of the data sets that presets name; those of `DATA_SETS` that are there are evaluated on.
        out: folder of the ablation.
        split: whose cases are evaluated.
        overrides: of every training, for a smaller ablation.
    """
    run, model = out / "runs" / variant.name, out / "models" / variant.name.replace("_", "-")
    fresh = ("train", f"experiment=ablation/{variant.name}", f"datasets={datasets}", f"run_dir={run}", *overrides)
    training = ("train", f"resume={run}") if (run / "checkpoints" / "last.ckpt").exists() else fresh
    export = ("export", f"run={run}", f"name={model.name}", f"out={model.parent}", "overwrite=true")
    evaluations = [
        Stage(
            ("evaluate", str(datasets / name), "--model", str(model), "--split", split, "--out", str(result)),
            result,
        )
        for name in DATA_SETS
        if (datasets / name).is_dir()
        for result in [figures_file(out, variant, name, split)]
    ]
    return [Stage(training, run / "summary.html"), Stage(export, model / MODEL_FILE), *evaluations]


def figures_file(out: Path, variant: Variant, data_set: str, split: str) -> Path:
    """Where the figures of a variant on a data set lie."""
    return out / "figures" / split / variant.name / f"{data_set}.json"
