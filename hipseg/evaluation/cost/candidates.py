"""Who takes part: released models, trained runs, and the untrained networks of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import nn

from hipseg.anatomy import CLASS_NAMES, LANDMARKS
from hipseg.configuration import config_folder
from hipseg.errors import HipsegError
from hipseg.evaluation.cost.arithmetic import onnx_arithmetic
from hipseg.export.onnx import export_model
from hipseg.models.arithmetic import Arithmetic, network_arithmetic
from hipseg.runtime.contract import ModelContract
from hipseg.runtime.models import MODEL_FILE, list_models
from hipseg.runtime.session import Session
from hipseg.training.checkpoint import load_network
from hipseg.training.components import make

RELEASED, TRAINED, UNTRAINED = "released", "trained", "untrained"
GRID_SIZE = 256
"""On which untrained networks are counted and timed, as the released models are trained."""
_SEED = 0


@dataclass(frozen=True)
class Candidate:
    """One network or model.

    Attributes:
        name: as a reader calls it.
        origin: RELEASED, TRAINED or UNTRAINED: only the first two have an accuracy.
        path: of its model file, which may be gone when the benchmark is over; None where it was not exported.
        size_bytes: of that file.
        arithmetic: what one image costs; None where it cannot be told.
        fault: why it is not measured, None if it is.
    """

    name: str
    origin: str
    path: Path | None = None
    size_bytes: int | None = None
    arithmetic: Arithmetic | None = None
    fault: str | None = None


def released(height: int, width: int) -> Iterator[Candidate]:
    """The models on the shelf; one that is broken comes with its fault.

    Args:
        height, width: of the images that they are counted on, pixels.
    """
    for model in list_models():
        path = model.folder / MODEL_FILE
        try:
            with Session(path):  # checks checksum and contract
                yield Candidate(model.name, RELEASED, path, path.stat().st_size, onnx_arithmetic(path, height, width))
        except HipsegError as error:
            yield Candidate(model.name, RELEASED, fault=str(error))


def trained(runs: Sequence[Path], folder: Path) -> Iterator[Candidate]:
    """Run folders or checkpoints, exported into `folder`."""
    for run in runs:
        try:
            network, config = load_network(run)
            yield _exported(run.stem, TRAINED, network, int(config.data.grid_size), folder)
        except HipsegError as error:
            yield Candidate(run.stem, TRAINED, fault=str(error))


def configured(folder: Path | None) -> Iterator[Candidate]:
    """Every network of configs/model/ with random weights; None as folder counts without exporting."""
    for file in sorted((config_folder() / "model").glob("*.yaml")):
        try:
            torch.manual_seed(_SEED)
            network: nn.Module = make(OmegaConf.load(file), "model").eval()  # type: ignore[arg-type]
            if folder is None:
                yield Candidate(file.stem, UNTRAINED, arithmetic=network_arithmetic(network, GRID_SIZE))
            else:
                yield _exported(file.stem, UNTRAINED, network, GRID_SIZE, folder)
        except HipsegError as error:
            yield Candidate(file.stem, UNTRAINED, fault=str(error))


def _exported(name: str, origin: str, network: nn.Module, grid_size: int, folder: Path) -> Candidate:
    contract = ModelContract(
        name=name, model_version="0", classes=CLASS_NAMES, landmarks=LANDMARKS, grid_size=grid_size
    )
    path = folder / f"{origin}-{name}.onnx"
    arithmetic = network_arithmetic(network, grid_size)
    try:
        export_model(network, contract, path)
    except HipsegError as error:
        return Candidate(name, origin, arithmetic=arithmetic, fault=str(error))
    return Candidate(name, origin, path, path.stat().st_size, arithmetic)
