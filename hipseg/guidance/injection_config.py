"""The numbers by which the injection watch decides. No published value: proposals, tried on simulated procedures."""

from __future__ import annotations

from dataclasses import dataclass

from hipseg.guidance.measuring_config import ranged


@dataclass
class InjectionConfig:
    """When the needle counts as placed, the recess as widened, and fluid as seen beside it.

    Attributes:
        placed_mm: a tip no farther than this from the recess, or inside, is in the joint ...
        placed_s: ... and placed when it has been there for so long.
        widens_mm: the recess has widened when its width has grown by more than this ...
        widens_mm2: ... or its area by more than this, and by more than twice their doubt.
        fluid_mm2: area that must turn dark beside the tip to be fluid.
        fluid_reach_mm: how far from the tip dark areas are looked for ...
        fluid_near_mm: ... and how near to it one must come.
        darkens_to: share of its former brightness to which tissue falls when fluid pushes it away.
        fluid_s: how long fluid must be seen without a wider recess to be called astray.
        before_s: brightness is compared with that of so long ago.
    """

    placed_mm: float = ranged(0.3, 0, 5)
    placed_s: float = ranged(0.3, 0, 10)
    widens_mm: float = ranged(0.5, 0.05, 20)
    widens_mm2: float = ranged(8.0, 0.5, 500)
    fluid_mm2: float = ranged(10.0, 0.5, 500)
    fluid_reach_mm: float = ranged(15.0, 1, 100)
    fluid_near_mm: float = ranged(4.0, 0.5, 50)
    darkens_to: float = ranged(0.7, 0.05, 0.95)
    fluid_s: float = ranged(0.6, 0, 30)
    before_s: float = ranged(2.5, 0.2, 30)
