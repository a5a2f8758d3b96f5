"""Overlays of ten situations for docs/overlays: python scripts/draw_overlays.py docs/overlays [NAME ...].

Each is one frame of a simulated procedure, with guidance over the frames before it; the masks are the truth's.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hipseg.display.config import DisplayConfig, OverlayLayout
from hipseg.display.overlay import Overlay
from hipseg.evaluation.alerts.eyes import TruthEye
from hipseg.frame import Frame, ScanRegion
from hipseg.guidance.clip import ClipGuidance
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.flow import flow_on_grid
from hipseg.guidance.fluid import echo_on_grid
from hipseg.io.doppler import read_flow
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.frames import SimulatedFrame
from hipseg.simulation.procedure import Procedure
from hipseg.simulation.script.files import load_scenario

_SEED, _BEFORE_S, _STEP = 4, 4.0, 3
_QUALITY = 70


@dataclass(frozen=True)
class Situation:
    """A moment of a scenario, and how it is shown."""

    scenario: str
    at_s: float
    layout: OverlayLayout = OverlayLayout.standard
    scale: bool = True
    enlarged: float = 1.0
    brighter: float = 1.0


SITUATIONS: dict[str, Situation] = {
    "longitudinal": Situation("uneventful_longitudinal", 5.0),
    "transverse": Situation("uneventful_transverse", 5.0),
    "obese_curvilinear": Situation("obese_curvilinear", 6.0),
    "doppler": Situation("doppler_survey", 3.0),
    "unknown_scale": Situation("uneventful_longitudinal", 4.0, scale=False),
    "lost_tip": Situation("tip_lost_while_advancing", 6.5),
    "two_alerts": Situation("artery_in_path", 5.2),
    "injection": Situation("effusion", 11.0),
    "quiet": Situation("artery_in_path", 4.6, OverlayLayout.quiet),
    "bright_1080p": Situation("uneventful_longitudinal", 4.5, enlarged=2.2, brighter=2.0),
}


def draw(situation: Situation) -> np.ndarray:
    """The overlay, RGB."""
    procedure = Procedure(load_scenario(situation.scenario), SimulationConfig(), np.random.default_rng(_SEED))
    last = int(np.searchsorted(procedure.time_s, situation.at_s))
    first = int(np.searchsorted(procedure.time_s, situation.at_s - _BEFORE_S))
    eye, overlay = TruthEye(), None
    guidance = ClipGuidance(GuidanceConfig(), eye.facts)
    picture = np.zeros((1, 1, 3), np.uint8)
    for index in [*range(first, last, _STEP), last]:
        simulated = _enlarged(procedure.frame(index), situation.enlarged)
        seen, frame = eye.see(simulated), _frame(simulated, index, situation)
        flow = None if simulated.colour_HW3 is None else read_flow(simulated.colour_HW3)
        known = guidance.step(
            seen, frame=index, time_s=frame.time_s, spacing=frame.spacing, region=frame.region,
            echo=echo_on_grid(frame.image_HW, seen.grid),
            flow=None if flow is None else flow_on_grid(flow.velocity_HW, seen.grid, flow.note),
        )  # fmt: skip
        overlay = overlay or Overlay(frame.region, DisplayConfig(situation.layout))
        picture = overlay.draw(frame, seen, known)
    return picture


def _enlarged(simulated: SimulatedFrame, factor: float) -> SimulatedFrame:
    """As a scanner with more pixels shows it."""
    if factor == 1:
        return simulated
    size = tuple(round(side * factor) for side in simulated.image_HW.shape[::-1])
    spacing = simulated.spacing
    points = simulated.landmarks.items()
    return dataclasses.replace(
        simulated,
        image_HW=np.asarray(cv2.resize(simulated.image_HW, size, interpolation=cv2.INTER_CUBIC), np.uint8),
        labels_HW=np.asarray(cv2.resize(simulated.labels_HW, size, interpolation=cv2.INTER_NEAREST), np.uint8),
        spacing=dataclasses.replace(spacing, row_mm=spacing.row_mm / factor, column_mm=spacing.column_mm / factor),
        landmarks={name: None if at is None else (at[0] * factor, at[1] * factor) for name, at in points},
    )


def _frame(simulated: SimulatedFrame, index: int, situation: Situation) -> Frame:
    height, width = simulated.image_HW.shape
    image_HW = np.clip(simulated.image_HW * situation.brighter, 0, 255).astype(np.uint8)
    spacing = simulated.spacing if situation.scale else None
    return Frame(image_HW, index, simulated.time_s, spacing, ScanRegion(0, 0, width, height, "full"), "simulated")


def main(folder: Path, names: list[str]) -> None:
    """Draws some situations, or all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or SITUATIONS:
        bgr_HW3 = cv2.cvtColor(draw(SITUATIONS[name]), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{name}.webp"), bgr_HW3, (cv2.IMWRITE_WEBP_QUALITY, _QUALITY))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
