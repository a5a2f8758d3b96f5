"""Whether a loaded ONNX model is one of ours: its metadata, and the names, types and shapes of what goes in and out."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from hipseg.errors import ModelError
from hipseg.runtime import contract as names
from hipseg.runtime.contract import METADATA_KEY, ModelContract

EXPECTED, MEND = "a model written by 'hipseg export'", "export the model again"


class _Tensor(NamedTuple):
    """An input or output: element type and shape, a word standing for a size that is open."""

    type: str
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        return f"{self.type} [{', '.join(map(str, self.shape))}]"


_IMAGE = _Tensor("uint8", ("N", "H", "W"))


def read_contract(session: Any, where: str) -> ModelContract:
    """The contract of a model, once the model is seen to keep it.

    Args:
        session: onnxruntime's.
        where: the model file, for messages.

    Raises:
        ModelError: no contract, one of another version or label scheme, or inputs and outputs it does not tell of.
    """
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        what = f"an ONNX model without metadata '{METADATA_KEY}'"
        raise ModelError(what, where=where, expected=EXPECTED, mend=MEND)
    contract = ModelContract.from_json(text, where=where)
    inputs = {names.INPUT_IMAGE: _IMAGE, **_state_of(contract)}
    _check_tensors("input", session.get_inputs(), inputs, where)
    _check_tensors("output", session.get_outputs(), _outputs_of(contract), where)
    untold = [one.name for one in session.get_inputs() if one.name not in inputs]
    if untold:
        expected = " and ".join(map(repr, inputs)) + " alone"
        raise ModelError(
            f"an input '{untold[0]}' that its contract does not tell of", where=where, expected=expected, mend=MEND
        )
    return contract


def _state_of(contract: ModelContract, prefix: str = "") -> dict[str, _Tensor]:
    return {prefix + name: _Tensor("float", ("N", *shape)) for name, shape in contract.state.items()}


def _outputs_of(contract: ModelContract) -> dict[str, _Tensor]:
    return {
        names.OUTPUT_LABELS: _IMAGE,
        names.OUTPUT_PROBABILITIES: _Tensor("float", ("N", len(contract.classes), "h", "w")),
        names.OUTPUT_LANDMARKS: _Tensor("float", ("N", len(contract.landmarks), 4)),
        names.OUTPUT_VIEW_SCORE: _Tensor("float", ("N",)),
        **_state_of(contract, names.NEXT),
    }


def _check_tensors(kind: str, found: list[Any], wanted: dict[str, _Tensor], where: str) -> None:
    by_name = {one.name: _Tensor(re.sub(r"tensor\((.*)\)", r"\1", one.type), tuple(one.shape)) for one in found}
    for name, tensor in wanted.items():
        if name not in by_name:
            raise ModelError(f"no {kind} '{name}'", where=where, expected=str(tensor), mend=MEND)
        if not _fits(by_name[name], tensor):
            what = f"{kind} '{name}' is {by_name[name]}"
            raise ModelError(what, where=where, expected=str(tensor), mend=MEND)


def _fits(found: _Tensor, wanted: _Tensor) -> bool:
    return (
        found.type == wanted.type
        and len(found.shape) == len(wanted.shape)
        and all(map(_size_fits, found.shape, wanted.shape))
    )


def _size_fits(found: int | str | None, wanted: int | str | None) -> bool:
    """Batch, height and width must be open, the grid's sides need not be; an open size may turn out as any number."""
    is_open = not isinstance(found, int)
    return is_open or found == wanted or wanted in ("h", "w")
