"""Settings of an inference run: defaults, then a file, then KEY=VALUE arguments, checked against the schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hipseg.display.config import DisplayConfig
from hipseg.errors import UsageError, nearest_name
from hipseg.guidance.config import GuidanceConfig, validate

_ASSIGNMENT = re.compile(r"[A-Za-z_][\w.]*=")


@dataclass
class Settings:
    """The groups a KEY may start with."""

    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    display: DisplayConfig = field(default_factory=DisplayConfig)


def is_assignment(argument: str) -> bool:
    """Whether an argument reads KEY=VALUE rather than as a source (a file of that very name is a source)."""
    return _ASSIGNMENT.match(argument) is not None and not Path(argument).exists()


def read_settings(file: Path | None, assignments: Iterable[str]) -> Settings:
    """Merges the defaults with a YAML file and KEY=VALUE assignments, later ones winning.

    Raises:
        UsageError: a file that can't be read, a key that doesn't exist (with the nearest one that does), a value of
            the wrong type or out of range.
    """
    merged = OmegaConf.structured(Settings())
    if file is not None:
        merged = _merge(merged, _load(file), where=str(file))
    for assignment in assignments:
        merged = _merge(merged, _parse(assignment), where=assignment)
    try:
        settings = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise UsageError(str(error).splitlines()[0], where=error.full_key) from error
    assert isinstance(settings, Settings)
    validate(settings.guidance)
    return settings


def changed_settings(settings: Settings) -> dict[str, Any]:
    """The settings that differ from the defaults, by dotted key, as plain values."""
    changed, default = OmegaConf.structured(settings), OmegaConf.structured(Settings())
    leaves = [key for key in _keys(default) if not _is_group(default, key)]
    values = {key: OmegaConf.select(changed, key) for key in leaves}
    return {
        key: value.value if isinstance(value, Enum) else value
        for key, value in values.items()
        if value != OmegaConf.select(default, key)
    }


def _load(file: Path) -> DictConfig:
    try:
        loaded = OmegaConf.load(file)
    except OSError as error:
        raise UsageError(f"can't be read ({error.strerror})", where=file, expected="a YAML file of settings") from error
    except Exception as error:  # the YAML parser's own exceptions are not part of OmegaConf's interface
        raise UsageError(f"is not YAML ({error})", where=file, expected="a YAML file of settings") from error
    if not isinstance(loaded, DictConfig):
        raise UsageError("holds no mapping", where=file, expected="KEY: VALUE entries such as 'guidance:'")
    return loaded


def _parse(assignment: str) -> DictConfig:
    try:
        return OmegaConf.from_dotlist([assignment])
    except Exception as error:  # as above
        raise UsageError("can't be read", where=assignment, expected="KEY=VALUE with a YAML value") from error


def _merge(settings: DictConfig, changes: DictConfig, *, where: str) -> DictConfig:
    known = set(_keys(settings))
    for key in _keys(changes):
        if key not in known:
            raise UsageError(f"unknown key '{key}'", where=where, mend=nearest_name(key, known))
        if _is_group(settings, key) and not _is_group(changes, key):
            raise UsageError(f"'{key}' is a group of settings, not one", where=where, expected=f"{key}.KEY=VALUE")
    try:
        merged = OmegaConf.merge(settings, changes)
    except OmegaConfBaseException as error:
        raise UsageError(str(error).splitlines()[0], where=where) from error
    assert isinstance(merged, DictConfig)
    return merged


def _is_group(config: DictConfig, key: str) -> bool:
    return isinstance(OmegaConf.select(config, key), DictConfig)


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """Every dotted key, groups included."""
    for name in map(str, config):
        key = f"{prefix}{name}"
        yield key
        child = None if OmegaConf.is_interpolation(config, name) else config[name]
        if isinstance(child, DictConfig):
            yield from _keys(child, f"{key}.")
