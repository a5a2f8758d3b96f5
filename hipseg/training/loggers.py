"""Loggers besides the run's own CSV files: told the run's settings, and the same record again when the run goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from hipseg.errors import UsageError
from hipseg.io import write_json
from hipseg.training.components import make

RECORD_FILE = "logger.json"
_IDENTITY = {"MLFlowLogger": "run_id", "WandbLogger": "id"}
"""What loggers with a store outside the run folder call the record they go on with."""

# Nothing is sent anywhere but to the user's own server, and a server that does not answer says so in seconds.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SILENT": "true",
}


def make_logger(config: DictConfig, folder: Path, *, goes_on: bool) -> Logger | bool:
    """The logger that `config.logger` names, opened; False where it names none.

    Args:
        config: of the run, which a new record gets as its parameters.
        folder: of the run; which record is its own is kept there.
        goes_on: whether the run was begun before, with a record of its own.

    Raises:
        UsageError: its library is not installed, or its store cannot be reached.
    """
    if not config.logger:
        return False
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    logger: Logger = make(config.logger, "logger", save_dir=str(folder), **_own_record(config, folder, goes_on=goes_on))
    _open(logger, config, folder, goes_on=goes_on)
    return logger


def close_logger(logger: Logger | bool) -> None:
    """Ends the record of Weights & Biases, which would take in whatever this process trains next."""
    if isinstance(logger, Logger):
        getattr(getattr(logger, "experiment", None), "finish", lambda: None)()


@rank_zero_only
def _open(logger: Logger, config: DictConfig, folder: Path, *, goes_on: bool) -> None:
    # Any library may stand behind a logger, with errors of its own.
    try:
        identity = logger.version
        if not goes_on:
            logger.log_hyperparams(_settings(config))
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        where, mend = f"logger ({config.logger._target_})", "start its server, or logger=tensorboard"
        raise UsageError(f"cannot be opened ({reason})", where=where, mend=mend) from error
    if key := _identity_key(config):
        write_json(folder / RECORD_FILE, {key: identity})


def _own_record(config: DictConfig, folder: Path, *, goes_on: bool) -> dict[str, Any]:
    file, key = folder / RECORD_FILE, _identity_key(config)
    if not (goes_on and key and file.is_file()):
        return {}
    identity = json.loads(file.read_bytes()).get(key)
    return {key: identity} if identity else {}


def _identity_key(config: DictConfig) -> str | None:
    return _IDENTITY.get(str(config.logger.get("_target_")).rpartition(".")[2])


def _settings(config: DictConfig) -> dict[str, Any]:
    settings = OmegaConf.to_container(config, resolve=True)
    assert isinstance(settings, dict)
    return {str(name): value for name, value in settings.items()}
