"""Where a new run starts from: a released model, a checkpoint, or bare weights, for the same or for other classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from hipseg.anatomy import LANDMARKS
from hipseg.errors import ModelError, UsageError, nearest_name
from hipseg.models.halfres_unet import HalfResUNet
from hipseg.models.widening import is_narrower, widened
from hipseg.runtime.models import CHECKPOINT_FILE, MANIFEST_FILE, sha256_of
from hipseg.training.checkpoint import (
    CLASSES_KEY,
    bare_names,
    find_checkpoint,
    load_weights,
    meant_classes,
    read_checkpoint,
    read_safetensors,
)

_NUM_NAMED = 8


@dataclass(frozen=True)
class _Source:
    """Weights to start from.

    Attributes:
        path: of the file.
        weights: by the network's own names.
        classes: what its channels stand for, classes and landmarks in order; None where it does not say.
    """

    path: Path
    weights: dict[str, Tensor]
    classes: list[str] | None


def start_from(network: nn.Module, path: str | Path, new_parts: Sequence[str] = ()) -> list[str]:
    """Puts trained weights into a network, as far as they fit.

    Channels of classes that the source knows are taken over by name; those of new classes, and `new_parts`, keep their
    random start. A `HalfResUNet` may start from a narrower one, see `models.widening`. Everything else must fit.

    Args:
        network: changed in place.
        path: a released model's folder, a run folder, a `.ckpt` or a `.safetensors` file.
        new_parts: modules of the network that begin anew, "head".

    Returns:
        What is not as it was there, for the user; empty when all was taken over as it is.

    Raises:
        ModelError: broken, changed since its release, would run code, weights of another network, another class order.
        UsageError: the network has no such part.
    """
    source = _read(Path(path))
    own = network.state_dict()
    is_new = {name: _is_in(name, new_parts) for name in own}
    for part in new_parts:
        if not any(_is_in(name, [part]) for name in own):
            known = sorted({name.partition(".")[0] for name in own})
            raise UsageError(f"the network has no part '{part}'", where="init_new", mend=nearest_name(part, known))
    rows = _taken_channels(source)
    start = {name: value for name, value in source.weights.items() if not _is_in(name, new_parts)}
    start |= {name: value for name, value in own.items() if is_new[name]}
    if rows is not None:
        last_layer = next(reversed(own)).rpartition(".")[0]
        for name in (name for name in own if _is_in(name, [last_layer]) and name in start and not is_new[name]):
            start[name] = _with_known_rows(own[name], start[name], rows, source)
    told = [*_told(rows), *(f"part '{part}' begins anew" for part in new_parts)]
    if isinstance(network, HalfResUNet) and is_narrower(start, own):
        start = widened(start, own)
        told.append("widened: each channel of the narrower network begins as several")
    load_weights(network, start, where=source.path)
    return told


def _read(path: Path) -> _Source:
    if path.suffix == ".safetensors":
        return _Source(path, read_safetensors(path), _released_classes(path))
    if (path / CHECKPOINT_FILE).is_file():
        return _read(path / CHECKPOINT_FILE)
    file = find_checkpoint(path)
    checkpoint = read_checkpoint(file, any_classes=True)
    return _Source(file, bare_names(checkpoint["state_dict"]), checkpoint.get(CLASSES_KEY))


def _released_classes(path: Path) -> list[str] | None:
    """Of the manifest beside a released model's weights, which must be the ones it lists."""
    file = path.parent / MANIFEST_FILE
    if not file.is_file():
        return None
    try:
        manifest = json.loads(file.read_bytes())
        listed = manifest["files"].get(path.name, {}).get("sha256")
        classes = [str(name) for name in manifest["classes"]]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelError("cannot be read", where=file, mend="install or export the model again") from error
    if listed is not None and listed != sha256_of(path):
        raise ModelError("the file has changed since its release", where=path, expected=f"sha256 {listed[:12]}...")
    return [*classes, *LANDMARKS]


def _taken_channels(source: _Source) -> list[int | None] | None:
    """For each channel of ours the source's channel of the same meaning; None when all are as ours."""
    theirs, ours = source.classes, meant_classes()
    if theirs is None or theirs == ours:
        return None
    if sorted(theirs) == sorted(ours):
        first = next(pair for pair in zip(theirs, ours, strict=True) if pair[0] != pair[1])
        what = f"its class '{first[0]}' stands where '{first[1]}' does"
        raise ModelError(what, where=source.path, expected="the classes of this version, in its order")
    positions = {name: position for position, name in enumerate(_channel_names(theirs))}
    return [positions.get(name) for name in _channel_names(ours)]


def _channel_names(classes: Sequence[str]) -> list[str]:
    """Of a network's channels (`models.outputs`): classes, then heat map and visibility of each landmark, then view."""
    landmarks = [name for name in classes if name in LANDMARKS]
    plain = [name for name in classes if name not in LANDMARKS]
    return [*plain, *(f"{kind} of {name}" for kind in ("heat map", "visibility") for name in landmarks), "view"]


def _with_known_rows(own: Tensor, given: Tensor, rows: Sequence[int | None], source: _Source) -> Tensor:
    """A last layer's weights with the source's where the channel means the same; a channel may have several rows."""
    assert source.classes is not None
    num_theirs = len(_channel_names(source.classes))
    rows_a_channel, rest = divmod(len(own), len(rows))
    if rest or own.shape[1:] != given.shape[1:] or len(given) != rows_a_channel * num_theirs:
        return given
    merged = own.clone().reshape(len(rows), rows_a_channel, *own.shape[1:])
    theirs = given.reshape(num_theirs, rows_a_channel, *given.shape[1:])
    for position, taken in enumerate(rows):
        if taken is not None:
            merged[position] = theirs[taken]
    return merged.flatten(0, 1)


def _told(rows: Sequence[int | None] | None) -> list[str]:
    names = _channel_names(meant_classes())
    new = [name for name, taken in zip(names, rows or [], strict=False) if taken is None]
    if not new:
        return []
    more = f" and {len(new) - _NUM_NAMED} more" if len(new) > _NUM_NAMED else ""
    return [f"new beside what {len(names) - len(new)} channels have learnt: {', '.join(new[:_NUM_NAMED])}{more}"]


def _is_in(name: str, parts: Sequence[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)
