"""The folder of one training run: where its files lie, and what is needed to repeat it."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from hipseg import __version__
from hipseg.errors import OutputError

_PACKAGES = ("torch", "lightning", "monai", "albumentations", "numpy", "opencv-python-headless", "hydra-core")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Files of a run under `path`."""

    path: Path

    @classmethod
    def create(cls, config: DictConfig) -> RunFolder:
        """Makes the folder of a new run and writes its configuration and versions.

        Raises:
            OutputError: it cannot be written, or holds a run already.
        """
        path = Path(config.run_dir) if config.run_dir else _fresh(Path(config.runs_dir) / config.name)
        folder = cls(path)
        if folder.has_begun:
            raise OutputError(
                "holds a training run already", where=path, mend=f"go on with it by 'hipseg train resume={path}'"
            )
        try:
            for place in (folder.checkpoints, folder.pictures):
                place.mkdir(parents=True, exist_ok=True)
            folder.config.write_text(OmegaConf.to_yaml(config))
            folder.versions.write_text(json.dumps(versions(), indent=2) + "\n")
        except OSError as error:
            raise OutputError(f"cannot be written ({error.strerror})", where=path, mend="choose runs_dir=") from error
        return folder

    @property
    def has_begun(self) -> bool:
        """Whether a first checkpoint or loss is here; settings alone are no run that could be gone on with."""
        return any(self.checkpoints.glob("*.ckpt")) or any(self.path.glob("*.csv"))

    @property
    def config(self) -> Path:
        """The composed configuration."""
        return self.path / "config.yaml"

    @property
    def versions(self) -> Path:
        """Of hipseg, its commit and what it stands on."""
        return self.path / "versions.json"

    @property
    def data(self) -> Path:
        """Which data sets, with checksums: see `data_record`."""
        return self.path / "data.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of last.ckpt and best.ckpt."""
        return self.path / "checkpoints"

    @property
    def pictures(self) -> Path:
        """The folder of sample predictions, one contact sheet a validation."""
        return self.path / "pictures"

    @property
    def summary(self) -> Path:
        """The one-page report."""
        return self.path / "summary.html"


def versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """What this process runs on: hipseg, its commit, Python, the named packages, the platform."""
    found = {"hipseg": __version__, "commit": _commit(), "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return {**found, "platform": platform.platform()}


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


def _fresh(parent: Path) -> Path:
    """A folder named by the time; runs that begin in the same second are numbered."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    names = [stamp] + [f"{stamp}_{number}" for number in range(2, 100)]
    return next(parent / name for name in names if not (parent / name).exists())
