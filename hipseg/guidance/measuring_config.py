"""Every number by which guidance finds and measures, with its default and the range that makes sense.

No published millimetre value exists for most of them: where no source is named they are proposals of this project.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Approach(Enum):
    """How the probe lies: along the neck, across the head, or found from what is seen."""

    auto = "auto"
    longitudinal = "longitudinal"
    transverse = "transverse"


class CapsuleFace(Enum):
    """To which face of the capsule the neck-capsule distance is taken: definitions disagree."""

    superficial = "superficial"
    deep = "deep"


class Side(Enum):
    """From which side of the image the needle comes: found from what is seen, or set."""

    auto = "auto"
    left = "left"
    right = "right"


OUTER_DIAMETER_MM = {18: 1.27, 20: 0.91, 21: 0.82, 22: 0.72, 23: 0.64, 25: 0.51}
"""Of needles, by gauge (clinical.md, section 2)."""


def ranged(default: Any, low: float, high: float) -> Any:
    """A field that must lie in [low, high]."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass
class ViewConfig:
    """View score below which guidance is withdrawn, and from which the view is known. None: as the model says."""

    unrecognised_below: float | None = ranged(None, 0, 1)
    recognised_from: float | None = ranged(None, 0, 1)


@dataclass
class StructureConfig:
    """What counts as a structure.

    Attributes:
        min_area_mm2: smaller pieces are taken for noise.
        min_artery_mm2: likewise of arteries, whose branches are 1 to 2.5 mm across.
        max_share: a vessel, nerve, labrum or capsule over a larger share of the picture is impossible: not assessed.
    """

    min_area_mm2: float = ranged(1.0, 0, 100)
    min_artery_mm2: float = ranged(0.4, 0, 100)
    max_share: float = ranged(0.4, 0.01, 1)


@dataclass
class NeedleConfig:
    """When needle-like cells count as a needle, and how far its tip is trusted.

    Attributes:
        min_probability: cells below it say nothing about the needle.
        min_length_mm, min_elongation: a shorter find, or one less long for its width, is no needle.
        still_length_mm, still_elongation: likewise for a single image, which shows no motion that could prove it.
        still_confidence: mean probability along the shaft that a needle has in a single image, at least.
        min_coverage: share of the shaft that is seen, at least; the rest are gaps.
        max_gap_mm: a longer gap ends the shaft.
        inlier_mm: cells further from the line belong to something else.
        max_bend: sagitta of a bent shaft, as a share of its length, at most; thin needles bend under load.
        min_bent_length_mm: a bend is not told from a shorter visible shaft.
        copy_angle_deg: a deeper line that runs parallel to a needle within this angle is its reverberation.
        min_rival_support: a second line with this share of the first one's support is its rival ...
        max_rivals: ... and with more of them than this none is believed: nobody holds five needles.
        min_tip_visibility: the tip landmark counts as seen from here.
        end_sigma_mm: doubt about where the mask of a shaft ends, along it.
        across_sigma_mm: doubt about the line, across it: the echo of a needle is about that wide.
        on_line_mm: a tip landmark no further beside the line counts as seen on it.
        direction_sigma_deg: doubt about the direction of a long shaft, refraction included.
        max_sigma_mm: a tip in more doubt than this is not seen.
    """

    min_probability: float = ranged(0.3, 0.01, 0.99)
    min_length_mm: float = ranged(2.5, 0.5, 100)
    min_elongation: float = ranged(2.0, 1, 100)
    still_length_mm: float = ranged(5.0, 0.5, 100)
    still_elongation: float = ranged(4.0, 1, 100)
    still_confidence: float = ranged(0.3, 0, 1)
    min_coverage: float = ranged(0.5, 0, 1)
    max_gap_mm: float = ranged(8.0, 0, 100)
    inlier_mm: float = ranged(1.2, 0.1, 10)
    max_bend: float = ranged(0.08, 0, 0.5)
    min_bent_length_mm: float = ranged(15.0, 1, 200)
    copy_angle_deg: float = ranged(8.0, 0, 45)
    min_rival_support: float = ranged(0.6, 0.01, 1)
    max_rivals: int = ranged(2, 0, 10)
    min_tip_visibility: float = ranged(0.5, 0, 1)
    end_sigma_mm: float = ranged(0.5, 0.01, 10)
    across_sigma_mm: float = ranged(0.2, 0.01, 10)
    on_line_mm: float = ranged(0.5, 0, 10)
    direction_sigma_deg: float = ranged(0.7, 0, 20)
    max_sigma_mm: float = ranged(5.0, 0.1, 100)


