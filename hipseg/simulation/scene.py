"""A scene (patient, probe, scanner, needle) and the geometry of its image plane."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hipseg import anatomy
from hipseg.simulation.acoustics import Beam
from hipseg.simulation.drag import Drag
from hipseg.simulation.injectate import Flow
from hipseg.simulation.labels import Cortex, find_cortex
from hipseg.simulation.needle import Needle
from hipseg.simulation.patient import Patient
from hipseg.simulation.phantom import BodyState, Phantom, Section
from hipseg.simulation.probe import Pose, Probe
from hipseg.simulation.scanner import Look
from hipseg.simulation.surfaces import Array

PointUW = tuple[float, float]
TRANSVERSE_TARGET_RAD = np.radians(18.0)
"""Where the head's surface slopes so much laterally lies the target of a transverse injection (no published value)."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What stands before the scanner, and the scanner.

    Attributes:
        heading_rad: along which textures are laid; that of the pose when the scene began.
        noise_seed: of the electronic noise, which is new in each frame.
        furniture_seed: of marks on the screen, None for none.
        fat_excess: millimetres that all shows too deep per millimetre of fat above it (propagation.py).
        drag: tissue carried along by the needle.
        flow: injectate and its bubbles.
    """

    phantom: Phantom
    probe: Probe
    pose: Pose
    beam: Beam
    look: Look
    view: str
    heading_rad: float
    needle: Needle | None = None
    state: BodyState = field(default_factory=BodyState)
    noise_seed: int = 0
    furniture_seed: int | None = None
    fat_excess: float = 0.0
    time_s: float = 0.0
    drag: Drag | None = None
    flow: Flow | None = None

    @property
    def patient(self) -> Patient:
        """Whose body it is."""
        return self.phantom.patient

    def replace(self, **changes: Any) -> Scene:
        """A copy with other parts."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Survey:
    """The image plane's geometry on all samples and beams [S, L].

    Attributes:
        u, w: of the samples.
        coarse, section: distances on the coarse grid and on all samples.
        cortex: the first bone of each beam.
        target_uw, junction_uw: of the injection and the head-neck junction, None when not in the picture.
        recess_mm: between the capsule's deep face and the bone at the target.
    """

    u: Array
    w: Array
    coarse: Section
    section: Section
    cortex: Cortex
    target_uw: PointUW | None
    junction_uw: PointUW | None
    recess_mm: float | None


def survey(scene: Scene) -> Survey:
    """Slices the scene's body along its image plane."""
    probe, phantom = scene.probe, scene.phantom
    coarse_u, coarse_w, face_mm = probe.coarse_positions()
    rest_u, rest_w = (coarse_u, coarse_w) if scene.drag is None else scene.drag.at_rest(coarse_u, coarse_w)
    coarse = phantom.section(*scene.pose.to_patient(rest_u, rest_w), face_mm, scene.state)
    section = coarse.mapped(probe.refine)
    u, w = probe.refine(np.ascontiguousarray(coarse_u)), probe.refine(np.ascontiguousarray(coarse_w))
    cortex = find_cortex(section, probe, phantom.junction_mm)
    junction_line = _junction_line(section, cortex, phantom.junction_mm, probe)
    target_line = junction_line if scene.view == "longitudinal" else _anterolateral_line(cortex)
    target_uw, recess_mm = _recess_middle(section, cortex, target_line, probe)
    junction_uw = None
    if junction_line is not None and scene.view == "longitudinal":
        junction_uw = probe.on_beam(junction_line, _between(cortex.range_mm_L, junction_line))
    return Survey(u, w, coarse, section, cortex, target_uw, junction_uw, recess_mm)


def _junction_line(section: Section, cortex: Cortex, junction_mm: float, probe: Probe) -> float | None:
    """Fractional beam at which the visible femur passes from head to neck."""
    sample_L = np.minimum(cortex.range_mm_L / probe.sample_mm, probe.beam_shape[0] - 1).astype(int)
    past_mm_L = section.along_neck[sample_L, np.arange(len(sample_L))] - junction_mm
    femur_L = np.isin(cortex.structure_L, (anatomy.FEMORAL_HEAD, anatomy.FEMORAL_NECK)) & cortex.visible_L
    crossing = np.flatnonzero(femur_L[:-1] & femur_L[1:] & (past_mm_L[:-1] <= 0) & (past_mm_L[1:] > 0))
    if len(crossing) == 0:
        return None
    line = int(crossing[0])
    return line + float(past_mm_L[line] / (past_mm_L[line] - past_mm_L[line + 1]))


def _anterolateral_line(cortex: Cortex) -> float | None:
    """Fractional beam at which the head begins to fall off laterally."""
    head_L = (cortex.structure_L == anatomy.FEMORAL_HEAD) & cortex.visible_L
    beyond_L = cortex.slope_rad_L - TRANSVERSE_TARGET_RAD
    crossing = np.flatnonzero(head_L[:-1] & head_L[1:] & (beyond_L[:-1] <= 0) & (beyond_L[1:] > 0))
    return float(crossing[len(crossing) // 2]) if len(crossing) else None


def _recess_middle(
    section: Section, cortex: Cortex, line: float | None, probe: Probe
) -> tuple[PointUW | None, float | None]:
    """The point midway between the capsule's deep face and the bone on a beam, and their distance."""
    if line is None:
        return None, None
    bone_mm = _between(cortex.range_mm_L, line)
    inner_S = section.capsule_inner[:, round(line)]
    first = int((inner_S < 0).argmax())
    if inner_S[first] >= 0 or first == 0:
        return None, None
    fraction = float(inner_S[first - 1] / (inner_S[first - 1] - inner_S[first]))
    capsule_mm = min((first - 1 + fraction + 0.5) * probe.sample_mm, bone_mm)
    return probe.on_beam(line, (capsule_mm + bone_mm) / 2), bone_mm - capsule_mm


def _between(values_L: Array, line: float) -> float:
    """A value between two beams."""
    lower = min(int(line), len(values_L) - 2)
    return float(values_L[lower] + (line - lower) * (values_L[lower + 1] - values_L[lower]))
