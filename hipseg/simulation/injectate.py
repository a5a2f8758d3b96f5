"""What injected fluid looks like: black, with a plume at the needle's tip and drifting microbubbles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hipseg.simulation import texture
from hipseg.simulation.surfaces import Array, smooth_step
from hipseg.simulation.tissue import Material, TissueMap

_FLUID_DB, _BUBBLE_DB = -44.0, 2.0
_JET_MM, _JET_HALF_MM = 9.0, 1.1
_FLUID_ATTENUATION = 0.08


@dataclass(frozen=True, slots=True)
class Flow:
    """What the injection does to the picture.

    Attributes:
        fluid: share of the recess's content that is injectate, 0-1.
        tip_uw, direction_uw: of the needle, where the jet leaves it.
        jet: strength, 0 when nothing is being injected.
        bubbles: share of the fluid's samples with a microbubble, 0-1.
        seed: of this frame's bubbles.
    """

    fluid: float
    tip_uw: tuple[float, float]
    direction_uw: tuple[float, float]
    jet: float
    bubbles: float
    seed: int


def with_injectate(tissue: TissueMap, pool_SL: Array, flow: Flow, u: Array, w: Array) -> TissueMap:
    """The tissue with fluid in it: black, with bright specks where bubbles drift and a plume at the tip.

    Args:
        tissue: of the plane.
        pool_SL: distance to fluid outside the joint.
        flow: what is injected.
        u, w: of the samples.
    """
    solid = tissue.material == Material.BONE
    pool = (pool_SL < 0) & ~solid
    recess = tissue.material == Material.RECESS
    fluid = pool | recess
    share = np.where(pool, np.float32(1), np.float32(flow.fluid) * recess)
    echo_db = tissue.echo_db + share * (np.float32(_FLUID_DB) - tissue.echo_db)
    contrast = tissue.contrast * (1 - np.float32(0.8) * share)
    bright = _bubbles(flow, fluid, u, w) | _jet(flow, fluid, u, w)
    echo_db = np.where(bright, np.maximum(echo_db, np.float32(_BUBBLE_DB)), echo_db)
    attenuation = np.where(fluid, np.float32(_FLUID_ATTENUATION), tissue.attenuation)
    return replace(tissue, echo_db=echo_db, contrast=contrast, attenuation=attenuation)


def _bubbles(flow: Flow, fluid: npt.NDArray[np.bool_], u: Array, w: Array) -> npt.NDArray[np.bool_]:
    """Specks of some tenths of a millimetre, denser near the tip and toward the probe, where gas rises to."""
    if flow.bubbles <= 0 or not fluid.any():
        return np.zeros(fluid.shape, bool)
    specks = texture.structure(u / np.float32(0.5), w / np.float32(0.35), float(flow.seed % 997), flow.seed)
    near = np.exp(-np.hypot(u - np.float32(flow.tip_uw[0]), w - np.float32(flow.tip_uw[1])) / np.float32(12))
    level = float(np.quantile(specks, 1 - min(flow.bubbles, 0.9)))
    rare = np.float32(2.2) * (1 - near)
    return fluid & (specks > level + rare)


def _jet(flow: Flow, fluid: npt.NDArray[np.bool_], u: Array, w: Array) -> npt.NDArray[np.bool_]:
    """The plume that leaves the needle while fluid flows."""
    if flow.jet <= 0:
        return np.zeros(fluid.shape, bool)
    du, dw = u - np.float32(flow.tip_uw[0]), w - np.float32(flow.tip_uw[1])
    along = du * np.float32(flow.direction_uw[0]) + dw * np.float32(flow.direction_uw[1])
    aside = np.abs(dw * np.float32(flow.direction_uw[0]) - du * np.float32(flow.direction_uw[1]))
    cone = smooth_step(aside, _JET_HALF_MM, 0.2) * smooth_step(along, _JET_MM * flow.jet, 0.0) * (along > 0)
    grain = texture.structure(du / np.float32(0.4), dw / np.float32(0.3), 0.0, flow.seed + 1)
    return fluid & (cone + np.float32(0.25) * grain > 0.6)
