"""The mapping file: which label of a source is which structure, and what is done with the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hipseg.anatomy import BACKGROUND, CLASS_NAMES, LANDMARKS
from hipseg.data.records import Merged
from hipseg.errors import UsageError, nearest_name

MAPPING_VERSION = 1
IGNORE, UNKNOWN = "ignore", "unknown"
NOTHING_OF_OURS = CLASS_NAMES[BACKGROUND]

_WORDS = (IGNORE, UNKNOWN, *CLASS_NAMES, *LANDMARKS)
_CHOICES = {"empty": ("unlabelled", "negative", "skip"), "occluded": ("draw", "ignore")}
_KEYS = ("version", "labels", "fraction", *_CHOICES)
_LABEL_KEYS = ("class", "width_px", "band_mm")


@dataclass(frozen=True, slots=True)
class Target:
    """What becomes of a label.

    Attributes:
        names: one class, several (the label may be any of them), one landmark, "background", "ignore" or "unknown".
        width_px: thickness of lines of this label.
        band_mm: lines of this label are the upper face of a band this deep along the beam.
    """

    names: tuple[str, ...]
    width_px: float | None = None
    band_mm: float | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The structures this label may stand for; none for background, ignored, unknown and landmarks."""
        return tuple(name for name in self.names if name in CLASS_NAMES[1:])


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """A mapping file.

    Attributes:
        labels: by the source's own name.
        empty: images without any shape are "unlabelled", "negative" (looked at, and nothing is there) or left out.
        occluded: shapes marked as partly hidden are drawn, or ignored (255).
        fraction: a fractional segment counts from this share.
    """

    labels: Mapping[str, Target]
    empty: str = "unlabelled"
    occluded: str = "draw"
    fraction: float = 0.5
    _ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plain = {target.names[0] for target in self.labels.values() if len(target.classes) == 1}
        standing_for: dict[str, tuple[str, ...]] = {}
        for label, target in self.labels.items():
            if len(target.classes) > 1:
                self._ids[label] = _free_member(label, target.classes, plain, standing_for)
                standing_for[self._ids[label]] = target.classes

    def target(self, label: str) -> Target | None:
        """What becomes of a label; None when the mapping does not say."""
        return self.labels.get(label)

    def class_of(self, label: str) -> str:
        """The class whose id stands in masks for a label; one of several for a merged label."""
        return self._ids.get(label) or self.labels[label].classes[0]

    @property
    def merged(self) -> Merged:
        """As in `DatasetManifest.merged`."""
        return {name: self.labels[label].classes for label, name in sorted(self._ids.items())}

    def classes_of(self, labels: Iterable[str]) -> tuple[str, ...]:
        """The classes that stand in masks for these labels, in the order of the label scheme."""
        known = [label for label in labels if label in self.labels and self.labels[label].classes]
        found = {self.class_of(label) for label in known}
        return tuple(name for name in CLASS_NAMES if name in found)

    def to_dict(self) -> dict[str, Any]:
        """The content of a mapping file."""
        labels = {label: _plain(target) for label, target in self.labels.items()}
        head = {"version": MAPPING_VERSION, "labels": labels}
        return head | {"empty": self.empty, "occluded": self.occluded, "fraction": self.fraction}


def _free_member(label: str, classes: tuple[str, ...], plain: set[str], taken: Mapping[str, tuple[str, ...]]) -> str:
    """The id a merged label is drawn with: it may not mean one structure alone elsewhere in the same masks."""
    for name in classes:
        if name not in plain and taken.get(name, classes) == classes:
            return name
    expected = "at least one of the merged classes that no other label is drawn as"
    raise UsageError(
        f"label '{label}' may be any of {', '.join(classes)}, and each of them is another label",
        where="mapping",
        expected=expected,
        mend="map it to 'ignore'",
    )


def _plain(target: Target) -> Any:
    name: Any = target.names[0] if len(target.names) == 1 else list(target.names)
    style = {"width_px": target.width_px, "band_mm": target.band_mm}
    style = {key: value for key, value in style.items() if value is not None}
    return {"class": name, **style} if style else name


def load_mapping(path: Path) -> LabelMapping:
    """Reads a mapping file.

    Raises:
        UsageError: not YAML, an unknown key or class, or a merged label that cannot be told from others.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=path, expected="a mapping file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"not YAML ({str(error).splitlines()[0]})", where=path) from error
    return mapping_of(values, where=str(path))


def mapping_of(values: object, *, where: str) -> LabelMapping:
    """A mapping from the content of its file; `where` names it. Raises UsageError as `load_mapping`."""
    if not isinstance(values, Mapping) or not isinstance(values.get("labels"), Mapping):
        raise UsageError("holds no 'labels'", where=where, expected="labels: {LABEL: CLASS, ...}")
    for key in values:
        if key not in _KEYS:
            raise UsageError(f"unknown key '{key}'", where=where, mend=nearest_name(str(key), _KEYS))
    if values.get("version", MAPPING_VERSION) != MAPPING_VERSION:
        raise UsageError(f"version {values['version']}", where=where, expected=f"version {MAPPING_VERSION}")
    for key, choices in _CHOICES.items():
        if values.get(key, choices[0]) not in choices:
            raise UsageError(f"'{key}' is '{values[key]}'", where=where, mend=nearest_name(str(values[key]), choices))
    labels = {str(label): _target(target, f"{where}, label '{label}'") for label, target in values["labels"].items()}
    return LabelMapping(
        labels=labels,
        empty=values.get("empty", _CHOICES["empty"][0]),
        occluded=values.get("occluded", _CHOICES["occluded"][0]),
        fraction=_number(values.get("fraction", 0.5), f"{where}, fraction"),
    )


def _target(value: object, where: str) -> Target:
    if isinstance(value, Mapping):
        for key in value:
            if key not in _LABEL_KEYS:
                raise UsageError(f"unknown key '{key}'", where=where, mend=nearest_name(str(key), _LABEL_KEYS))
        width, band = (value.get(key) for key in ("width_px", "band_mm"))
        return Target(
            names=_names(value.get("class"), where),
            width_px=None if width is None else _number(width, f"{where}, width_px"),
            band_mm=None if band is None else _number(band, f"{where}, band_mm"),
        )
    return Target(_names(value, where))


def _names(value: object, where: str) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    for name in names:
        if name not in _WORDS:
            raise UsageError(f"'{name}' is no class", where=where, mend=nearest_name(str(name), _WORDS))
    if len(names) > 1 and not all(name in CLASS_NAMES[1:] for name in names):
        raise UsageError(f"{names} cannot be merged", where=where, expected="structures of the label scheme")
    if not names:
        raise UsageError("stands for nothing", where=where, expected="a class, 'ignore' or 'unknown'")
    return tuple(names)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e4:
        raise UsageError(f"is {value}", where=where, expected="a number above 0")
    return float(value)