@dataclass
class TrackingConfig:
    """What makes a line a needle, how long a tip that is not seen is carried on, and what jump is believed.

    Attributes:
        require_motion: in a clip, only what has moved along its own axis while tissue did not is a needle.
        travel_mm: such a motion, at least.
        travel_sigmas: and so many standard errors of the tip's own jitter.
        travel_window_s: within this time.
        same_line_mm, same_line_deg: a line within these of one seen before is the same line.
        coasting_s: a tip not seen for longer is lost.
        absent_after_s: a needle not seen at all for longer is gone.
        remember_s: a line that was a needle is one at once when it is seen again within this time.
        max_speed_mm_s: no hand is faster; a jump beyond it is not believed until the old tip is lost.
        gate_mm: jump that is always believed, besides three sigma.
        acceleration_mm_s2: standard deviation of a hand's acceleration, for the constant-velocity filter.
        jitter: share of a tip's doubt that changes from frame to frame; the rest is the same in all of them.
        drift_mm_s: how fast doubt grows while coasting.
        withdrawn_mm: a needle whose tip was last seen no further inside the image has been drawn out, not lost.
    """

    require_motion: bool = True
    travel_mm: float = ranged(1.0, 0.1, 20)
    travel_sigmas: float = ranged(4.0, 0, 20)
    travel_window_s: float = ranged(2.0, 0.2, 10)
    same_line_mm: float = ranged(3.0, 0.1, 20)
    same_line_deg: float = ranged(10.0, 0.1, 60)
    coasting_s: float = ranged(0.3, 0, 2)
    absent_after_s: float = ranged(5.0, 0.1, 600)
    remember_s: float = ranged(30.0, 0, 600)
    max_speed_mm_s: float = ranged(60.0, 1, 1000)
    gate_mm: float = ranged(4.0, 0.1, 50)
    acceleration_mm_s2: float = ranged(200.0, 1, 10_000)
    jitter: float = ranged(0.5, 0.01, 1)
    drift_mm_s: float = ranged(5.0, 0, 1000)
    withdrawn_mm: float = ranged(7.0, 0, 50)


@dataclass
class SmoothingConfig:
    """Anatomy over time: noise taken out, motion kept.

    Attributes:
        sigma_mm: jitter of a point of the anatomy from frame to frame; 0 switches smoothing off.
        acceleration_mm_s2: standard deviation of the tissue's acceleration under breath and probe.
        gate_mm: a jump beyond it and three such jitters is not believed ...
        hold_s: ... until it has lasted this long; until then what is known is carried on.
    """

    sigma_mm: float = ranged(0.35, 0, 10)
    acceleration_mm_s2: float = ranged(180.0, 1, 10_000)
    gate_mm: float = ranged(3.0, 0.1, 50)
    hold_s: float = ranged(0.15, 0, 1)


@dataclass
class TargetConfig:
    """Where the injection should go.

    Attributes:
        approach: see `Approach`.
        side: see `Side`.
        span_mm: acceptable length along the neck, centred on the target.
        max_gap_mm: capsule and cortex further apart than this do not bound a recess.
        max_junction_sigma_mm: a junction landmark less certain than this is not used.
        min_junction_visibility: nor one less visible than this.
        main_vessel_mm2: a vessel of this area is the femoral artery or vein, not a branch.
        transverse_slope_deg: slope of the head's surface, on the side away from the vessels, where the target of a
            transverse approach lies; 0 is the apex. No published value.
    """

    approach: Approach = Approach.auto
    side: Side = Side.auto
    span_mm: float = ranged(10.0, 1, 50)
    max_gap_mm: float = ranged(15.0, 1, 50)
    max_junction_sigma_mm: float = ranged(3.0, 0.1, 50)
    min_junction_visibility: float = ranged(0.5, 0, 1)
    main_vessel_mm2: float = ranged(15.0, 1, 200)
    transverse_slope_deg: float = ranged(18.0, 0, 60)


