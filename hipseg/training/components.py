"""Makes the parts of a training from their `_target_` nodes."""

from __future__ import annotations

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from hipseg.errors import HipsegError, UsageError


def make(node: DictConfig, name: str, **arguments: Any) -> Any:
    """Calls what a configuration node names, with the node's values and further arguments.

    Args:
        node: with `_target_`, an import path.
        name: of the node, for messages.

    Raises:
        UsageError: no such target, or arguments it does not take.
        HipsegError: what the target itself has against its arguments.
    """
    try:
        return instantiate(node, **arguments, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, HipsegError):
            raise cause from None
        reason = str(cause or error).splitlines()[0]
        raise UsageError(
            f"cannot be made ({reason})", where=f"configuration '{name}' ({node.get('_target_')})"
        ) from error
