"""Composes the YAML files of configs/ into checked configurations, for the verbs that use Hydra.

A verb has one primary file (`configs/train.yaml`) and one dataclass schema; the file's defaults list begins with
`<name>_schema`, under which `compose` registers the schema. Whatever Hydra or OmegaConf has against a configuration
leaves here as one `UsageError`: the key, what was expected, the nearest right name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from hipseg.errors import HipsegError, UsageError, nearest_name

# Hydra lets some faults of overrides through as bare ValueErrors.
_FAULTS = (HydraException, OmegaConfBaseException, YAMLError, ValueError)
_PACKAGE = Path(__file__).resolve().parent


def config_folder() -> Path:
    """The folder of configurations: `configs/` of a checkout, or the copy inside an installed package.

    Raises:
        UsageError: neither is there.
    """
    for folder in (_PACKAGE.parent / "configs", _PACKAGE / "configs"):
        if folder.is_dir():
            return folder
    raise UsageError("no folder of configurations", where=_PACKAGE, mend="install hipseg again")


def compose(config_name: str, overrides: Sequence[str] = (), *, schema: type | None = None) -> DictConfig:
    """One configuration, complete, checked against its schema and free of unresolved references.

    Args:
        config_name: primary file in `config_folder`, without its ending.
        overrides: as on the command line: "trainer.max_steps=10", "model=monai_unet", "+experiment=demo".
        schema: dataclass of everything with a fixed shape.

    Raises:
        UsageError: unknown key or group option, wrong type, missing value, broken YAML or override.
    """
    _register(config_name, schema)
    try:
        config = _check(_compose(config_name, overrides), schema)
    except _FAULTS as error:
        raise _usage_error(error, config_name, overrides) from error
    return config


def sweep(
    config_name: str, task: Callable[[DictConfig], Any], overrides: Sequence[str], *, schema: type | None = None
) -> list[Any]:
    """Runs a task once for each combination of swept values ("optimizer.lr=1e-3,3e-3"), by Hydra's launcher.

    Args:
        config_name: as for `compose`.
        task: importable function of a configuration; a configuration with a `run_dir` gets one folder a job.
        overrides: as for `compose`, with comma-separated values or any of Hydra's sweeps.
        schema: as for `compose`.

    Returns:
        The task's results in the order of the jobs.

    Raises:
        UsageError: as for `compose`.
        Exception: the first failed job's own error, after all jobs have ended.
    """
    _register(config_name, schema)
    GlobalHydra.instance().clear()
    hydra = Hydra.create_main_hydra2(config_name, create_config_search_path(f"file://{config_folder()}"))
    try:
        batches = hydra.multirun(config_name, _SweepJob(task, schema), list(overrides), with_log_configuration=False)
    except HipsegError:
        raise
    except _FAULTS as error:
        raise _usage_error(error, config_name, overrides) from error
    finally:
        GlobalHydra.instance().clear()
    return [job.return_value for batch in batches for job in batch]


def to_yaml(config: DictConfig) -> str:
    """The configuration as a YAML text, references resolved."""
    return OmegaConf.to_yaml(config, resolve=True)


@dataclass
class _SweepJob:
    task: Callable[[DictConfig], Any]
    schema: type | None

    def __call__(self, config: DictConfig) -> Any:
        config = _check(config, self.schema)
        if "run_dir" in config and config.run_dir is None:
            config.run_dir = HydraConfig.get().runtime.output_dir
        return self.task(config)


def _register(config_name: str, schema: type | None) -> None:
    if schema is not None:
        ConfigStore.instance().store(name=f"{config_name}_schema", node=schema, provider="hipseg")


def _compose(config_name: str, overrides: Sequence[str]) -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(config_folder()), version_base="1.3", job_name=config_name):
        return hydra_compose(config_name, overrides=list(overrides))


def _check(config: DictConfig, schema: type | None) -> DictConfig:
    """Hydra checks key by key; here the whole meets its schema once more, with every reference resolved."""
    if schema is not None:
        merged = OmegaConf.merge(OmegaConf.structured(schema), config)
        assert isinstance(merged, DictConfig)
        config = merged
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return config


def _usage_error(error: Exception, config_name: str, overrides: Sequence[str]) -> UsageError:
    if isinstance(error, MissingConfigException):
        return _missing_option(error)
    cause = next((link for link in _chain(error) if isinstance(link, OmegaConfBaseException)), None)
    # OmegaConf's further lines repeat the key; a YAML parser's say where the fault is.
    text = " ".join(str(error).split()) if isinstance(error, YAMLError) else str(cause or error)
    key = (getattr(cause, "full_key", None) or _quoted_key(str(error))) or None
    where = f"configuration '{config_name}'" + (f", key '{key}'" if key else "")
    if key and re.search(r"not in '|Could not override|Could not delete|Missing key", f"{error}\n{text}"):
        return UsageError("unknown key", where=where, mend=_nearest_key(key, config_name, overrides))
    return UsageError(_first_line(text), where=where, expected=_expected_type(text), mend=_advice(text))


def _missing_option(error: MissingConfigException) -> UsageError:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    if not group:
        return UsageError(_first_line(str(error)), where=config_folder())
    mend = nearest_name(option, error.options) if error.options else f"there is no {group}/ in {config_folder()}"
    return UsageError(f"unknown option '{option}'", where=f"configuration group '{group}'", mend=mend)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _quoted_key(text: str) -> str | None:
    found = re.search(r"Could not (?:override|delete from config\.) '([^']+)'", text)
    return found.group(1) if found else None


def _nearest_key(key: str, config_name: str, overrides: Sequence[str]) -> str:
    """Looks for the key in the configuration as it is without the faulty override."""
    others = [override for override in overrides if override.lstrip("+~").partition("=")[0] != key]
    for candidate in (others, []):
        try:
            config = _compose(config_name, candidate)
        except _FAULTS:
            continue
        known = list(_keys(config))
        siblings = [name for name in known if name.rpartition(".")[0] == key.rpartition(".")[0]]
        return nearest_name(key, siblings or [name for name in known if "." not in name])
    return ""


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for name in map(str, config):
        yield f"{prefix}{name}"
        node = config._get_node(name)
        if isinstance(node, DictConfig) and not (node._is_none() or node._is_missing()):
            yield from _keys(node, f"{prefix}{name}.")


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "cannot be composed"


def _expected_type(text: str) -> str | None:
    found = re.search(r"could not be converted to (\w+)", text) or re.search(r"valid options are (\[.*?\])", text)
    return (
        {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}.get(
            found.group(1), found.group(1)
        )
        if found
        else None
    )


def _advice(text: str) -> str | None:
    return "add --multirun to sweep over several values" if "--multirun" in text else None
