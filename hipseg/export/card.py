"""What a released model says about itself: the card in words, the manifest with its checksums."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hipseg import DISCLAIMER, __version__
from hipseg.export.provenance import VALIDATION
from hipseg.export.verify import Parity
from hipseg.runtime.contract import ModelContract
from hipseg.runtime.models import CHECKPOINT_FILE, MODEL_FILE, sha256_of


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
        f"```json\n{json.dumps(release.training_config, indent=2)}\n```",
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
    yield f"Classes: {', '.join(contract.classes)}. Landmarks: {', '.join(contract.landmarks)}."
    yield f"A view score below {low:g} means that the image is not recognised, from {high:g} on that it is."
    yield f"Licence: {contract.licence}. Made {contract.created} by hipseg {__version__}, commit {release.commit}."


def _data_rows(training_data: Iterable[Mapping[str, Any]]) -> Iterator[tuple[object, ...]]:
    for entry in training_data:
        number = "unlimited or unknown" if entry["num_cases"] is None else entry["num_cases"]
        yield entry["name"], number, entry["licence"], entry["attribution"], entry["source"]


def _figures(metrics: Mapping[str, Any]) -> str:
    tests = {name: figures for name, figures in metrics.items() if name != VALIDATION}
    parts = [
        _table(("test set", "figure", "value", "of"), [row for item in tests.items() for row in _test_rows(*item)])
        if tests
        else "No test set was evaluated: measure the model with `hipseg evaluate` before you rely on it."
    ]
    if validated := metrics.get(VALIDATION):
        rows = [(name, figure["value"], figure["n"]) for name, figure in validated.items() if figure["n"]]
        parts += [
            "On the validation data of the training, at the exported step:",
            _table(("figure", "value", "of"), rows),
        ]
    return "\n\n".join(parts)


def _test_rows(test_set: str, figures: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    """The figures of `evaluation.summary` that have cases behind them."""
    for name, structure in figures.get("structures", {}).items():
        dice = structure["dice"]
        if dice["num_frames"]:
            yield (
                test_set,
                f"{name}: Dice",
                dice["mean"],
                f"{dice['num_frames']} images, {dice['num_patients']} patients",
            )
    for name, cortex in figures.get("cortex", {}).items():
        yield from _share(test_set, f"{name}: cortex found", cortex["found"])
        if cortex["distance_mm"]["num_frames"]:
            median = cortex["distance_mm"]["median_frame"]
            yield test_set, f"{name}: cortex distance, median mm", median, cortex["distance_mm"]["num_frames"]
    if tip := figures.get("needle_tip"):
        yield from _share(test_set, "needle tip found", tip["found"])
        yield from _share(test_set, "needle tip reported where there is none", tip["falsely_reported"])
        if tip["error_mm"]["num"]:
            both = f"{tip['error_mm']['median']} / {tip['error_mm']['p95']}"
            yield test_set, "needle tip error, median / p95 mm", both, tip["error_mm"]["num"]
    if view := figures.get("view"):
        yield from _share(test_set, "hip views recognised", view["hip_recognised"])
        yield from _share(test_set, "other images unrecognised", view["other_unrecognised"])


def _share(test_set: str, figure: str, share: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    if share["num"]:
        yield test_set, figure, share["share"], share["num"]


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else " ".join(str(value).replace("|", "/").split())