@dataclass
class ReachConfig:
    """The needle that was chosen, and which ways to the target are suggested.

    Attributes:
        gauge: of the needle, one of `OUTER_DIAMETER_MM`.
        length_mm: of the needle; None: reach is not judged. 22 G spinal needles of 90 mm are most common.
        min_angle_deg, max_angle_deg: of a suggested way to the skin (30-60 deg in clinical.md).
        preferred_angle_deg: flatter is seen better, steeper is shorter.
        clearance_mm: a way nearer than this to a vessel or flow, the needle's radius added, is refused.
        nerve_mm: likewise to the nerve.
        labrum_mm: likewise to the labrum's margin.
        beside_probe_mm: the needle enters the skin this far beside the image's edge.
    """

    gauge: int = 22
    length_mm: float | None = ranged(90.0, 10, 300)
    min_angle_deg: float = ranged(25.0, 1, 89)
    max_angle_deg: float = ranged(60.0, 1, 89)
    preferred_angle_deg: float = ranged(45.0, 1, 89)
    clearance_mm: float = ranged(3.0, 0, 50)
    nerve_mm: float = ranged(4.0, 0, 50)
    labrum_mm: float = ranged(1.5, 0, 50)
    beside_probe_mm: float = ranged(0.0, 0, 100)

    @property
    def radius_mm(self) -> float:
        """Of the needle."""
        return OUTER_DIAMETER_MM[self.gauge] / 2


@dataclass
class MeasurementConfig:
    """How the joint is measured.

    Attributes:
        neck_capsule_to: see `CapsuleFace`.
        neck_length_mm: the distance is taken where it is widest, along this much of the neck from the junction.
        path_mm: length of the projected path whose clearance from the vessels is reported.
        surface_sigma_mm: doubt about where a structure's surface lies.
        effusion_from_mm: a neck-capsule distance from here on is an effusion (definitions disagree: 7 mm is common).
        effusion_asymmetry_mm: so is one wider than the other side's by this much.
        other_side_mm: neck-capsule distance of the other hip, if it was measured.
    """

    neck_capsule_to: CapsuleFace = CapsuleFace.superficial
    neck_length_mm: float = ranged(20.0, 1, 100)
    path_mm: float = ranged(30.0, 1, 150)
    surface_sigma_mm: float = ranged(0.4, 0, 10)
    effusion_from_mm: float = ranged(7.0, 0, 50)
    effusion_asymmetry_mm: float = ranged(1.0, 0, 50)
    other_side_mm: float | None = ranged(None, 0, 50)


@dataclass
class RecessConfig:
    """The recess over time.

    Attributes:
        level_s: its level now is the median over this time.
        before_s: the level before is that of the time that ended so long ago ...
        baseline_s: ... and lasted so long.
    """

    level_s: float = ranged(0.5, 0.05, 10)
    before_s: float = ranged(3.0, 0.1, 60)
    baseline_s: float = ranged(3.0, 0.1, 60)


@dataclass
class FlowConfig:
    """Colour Doppler's flow, remembered for the needle.

    Attributes:
        min_area_mm2: smaller spots are noise.
        remember_s: flow seen longer ago is forgotten.
        sigma_mm: doubt about where flow's edge lies: colour bleeds over the wall.
        drift_share: how much of the way that tissue has moved since is added to the doubt.
        on_path_mm: flow nearer to the path than this is on it.
    """

    min_area_mm2: float = ranged(0.8, 0, 100)
    remember_s: float = ranged(600.0, 1, 7200)
    sigma_mm: float = ranged(0.7, 0, 10)
    drift_share: float = ranged(0.1, 0, 1)
    on_path_mm: float = ranged(3.0, 0, 50)
