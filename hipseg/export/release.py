"""Makes a released model of a training run: model file, weights for fine-tuning, card and manifest, all or nothing."""

from __future__ import annotations

import datetime
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from safetensors.torch import save
from torch import nn

from hipseg.anatomy import CLASS_NAMES, LANDMARKS
from hipseg.errors import OutputError, UsageError
from hipseg.export.card import Release, card, manifest
from hipseg.export.config import ExportConfig
from hipseg.export.onnx import export_model
from hipseg.export.provenance import figures, portable_config, training_data
from hipseg.io import write_json
from hipseg.io.writing import output_errors
from hipseg.models.recurrent import state_shapes
from hipseg.runtime.contract import ModelContract
from hipseg.runtime.models import CARD_FILE, CHECKPOINT_FILE, MANIFEST_FILE, MODEL_FILE
from hipseg.training.checkpoint import load_network, trained_steps
from hipseg.training.run_folder import versions

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_PUBLIC = 0o755


def export_run(config: ExportConfig | DictConfig) -> Path:
    """Writes `out/name/` with model.onnx, checkpoint.safetensors, card.md and manifest.json.

    Returns:
        The folder.

    Raises:
        UsageError: bad name or thresholds, a file of metrics or notes that cannot be read, missing training data.
        ModelError: no such run, or onnxruntime does not agree with PyTorch; then nothing is written.
        OutputError: a model of this name is there already, or the folder cannot be written.
    """
    target = _checked_target(config)
    notes = _read_notes(config.notes) if config.notes else ""
    network, training = load_network(config.run)
    contract = _contract(config, training, network)
    with _staged(target) as folder:
        release = Release(
            contract=contract,
            training_config=portable_config(training),
            parity=export_model(network, contract, folder / MODEL_FILE),
            num_parameters=sum(parameter.numel() for parameter in network.parameters()),
            commit=versions()["commit"],
            notes=notes,
        )
        _write_papers(release, network, folder)
    return target


def _write_papers(release: Release, network: nn.Module, folder: Path) -> None:
    weights = {name: value.detach().clone().contiguous() for name, value in network.state_dict().items()}
    with output_errors(folder):
        (folder / CHECKPOINT_FILE).write_bytes(save(weights))
        (folder / CARD_FILE).write_text(card(release), encoding="utf-8")
    write_json(folder / MANIFEST_FILE, manifest(release, folder, (MODEL_FILE, CHECKPOINT_FILE, CARD_FILE)))


def _checked_target(config: Any) -> Path:
    if not _NAME.fullmatch(config.name):
        raise UsageError(f"'{config.name}'", where="name", expected="small letters, digits, '.', '_' and '-'")
    thresholds = list(config.view_thresholds)
    if len(thresholds) != 2 or not 0 <= thresholds[0] <= thresholds[1] <= 1:
        raise UsageError(f"{thresholds}", where="view_thresholds", expected="two ascending numbers, 0 to 1")
    target: Path = Path(config.out) / config.name
    if target.exists() and not config.overwrite:
        raise OutputError("is there already", where=target, mend="choose another name, or give overwrite=true")
    return target


def _contract(config: Any, training: DictConfig, network: nn.Module) -> ModelContract:
    low, high = config.view_thresholds
    step = trained_steps(config.run)
    return ModelContract(
        name=config.name,
        model_version=config.model_version,
        description=config.description,
        classes=CLASS_NAMES,
        landmarks=LANDMARKS,
        grid_size=int(training.data.grid_size),
        view_thresholds=(float(low), float(high)),
        training_data=tuple(training_data(training, allow_unknown=config.allow_unknown_data)),
        metrics=figures(config.run, step, list(config.metrics)),
        state=state_shapes(network, int(training.data.grid_size)),
        created=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        licence=config.licence,
    )


def _read_notes(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("cannot be read", where=file, expected="a Markdown file for the card") from error


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A folder beside the target that takes its place when all went well, and leaves no trace otherwise."""
    with output_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        staging.chmod(_PUBLIC)
    replaced = staging.with_name(f"{staging.name}-replaced")
    try:
        yield staging
        with output_errors(target):
            if target.exists():
                target.rename(replaced)
            staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
