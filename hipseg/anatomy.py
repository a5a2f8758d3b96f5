"""The label scheme: what hipseg segments, in one place.

Ids and names are frozen (they stand in masks, models and records of other people);
everything else about a structure may grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

Rgb = tuple[int, int, int]


class SafetyRole(Enum):
    """What a structure means for a needle."""

    NONE = "none"
    LANDMARK = "landmark"
    TARGET = "target"
    TOOL = "tool"
    AVOID = "avoid"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept for DICOM: value, scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Structure:
    """One class of the label scheme.

    Attributes:
        id: the value in masks, 0-10.
        name: the frozen snake_case name.
        role: what the structure means for the needle.
        colour: RGB for outlines. None is an alarm colour (red, yellow, cyan: IEC 60601-1-8).
        code: SNOMED CT concept where one is known.
    """

    id: int
    name: str
    role: SafetyRole
    colour: Rgb
    code: Code | None = None

    @property
    def title(self) -> str:
        """The name as a person reads it."""
        return self.name.replace("_", " ")


def _snomed(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


# Colours are told apart under deuteranopia, protanopia and tritanopia by lightness as well as by hue,
# and keep clear of red, yellow and cyan, which belong to the alarms.
STRUCTURES: tuple[Structure, ...] = (
    Structure(0, "background", SafetyRole.NONE, (0, 0, 0)),
    Structure(1, "femoral_head", SafetyRole.LANDMARK, (91, 213, 125), _snomed("2812003", "Head of femur")),
    Structure(2, "femoral_neck", SafetyRole.LANDMARK, (181, 226, 115), _snomed("29627003", "Neck of femur")),
    Structure(3, "anterior_capsule", SafetyRole.TARGET, (190, 150, 235), _snomed("24136001", "Hip joint")),
    Structure(4, "needle", SafetyRole.TOOL, (255, 255, 255), _snomed("79068005", "Needle")),
    Structure(5, "femoral_artery", SafetyRole.AVOID, (235, 122, 50), _snomed("7657000", "Femoral artery")),
    Structure(6, "femoral_vein", SafetyRole.AVOID, (80, 120, 235), _snomed("83419000", "Femoral vein")),
    Structure(7, "femoral_nerve", SafetyRole.AVOID, (189, 146, 95)),
    Structure(8, "acetabulum", SafetyRole.LANDMARK, (50, 140, 110), _snomed("37783008", "Acetabulum")),
    Structure(9, "labrum", SafetyRole.AVOID, (225, 120, 190)),
    Structure(10, "joint_recess", SafetyRole.TARGET, (149, 110, 196)),
)

NUM_CLASSES = len(STRUCTURES)
BACKGROUND, FEMORAL_HEAD, FEMORAL_NECK, ANTERIOR_CAPSULE, NEEDLE = range(5)
FEMORAL_ARTERY, FEMORAL_VEIN, FEMORAL_NERVE, ACETABULUM, LABRUM, JOINT_RECESS = range(5, 11)
VESSELS = (FEMORAL_ARTERY, FEMORAL_VEIN)
BONES = (FEMORAL_HEAD, FEMORAL_NECK, ACETABULUM)

IGNORED = 255
"""Mask value of pixels that no one could label: they count neither for nor against any class."""

CLASS_NAMES: tuple[str, ...] = tuple(structure.name for structure in STRUCTURES)

LANDMARKS: tuple[str, ...] = ("needle_tip", "needle_entry", "head_neck_junction")
"""Landmark order of networks and exported models."""


def structure_named(name: str) -> Structure:
    """The structure of a name. Raises KeyError for an unknown one."""
    return _BY_NAME[name]


_BY_NAME = {structure.name: structure for structure in STRUCTURES}
