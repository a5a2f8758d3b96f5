"""Reading checkpoints back: for export, and as the start of another training."""

from __future__ import annotations

import csv
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hipseg.anatomy import CLASS_NAMES, LANDMARKS
from hipseg.errors import ModelError
from hipseg.training.components import make
from hipseg.training.ensemble import Ensemble

CONFIG_KEY, CLASSES_KEY = "hipseg_config", "hipseg_classes"
SWEEP_TABLE = "results.csv"
_PREFIX = "network."


def find_checkpoint(path: str | Path, *, prefer: str = "best") -> Path:
    """The checkpoint file a user means by a run folder, its `checkpoints/`, or a file.

    Args:
        path: as the user gave it.
        prefer: "best" (for export) or "last" (to go on training), where a folder has both.

    Raises:
        ModelError: there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    other = "last" if prefer == "best" else "best"
    for folder in (path / "checkpoints", path):
        for name in (prefer, other):
            if (folder / f"{name}.ckpt").is_file():
                return folder / f"{name}.ckpt"
    raise ModelError("no checkpoint here", where=path, expected="a run folder or a .ckpt file")


def read_checkpoint(path: str | Path, *, any_classes: bool = False) -> dict[str, Any]:
    """The content of a checkpoint file: plain values and tensors; nothing in it is executed.

    Args:
        path: of the file.
        any_classes: whether its classes may be others than this version's.

    Raises:
        ModelError: missing, truncated, not a checkpoint of hipseg, or of other classes.
    """
    expected = "a checkpoint written by 'hipseg train'"
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError("no such checkpoint", where=path) from error
    except pickle.UnpicklingError as error:
        is_archive = zipfile.is_zipfile(path)
        what = "holds objects that would run code when loaded" if is_archive else "is no checkpoint of plain tensors"
        raise ModelError(what, where=path, expected=f"plain tensors: {expected}") from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise ModelError(f"cannot be read ({_first_line(error)})", where=path, expected=expected) from error
    if not isinstance(checkpoint, dict) or not {"state_dict", CONFIG_KEY} <= checkpoint.keys():
        raise ModelError("holds no weights and configuration of a hipseg training", where=path, expected=expected)
    classes = checkpoint.get(CLASSES_KEY, meant_classes())  # the first checkpoints did not say
    if classes != meant_classes() and not any_classes:
        differing = next((pair for pair in zip(classes, meant_classes(), strict=False) if pair[0] != pair[1]), None)
        what = f"its class '{differing[0]}' stands where '{differing[1]}' does" if differing else "other classes"
        raise ModelError(what, where=path, expected="the classes of this version, in its order")
    return checkpoint


def meant_classes() -> list[str]:
    """What a network's channels stand for, in their order."""
    return [*CLASS_NAMES, *LANDMARKS]


def load_network(path: str | Path) -> tuple[nn.Module, DictConfig]:
    """The trained network of a run folder (its best checkpoint) or checkpoint file, or all those of a sweep as one.

    Returns:
        The network in evaluation mode on the CPU, with the averaged weights where the run kept an average, and the
        run's configuration (of a sweep, the first run's, without its fold).

    Raises:
        ModelError: missing or broken checkpoint, weights that do not fit the network of its configuration, or runs of
            several grids in one sweep.
    """
    if runs := swept_runs(path):
        return _load_ensemble(Path(path), runs)
    file = find_checkpoint(path)
    checkpoint = read_checkpoint(file)
    config = OmegaConf.create(checkpoint[CONFIG_KEY])
    network = make(config.model, "model")
    load_weights(network, checkpoint["state_dict"], where=file)
    return network.eval(), config


def swept_runs(path: str | Path) -> list[Path]:
    """The folders of a sweep's runs that trained to their end, in order; none where the path is no sweep's folder.

    Raises:
        ModelError: the sweep's table cannot be read.
    """
    table = Path(path) / SWEEP_TABLE
    if not table.is_file():
        return []
    try:
        with table.open(newline="") as file:
            ended = [table.parent / row["run"] for row in csv.DictReader(file) if int(row["steps"])]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise ModelError("is no table of a sweep", where=table, expected="columns 'steps' and 'run'") from error
    return sorted(run for run in ended if (run / "checkpoints").is_dir())


def trained_steps(path: str | Path) -> int | None:
    """Optimizer steps behind a run folder or checkpoint file; None for a sweep. Raises ModelError as `load_network`."""
    return None if swept_runs(path) else read_checkpoint(find_checkpoint(path)).get("global_step")


def _load_ensemble(sweep: Path, runs: Sequence[Path]) -> tuple[nn.Module, DictConfig]:
    members, configs = zip(*map(load_network, runs), strict=True)
    sizes = {int(config.data.grid_size) for config in configs}
    if len(sizes) > 1:
        raise ModelError(f"runs of grids {sorted(sizes)}", where=sweep, expected="one grid for all that are averaged")
    config: DictConfig = configs[0]
    config.data.fold = None
    return Ensemble(members, sizes.pop()).eval(), config


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The weights in a run folder, a `.ckpt` or a `.safetensors` file. Raises ModelError."""
    if Path(path).suffix == ".safetensors":
        return read_safetensors(path)
    return bare_names(read_checkpoint(find_checkpoint(path))["state_dict"])


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    """The weights in a `.safetensors` file. Raises ModelError."""
    try:
        return bare_names(load_file(path))
    except FileNotFoundError as error:
        raise ModelError("no such file", where=path) from error
    except (SafetensorError, OSError) as error:
        raise ModelError(f"cannot be read ({_first_line(error)})", where=path, expected="safetensors") from error


def bare_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by the network's own names, without the prefix "network." of a training's."""
    return {name.removeprefix(_PREFIX): value for name, value in weights.items()}


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], *, where: str | Path) -> None:
    """Puts weights (with or without the prefix "network.") into a network. Raises ModelError when they do not fit."""
    bare = bare_names(weights)
    own = network.state_dict()
    misfit = next(
        (name for name in sorted(own.keys() | bare.keys()) if name not in own or name not in bare), None
    ) or next((name for name in own if own[name].shape != bare[name].shape), None)
    if misfit is not None:
        got, wanted = (tuple(state[misfit].shape) if misfit in state else "nothing" for state in (bare, own))
        raise ModelError(
            f"weights '{misfit}' of shape {got}",
            where=where,
            expected=f"{wanted} for this network",
            mend="train with the same model settings as the checkpoint's",
        )
    network.load_state_dict(bare)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
