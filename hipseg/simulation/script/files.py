"""Scenario files: `configs/simulation/scenario/NAME.yaml`, or a file of one's own.

summary: The path runs into the artery; the needle is drawn back and redirected.
view: transverse
duration_s: 12
needle: {aim: artery, gauge: 22}
actions:
  - insert: {at_s: 1, for_s: 1}
  - advance: {at_s: 2, for_s: 3, to_mm: -4}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hipseg.configuration import config_folder
from hipseg.errors import SourceError, UsageError, nearest_name
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.script.actions import ACTIONS, AIMS, Action
from hipseg.simulation.script.checks import check_script
from hipseg.simulation.script.fields import checked_fields
from hipseg.simulation.script.scenario import NeedlePlan, Scenario

_LARGEST_FILE = 100_000
_OWN_KEYS = ("population", "needle", "actions", "shows")
_NOT_THE_SCRIPTS = {"view"}


def scenario_folder() -> Path:
    """Where the scenarios that come with hipseg lie."""
    return config_folder() / "simulation" / "scenario"


def scenario_names() -> list[str]:
    """Names of all scenarios that come with hipseg, sorted."""
    return sorted(path.stem for path in scenario_folder().glob("*.yaml"))


def load_scenario(name: str) -> Scenario:
    """A scenario by its name, or by the path of a YAML file.

    Raises:
        UsageError: no such scenario; a mistyped key, a value out of its physical range, a script that contradicts
            itself.
        SourceError: the file cannot be read.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else scenario_folder() / f"{name}.yaml"
    if not path.is_file():
        hint = nearest_name(name, scenario_names())
        raise UsageError(f"there is no scenario '{name}'", where="scenario", mend=f"{hint} or name a .yaml file")
    return scenario_of(_read(path), path.stem)


def scenario_of(content: Any, name: str) -> Scenario:
    """A scenario from the content of its file. Raises UsageError as `load_scenario` does."""
    where = f"scenario {name}"
    if not isinstance(content, Mapping):
        raise UsageError("holds no keys", where=where, expected="summary, view, duration_s, actions")
    own = {key: value for key, value in content.items() if key not in _OWN_KEYS}
    fields = checked_fields(Scenario, {**own, "name": name}, where, also=_OWN_KEYS)
    needle = content.get("needle")
    scenario = Scenario(
        **fields,
        population=_population(content.get("population") or {}, where),
        needle=None if needle is None else NeedlePlan(**checked_fields(NeedlePlan, needle, f"{where}, needle")),
        actions=_actions(content.get("actions") or [], where),
        shows=_shows(content.get("shows") or [], where),
    )
    check_script(scenario)
    return scenario


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise SourceError("is too large for a scenario", where=path, expected=f"at most {_LARGEST_FILE} bytes")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError("cannot be read", where=path) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"is no YAML ({' '.join(str(error).split())})", where=path) from error


def _population(changes: Any, where: str) -> dict[str, Any]:
    """Changes to the population, checked by making one."""
    if not isinstance(changes, Mapping):
        raise UsageError("is no list of keys", where=f"{where}, population")
    known = {item.name for item in dataclasses.fields(SimulationConfig)} - _NOT_THE_SCRIPTS
    for key in changes:
        if key not in known:
            raise UsageError(f"unknown key '{key}'", where=f"{where}, population", mend=nearest_name(str(key), known))
    # A scenario file gives ranges as lists; the checks turn them into pairs.
    made = SimulationConfig(**changes)
    return {key: getattr(made, key) for key in changes}


def _actions(entries: Any, where: str) -> tuple[Action, ...]:
    if not isinstance(entries, list):
        raise UsageError("is no list", where=f"{where}, actions", expected="as in - insert: {at_s: 1}")
    actions = [_action(entry, f"{where}, action {number}") for number, entry in enumerate(entries, 1)]
    return tuple(sorted(actions, key=lambda action: action.at_s))


def _action(entry: Any, where: str) -> Action:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise UsageError(f"is {entry!r:.80}", where=where, expected="one action, as in insert: {at_s: 1}")
    ((name, values),) = entry.items()
    if name not in ACTIONS:
        raise UsageError(f"unknown action '{name}'", where=where, mend=nearest_name(str(name), ACTIONS))
    return ACTIONS[name](**checked_fields(ACTIONS[name], values, f"{where} ({name})"))


def _shows(names: Any, where: str) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise UsageError("is no list", where=f"{where}, shows", expected=f"of {', '.join(AIMS)}")
    for name in names:
        if name not in AIMS:
            raise UsageError(f"is '{name}'", where=f"{where}, shows", mend=nearest_name(str(name), AIMS))
    return tuple(names)
