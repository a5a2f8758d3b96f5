"""Augmentation presets by name, for verbs that do without the training's whole configuration."""

from __future__ import annotations

from typing import Any

import yaml

from hipseg.configuration import config_folder
from hipseg.errors import UsageError, nearest_name


def augment_preset(name: str) -> dict[str, Any]:
    """The values of `configs/augment/<name>.yaml`. Raises UsageError when there is no such preset."""
    folder = config_folder() / "augment"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise UsageError(
            f"no augmentation '{name}'", mend=nearest_name(name, [file.stem for file in folder.glob("*.yaml")])
        )
    values: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
    return values
