"""The mapping file: how a foreign model takes its image, and what the numbers in its answers stand for.

name: someone's network
classes:               # their id: our class; a list where theirs means any of several
  0: background
  1: femoral_vein
  2: femoral_artery
  3: background        # something of theirs that the label scheme does not know
input:                 # for ONNX models; everything has a default
  channels: 1
  size: [256, 320]     # height, width
  resize: stretch
  mean: 0.0
  std: 255.0
output:
  kind: softmax
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hipseg.anatomy import BACKGROUND, CLASS_NAMES
from hipseg.errors import UsageError, nearest_name
from hipseg.evaluation.measures.vocabulary import Vocabulary

LAYOUTS = ("NCHW", "NHWC")
RESIZES = ("stretch", "pad")
KINDS = ("softmax", "logits", "labels")
_LARGEST = 8192


@dataclass
class InputMapping:
    """How the image goes in.

    Attributes:
        layout: "NCHW" or "NHWC".
        channels: 1, or 3 where the network wants colour: the grey image is repeated.
        size: height and width; None takes the model's own, or the image's where the model takes any.
        resize: "stretch" to that size, or "pad": scaled until it fits, zeros to the right and below.
        mean, std: the input is (grey level 0-255 - mean) / std.
    """

    layout: str = "NCHW"
    channels: int = 1
    size: list[int] | None = None
    resize: str = "stretch"
    mean: float = 0.0
    std: float = 255.0


@dataclass
class OutputMapping:
    """What comes out.

    Attributes:
        name: of the output; None takes the first.
        kind: "softmax": class probabilities; "logits": before softmax; "labels": ids.
        layout: of the first two.
    """

    name: str | None = None
    kind: str = "softmax"
    layout: str = "NCHW"


@dataclass
class MappingFile:
    """The whole file; see the module's text."""

    name: str = "foreign"
    classes: dict[int, Any] = field(default_factory=dict)
    input: InputMapping = field(default_factory=InputMapping)
    output: OutputMapping = field(default_factory=OutputMapping)


@dataclass(frozen=True)
class LabelMapping:
    """Foreign ids to ours.

    Attributes:
        name: of the foreign model.
        ids: theirs to ours; a merged class takes the first of its members' ids.
        vocabulary: what our ids then mean.
        input, output: of an ONNX model.
    """

    name: str
    ids: Mapping[int, int]
    vocabulary: Vocabulary
    input: InputMapping = field(default_factory=InputMapping)
    output: OutputMapping = field(default_factory=OutputMapping)

    @classmethod
    def identity(cls) -> LabelMapping:
        """Masks that already follow the label scheme."""
        ids = {value: value for value in range(len(CLASS_NAMES))}
        return cls("masks", ids, Vocabulary.complete())


def read_mapping(path: Path) -> LabelMapping:
    """Reads a mapping file.

    Raises:
        UsageError: it cannot be read, is not YAML, holds an unknown key, class or value, or contradicts itself.
    """
    file = _load(path)
    where = str(path)
    if not file.classes:
        raise UsageError("maps no class", where=f"{where}: classes", expected="their id: our class")
    members = {theirs: _members(theirs, ours, where) for theirs, ours in file.classes.items()}
    _check_choices(file, where)
    return LabelMapping(
        file.name,
        {theirs: min(ours, default=BACKGROUND) for theirs, ours in members.items()},
        Vocabulary(_meanings(members, where)),
        file.input,
        file.output,
    )


def _load(path: Path) -> MappingFile:
    try:
        loaded = OmegaConf.load(path)
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=path, expected="a mapping file (YAML)") from error
    except Exception as error:  # the YAML parser's own exceptions are not part of OmegaConf's interface
        raise UsageError(f"is not YAML ({error})", where=path, expected="a mapping file") from error
    if not isinstance(loaded, DictConfig):
        raise UsageError("holds no mapping", where=path, expected="entries such as 'classes:'")
    try:
        file = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(MappingFile), loaded))
    except OmegaConfBaseException as error:
        raise UsageError(str(error).splitlines()[0], where=f"{path}: {error.full_key or ''}") from error
    assert isinstance(file, MappingFile)
    return file


def _members(theirs: int, ours: Any, where: str) -> frozenset[int]:
    """Ids of the classes that a foreign id stands for; none for background."""
    names = ours if isinstance(ours, list) else [ours]
    if theirs < 0 or not names:
        raise UsageError(f"class {theirs}: {ours!r}", where=f"{where}: classes", expected="an id from 0 and a class")
    for name in names:
        if name not in CLASS_NAMES:
            mend = nearest_name(str(name), CLASS_NAMES)
            raise UsageError(f"unknown class '{name}'", where=f"{where}: classes.{theirs}", mend=mend)
    return frozenset(CLASS_NAMES.index(name) for name in names) - {BACKGROUND}


def _meanings(members: Mapping[int, frozenset[int]], where: str) -> dict[int, frozenset[int]]:
    meanings: dict[int, frozenset[int]] = {}
    for theirs, ours in members.items():
        if ours and meanings.setdefault(min(ours), ours) != ours:
            what = f"class {theirs} overlaps another one in '{CLASS_NAMES[min(ours)]}'"
            raise UsageError(what, where=f"{where}: classes", expected="each class alone or in one list")
    return meanings


def _check_choices(file: MappingFile, where: str) -> None:
    for key, value, known in (
        ("input.layout", file.input.layout, LAYOUTS),
        ("input.resize", file.input.resize, RESIZES),
        ("output.kind", file.output.kind, KINDS),
        ("output.layout", file.output.layout, LAYOUTS),
    ):
        if value not in known:
            raise UsageError(f"is '{value}'", where=f"{where}: {key}", mend=nearest_name(value, known))
    size = file.input.size
    if size is not None and (len(size) != 2 or not all(1 <= side <= _LARGEST for side in size)):
        raise UsageError(f"is {size}", where=f"{where}: input.size", expected=f"[height, width], 1 to {_LARGEST}")
    if file.input.channels not in (1, 3):
        raise UsageError(f"is {file.input.channels}", where=f"{where}: input.channels", expected="1 or 3")
    if not file.input.std > 0:
        raise UsageError(f"is {file.input.std}", where=f"{where}: input.std", expected="a number above 0")
