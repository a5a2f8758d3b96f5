"""What a released model says about itself: the card in words, the manifest with its checksums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from hipseg import DISCLAIMER, __version__
from hipseg.export.provenance import VALIDATION
from hipseg.export.verify import Parity
from hipseg.runtime.contract import NEXT, ModelContract
from hipseg.runtime.models import CHECKPOINT_FILE, MODEL_FILE, sha256_of

_Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Everything the card and the manifest tell.

    Attributes:
        contract: as in the model file.
        training_config: of the run, free of this machine's folders.
        parity: what the gate measured.
        num_parameters: of the network.
        commit: of the code, "unknown" outside a checkout.
        notes: of the releaser: intended use, what was measured, known failures; Markdown.
    """

    contract: ModelContract
    training_config: Mapping[str, Any]
    parity: Sequence[Parity]
    num_parameters: int
    commit: str
    notes: str = ""


def manifest(release: Release, folder: Path, files: Sequence[str]) -> dict[str, Any]:
    """The content of manifest.json for files that lie in a folder."""
    return {
        "name": release.contract.name,
        "model_version": release.contract.model_version,
        "description": release.contract.description,
        "classes": list(release.contract.classes),
        "licence": release.contract.licence,
        "created": release.contract.created,
        "hipseg_version": __version__,
        "commit": release.commit,
        "num_parameters": release.num_parameters,
        "grid_size": release.contract.grid_size,
        "view_thresholds": list(release.contract.view_thresholds),
        "state": {name: list(shape) for name, shape in release.contract.state.items()},
        "files": {
            name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size} for name in files
        },
        "training_data": list(release.contract.training_data),
        "training_config": dict(release.training_config),
        "metrics": release.contract.metrics,
        "parity": [asdict(parity) for parity in release.parity],
    }


def card(release: Release) -> str:
    """The model card, Markdown."""
    contract = release.contract
    sections = [
        f"# {contract.name} {contract.model_version}",
        f"**{DISCLAIMER}**",
        contract.description,
        release.notes.strip(),
        "## The files",
        *_files(release),
        "## Training data",
        _table(("data set", "images", "licence", "attribution", "source"), _data_rows(contract.training_data)),
        "## Figures",
        _figures(contract.metrics),
        "## Training configuration",
        f"```yaml\n{OmegaConf.to_yaml(OmegaConf.create(dict(release.training_config)))}```",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _files(release: Release) -> Iterator[str]:
    contract, size = release.contract, release.contract.grid_size
    low, high = contract.view_thresholds
    agreement = min(parity.label_agreement for parity in release.parity)
    yield (
        f"`{MODEL_FILE}` takes grey images of any size and holds all pre- and post-processing: "
        f"{release.num_parameters / 1e6:.2f} million parameters on a grid of {size} x {size} cells. "
        f"onnxruntime and PyTorch give at least {agreement:.2%} equal labels at {len(release.parity)} image sizes. "
        f"`{CHECKPOINT_FILE}` holds the weights, to train further: `hipseg train init_from=...`."
    )
    if contract.state:
        parts = ", ".join(f"`{name}` ({' x '.join(map(str, shape))})" for name, shape in contract.state.items())
        yield (
            f"It remembers the frames before: {parts} go in, zeros for the first frame, and what comes out as "
            f"`{NEXT}...` goes in with the next one. Compared with PyTorch over {release.parity[0].num_frames} frames."
        )
    yield f"Classes: {', '.join(contract.classes)}. Landmarks: {', '.join(contract.landmarks)}."
    yield f"A view score below {low:g} means that the image is not recognised, from {high:g} on that it is."
    yield f"Licence: {contract.licence}. Made {contract.created} by hipseg {__version__}, commit {release.commit}."


def _data_rows(training_data: Iterable[Mapping[str, Any]]) -> Iterator[_Row]:
    for entry in training_data:
        yield entry["name"], entry["num_cases"], entry["licence"], entry["attribution"], entry["source"]


def _figures(metrics: Mapping[str, Any]) -> str:
    tests = {name: figures for name, figures in metrics.items() if name != VALIDATION}
    rows = [(name, *row) for name, figures in tests.items() for row in _test_rows(figures)]
    unmeasured = "No test set was evaluated: measure the model with `hipseg evaluate` before you rely on it."
    parts = [_table(("test set", "figure", "value", "of"), rows) if rows else unmeasured]
    if validated := metrics.get(VALIDATION):
        measured = ((name, figure["value"], figure["n"]) for name, figure in validated.items() if figure["n"])
        parts.append("On the validation data of the training, at the exported step:")
        parts.append(_table(("figure", "value", "of"), measured))
    return "\n\n".join(parts)


def _test_rows(figures: Mapping[str, Any]) -> Iterator[_Row]:
    """Figure, value and number of cases of `evaluation.summary`, where there are cases."""
    for name, structure in figures.get("structures", {}).items():
        dice = structure["dice"]
        if dice["num_frames"]:
            yield f"{name}: Dice", dice["mean"], f"{dice['num_frames']} images, {dice['num_patients']} patients"
    for name, cortex in figures.get("cortex", {}).items():
        yield from _share(f"{name}: cortex found", cortex["found"])
        distance = cortex["distance_mm"]
        if distance["num_frames"]:
            yield f"{name}: cortex distance, median mm", distance["median_frame"], distance["num_frames"]
    if tip := figures.get("needle_tip"):
        yield from _share("needle tip found", tip["found"])
        yield from _share("needle tip reported where there is none", tip["falsely_reported"])
        error = tip["error_mm"]
        if error["num"]:
            yield "needle tip error, median / p95 mm", f"{error['median']} / {error['p95']}", error["num"]
    if view := figures.get("view"):
        yield from _share("hip views recognised", view["hip_recognised"])
        yield from _share("other images unrecognised", view["other_unrecognised"])


def _share(figure: str, share: Mapping[str, Any]) -> Iterator[_Row]:
    if share["num"]:
        yield figure, share["share"], share["num"]


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else " ".join(str(value).replace("|", "/").split())
