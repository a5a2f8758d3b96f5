"""What is simulated, and how often: the ranges from which patients, probes, needles and scanners are drawn."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from hipseg.errors import UsageError

VIEWS = ("both", "longitudinal", "transverse")


class Limits(NamedTuple):
    """What a range of the configuration may span at most, because nature or machines end there."""

    low: float
    high: float
    unit: str


RANGES: dict[str, Limits] = {
    "habitus": Limits(0.0, 1.0, "from lean 0 to obese 1"),
    "head_radius_mm": Limits(15.0, 32.0, "mm"),
    "neck_capsule_distance_mm": Limits(3.0, 16.0, "mm"),
    "effusion_mm": Limits(0.0, 15.0, "mm"),
    "aperture_mm": Limits(25.0, 80.0, "mm"),
    "depth_mm": Limits(15.0, 150.0, "mm"),
    "pixel_mm": Limits(0.03, 0.5, "mm"),
    "frequency_mhz": Limits(2.0, 20.0, "MHz"),
    "gain_db": Limits(-30.0, 30.0, "dB"),
    "dynamic_range_db": Limits(30.0, 100.0, "dB"),
    "needle_angle_deg": Limits(5.0, 75.0, "degrees to the skin"),
    "needle_diameter_mm": Limits(0.3, 2.0, "mm"),
    "needle_offset_mm": Limits(-6.0, 6.0, "mm out of the plane"),
    "tremor_mm": Limits(0.0, 3.0, "mm"),
}

SHARES = (
    "longitudinal_share",
    "curvilinear_share",
    "needle_share",
    "look_alike_share",
    "effusion_share",
    "hyperaemia_share",
    "branch_share",
    "two_branches_share",
    "vein_under_share",
    "vein_comma_share",
    "vein_slit_share",
    "dysplastic_share",
    "cam_share",
    "prosthesis_share",
    "osteophyte_share",
    "plaque_share",
    "node_share",
    "contact_loss_share",
    "furniture_share",
    "slow_fat_share",
    "steered_share",
)

EXCLUSIVE_SHARES = (("vein_comma_share", "vein_slit_share"), ("dysplastic_share", "cam_share"))
"""Variants of one thing, which no patient has two of; the rest are ordinary. A share of 1 forces one of them."""


@dataclass
class SimulationConfig:
    """The population that is simulated. Ranges are (low, high), shares lie in 0-1; a share of 1 or 0 forces a variant.

    Attributes:
        view: "longitudinal", "transverse", or "both" in the proportion of `longitudinal_share`.
        habitus: body build, 0 lean to 1 obese; depth, fat, attenuation and probe follow it together.
        head_radius_mm: 20.5-26 in adults (clinical.md section 2).
        neck_capsule_distance_mm: cortex of the neck to the capsule's outer face, 6.4 +- 1.1 in a normal hip.
        effusion_share: hips with an effusion, whose recess is wider by `effusion_mm`.
        effusion_mm: by which fluid lifts the capsule off the neck: to 2 mm mild, to 4 moderate, above it large.
        hyperaemia_share: hips with inflamed synovium, which shows flow in colour Doppler.
        branch_share: hips whose lateral circumflex artery passes near the plane.
        two_branches_share: of those, where a second branch ascends across the needle's way.
        vein_under_share: femoral veins under the artery instead of medial of it.
        vein_comma_share, vein_slit_share: veins of a comma's shape and collapsed ones; the others are oval.
        dysplastic_share, cam_share: shallow sockets, and heads that pass into the neck without offset (alpha > 55 deg).
        prosthesis_share: hips of metal: a view that hipseg is not made for.
        osteophyte_share: worn hips with bony spurs at rim and head-neck junction.
        plaque_share: femoral arteries with calcified plaques, more often in obese patients.
        node_share: groins in which lymph nodes are seen, which look like vessels.
        curvilinear_share: frames of a sector probe, drawn more often for obese patients.
        aperture_mm, depth_mm: shown width and depth; the depth also follows the patient's.
        pixel_mm: size of the displayed pixels.
        frequency_mhz: centre frequency of linear probes; sector probes have 0.45 of it.
        gain_db, dynamic_range_db: of the display.
        contact_loss_share: frames with a dark wedge where the probe lost contact.
        furniture_share: frames with marks of the screen (orientation mark, ticks, text, logo, grey bar) over the image.
        slow_fat_share: frames in which fat slows sound, so that all below it shows too deep (propagation.py).
        steered_share: pictures of linear probes whose beams are steered to one side, a parallelogram.
        needle_share: single frames with a needle.
        look_alike_share: frames with additional straight bright lines that are no needle.
        needle_angle_deg: to the skin.
        needle_diameter_mm: outer; 23 G is 0.64, 20 G is 0.91.
        needle_offset_mm: of the tip from the image plane.
        tremor_mm: amplitude of the hand's drift along the image in a clip.
    """

    view: str = "both"
    longitudinal_share: float = 0.5
    habitus: tuple[float, float] = (0.0, 1.0)
    head_radius_mm: tuple[float, float] = (20.5, 26.0)
    neck_capsule_distance_mm: tuple[float, float] = (4.2, 8.6)
    effusion_share: float = 0.2
    effusion_mm: tuple[float, float] = (1.5, 6.0)
    hyperaemia_share: float = 0.15
    branch_share: float = 0.8
    two_branches_share: float = 0.3
    vein_under_share: float = 0.1
    vein_comma_share: float = 0.3
    vein_slit_share: float = 0.25
    dysplastic_share: float = 0.08
    cam_share: float = 0.12
    prosthesis_share: float = 0.0
    osteophyte_share: float = 0.15
    plaque_share: float = 0.15
    node_share: float = 0.3
    curvilinear_share: float = 0.08
    aperture_mm: tuple[float, float] = (38.0, 50.0)
    depth_mm: tuple[float, float] = (22.0, 120.0)
    pixel_mm: tuple[float, float] = (0.07, 0.14)
    frequency_mhz: tuple[float, float] = (8.0, 14.0)
    gain_db: tuple[float, float] = (-8.0, 2.0)
    dynamic_range_db: tuple[float, float] = (55.0, 76.0)
    contact_loss_share: float = 0.15
    furniture_share: float = 0.2
    slow_fat_share: float = 0.0
    steered_share: float = 0.0
    needle_share: float = 0.5
    look_alike_share: float = 0.5
    needle_angle_deg: tuple[float, float] = (15.0, 62.0)
    needle_diameter_mm: tuple[float, float] = (0.6, 0.95)
    needle_offset_mm: tuple[float, float] = (-1.5, 1.5)
    tremor_mm: tuple[float, float] = (0.05, 0.3)

    def __post_init__(self) -> None:
        """Checks every field. Raises UsageError naming the first wrong one."""
        if self.view not in VIEWS:
            raise UsageError(f"is {self.view!r}", where="simulation.view", expected=f"one of {', '.join(VIEWS)}")
        for name, limits in RANGES.items():
            setattr(self, name, _checked_range(name, getattr(self, name), limits))
        for name in SHARES:
            _check_number(name, getattr(self, name), Limits(0.0, 1.0, "a share"))
        for first, second in EXCLUSIVE_SHARES:
            _check_exclusive(first, getattr(self, first), second, getattr(self, second))

    def replace(self, **changes: Any) -> SimulationConfig:
        """A copy with other values. Raises UsageError as the constructor does."""
        return dataclasses.replace(self, **changes)


def _checked_range(name: str, value: Any, limits: Limits) -> tuple[float, float]:
    try:
        low, high = value
    except (TypeError, ValueError) as error:
        raise _fault(name, value, limits, "a range, as in [low, high]") from error
    for bound in (low, high):
        _check_number(name, bound, limits)
    if low > high:
        raise _fault(name, value, limits, "the lower bound first")
    return float(low), float(high)


def _check_number(name: str, value: Any, limits: Limits) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not limits.low <= value <= limits.high:
        raise _fault(name, value, limits, "change it or leave it out for the default")


def _check_exclusive(first: str, first_share: float, second: str, second_share: float) -> None:
    forced = (first_share == 1) != (second_share == 1)
    if first_share + second_share > 1 and not forced:
        raise UsageError(
            f"is {first_share} while {second} is {second_share}",
            where=f"simulation.{first}",
            expected="both together at most 1, as no patient has both; or one of them 1",
        )


def _fault(name: str, value: Any, limits: Limits, mend: str) -> UsageError:
    expected = f"between {limits.low:g} and {limits.high:g} ({limits.unit})"
    return UsageError(f"is {value}", where=f"simulation.{name}", expected=expected, mend=mend)
