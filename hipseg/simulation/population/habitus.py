"""Body build, from which depth, fat, vessels' depth, sound and the choice of a probe follow together."""

from __future__ import annotations

import numpy as np

BUILDS = ("lean", "average", "overweight", "obese", "severely obese")
_BUILD_BOUNDS = (0.2, 0.6, 0.78, 0.9)
_HABITUS = (0.0, 0.2, 0.4, 0.6, 0.78, 0.9, 1.0)
_APEX_MM = (14.5, 17.5, 25.0, 44.0, 64.0, 78.0, 94.0)
_SHALLOWEST_MM, _DEEPEST_MM = 13.0, 100.0


def build_of(habitus: float) -> str:
    """The name of a body build, one of `BUILDS`.

    Their bounds are such that the head lies as clinical.md section 2 has it: to 45 mm deep in lean and average
    patients, 45-65 in overweight, 65-100 in obese ones, give or take.
    """
    return BUILDS[int(np.searchsorted(_BUILD_BOUNDS, habitus, side="right"))]


def habitus_of(build: str) -> tuple[float, float]:
    """Lowest and highest habitus of a body build, one of `BUILDS`."""
    index = BUILDS.index(build)
    edges = (0.0, *_BUILD_BOUNDS, 1.0)
    return edges[index], edges[index + 1]


def draw_habitus(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    """A body build between bounds; lean and average ones are the most frequent."""
    low, high = bounds
    return low + (high - low) * float(rng.beta(1.3, 2.2))


def draw_apex_depth(habitus: float, rng: np.random.Generator) -> float:
    """Depth of the head's most anterior point, mm.

    13.6-17.1 in thin people and 22-29 in others (simulation.md, real groins); 45-65 in overweight and 65-100 in obese
    ones (clinical.md section 2).
    """
    typical_mm = float(np.interp(habitus, _HABITUS, _APEX_MM))
    return float(np.clip(typical_mm * rng.normal(1.0, 0.06), _SHALLOWEST_MM, _DEEPEST_MM))


def fat_depth(apex_mm: float, rng: np.random.Generator) -> float:
    """Depth of the subcutaneous fat's lower border: a fifth of the way to the head in the thin, half in the obese."""
    excess_mm = max(apex_mm - 22.0, 0.0)
    return 0.2 * apex_mm + 0.5 * excess_mm * rng.uniform(0.85, 1.15) + rng.uniform(0.3, 2.2)


def curved_probe_chance(share: float, habitus: float) -> float:
    """How likely a patient is scanned with a sector probe in a population that has `share` of them.

    None of the deep joints can be seen with a linear probe of 7 MHz or more, and hardly any shallow one is scanned
    with a curved one. 0 stays 0 and 1 stays 1.
    """
    if share <= 0 or share >= 1:
        return float(share)
    # Odds that rise with the build, so that an average population keeps about its share.
    odds = share / (1 - share) * float(np.exp(6.0 * (habitus - 0.37)))
    return odds / (1 + odds)


def attenuation_factor(habitus: float) -> float:
    """By which an obese patient's tissue attenuates more than the table says: fatty muscle scatters and aberrates."""
    return 0.95 + 0.2 * habitus


def gain_shift_db(habitus: float) -> float:
    """By which operators turn the gain up to see through a deep groin (no published value)."""
    return 4.0 * max(habitus - 0.4, 0.0)
