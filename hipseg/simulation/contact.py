"""What nobody can see because the probe has lifted off the skin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hipseg.anatomy import IGNORED
from hipseg.simulation.frames import SimulatedFrame, mirrored
from hipseg.simulation.scanner import Look
from hipseg.simulation.scene import Scene

_LOST_DB = 60.0


def lifted_off(look: Look, share: float) -> Look:
    """The look of a scanner whose probe has lost contact over a share of its face, from the right side on."""
    if share <= 0:
        return look
    # The gap's edge is soft: one of nearly the whole face has to reach far beyond its other end.
    return replace(look, lost_contact=(1.0, share / (1.2 - share)), lost_db=_LOST_DB)


def without_unseen(frame: SimulatedFrame, scene: Scene, share: float) -> SimulatedFrame:
    """The frame with its labels ignored, and its tip not visible, under the part of the face that has no contact."""
    if share <= 0:
        return frame
    unseen_HW = _unseen(scene)
    labels_HW = np.where(unseen_HW, np.uint8(IGNORED), frame.labels_HW)
    tip = frame.landmarks["needle_tip"]
    if tip is None or not unseen_HW[round(tip[1]), min(round(tip[0]), unseen_HW.shape[1] - 1)]:
        return replace(frame, labels_HW=labels_HW)
    needle = frame.truth["needle"] | {"tip_visible": False, "tip_visibility": 0.0}
    landmarks = frame.landmarks | {"needle_tip": None}
    return replace(frame, labels_HW=labels_HW, landmarks=landmarks, truth=frame.truth | {"needle": needle})


def _unseen(scene: Scene) -> npt.NDArray[np.bool_]:
    """Where most of the signal is lost, [H, W]."""
    probe, lost = scene.probe, scene.look.lost_contact
    assert lost is not None, "contact that was not lost"
    centre, half = lost
    across = (np.arange(probe.beam_shape[1]) + 0.5) / probe.beam_shape[1]
    lost_SL = np.broadcast_to((np.abs(across - centre) < half).astype(np.uint8), probe.beam_shape)
    lost_HW = probe.scan_convert(np.ascontiguousarray(lost_SL), nearest=True) > 0
    unseen: npt.NDArray[np.bool_] = mirrored(lost_HW) if scene.patient.mirrored else lost_HW
    return unseen
