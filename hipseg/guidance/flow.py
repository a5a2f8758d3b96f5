"""Flow seen by colour Doppler: where it was, remembered and moved with the tissue, to be avoided by the needle."""

from __future__ import annotations

from dataclasses import dataclass

from hipseg.guidance.geometry import Points


@dataclass(frozen=True, slots=True)
class FlowRegion:
    """One connected area of flow, as it lies in this frame.

    Attributes:
        outline_mm: points [n, 2] around it, in order.
        area_mm2: of it.
        age_s: since it was last seen; 0 while Doppler shows it.
        sigma_mm: doubt about where it is by now.
        in_vessel: share of it that the B-mode network knows as artery or vein, 0-1, when it was last seen.
        on_path: the needle's path, or the suggested one without a needle, comes too near.
    """

    outline_mm: Points
    area_mm2: float
    age_s: float
    sigma_mm: float
    in_vessel: float
    on_path: bool = False
