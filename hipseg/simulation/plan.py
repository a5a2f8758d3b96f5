"""Finds a patient in whom a scenario can be played, and the needle's ways to what it is aimed at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hipseg.errors import UsageError
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.frames import draw_scene, reach_of_bone
from hipseg.simulation.needle import Needle, draw_needle, with_gauge
from hipseg.simulation.phantom import Section
from hipseg.simulation.scene import PointUW, Scene, Survey, survey
from hipseg.simulation.script.actions import Redirect
from hipseg.simulation.script.scenario import NeedlePlan, Scenario
from hipseg.simulation.surfaces import Array
from hipseg.simulation.timeline import Timeline, UnplayableError, write_timeline
from hipseg.simulation.ways import Way, Ways, turned_to

_ATTEMPTS = 400
_SMALLEST_MM2 = 4.0
_OUTSIDE_CAPSULE_MM, _CONTACT_MM = 2.5, 0.05
_STEEPEST_RAD, _FLATTEST_RAD = np.radians(75.0), np.radians(5.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario in a patient.

    Attributes:
        scene: as the clip begins, without a needle.
        timeline: everything that changes.
        ways: of the needle, None without one.
    """

    scene: Scene
    timeline: Timeline
    ways: Ways | None


def draw_plan(scenario: Scenario, config: SimulationConfig, num_ticks: int, rng: np.random.Generator) -> Plan:
    """Draws patients until one can play the scenario.

    Raises:
        UsageError: none of many can.
    """
    population = config.replace(view=scenario.view, **scenario.population)
    for _ in range(_ATTEMPTS):
        scene = draw_scene(population, rng)
        try:
            ways = None
            seen = survey(scene)
            _require(scenario.shows, scene, seen)
            if scenario.needle is not None:
                ways = _draw_ways(scenario, scenario.needle, population, scene, seen, rng)
            timeline = write_timeline(scenario, scene, ways, num_ticks, population.tremor_mm, rng)
            return Plan(scene, timeline, ways)
        except UnplayableError:
            continue
    raise UsageError(
        f"none of {_ATTEMPTS} patients can play it",
        where=f"scenario {scenario.name}",
        mend="widen aperture_mm, depth_mm or needle_angle_deg",
    )


def find_aim(name: str, scene: Scene, seen: Survey) -> PointUW:
    """Where an aim lies in the plane. Raises UnplayableError when it is not in the picture."""
    section = seen.section
    bodies = {
        "artery": section.artery < 0,
        "vein": section.vein < 0,
        "nerve": (section.nerve < 0) & (section.capsule_outer > 0),
        "branch": (section.arteries < 0) & (section.artery > 0.5),
        "labrum": section.labrum < 0,
    }
    if name in bodies:
        return _middle(bodies[name] & (section.bone > 0), scene, seen)
    if seen.target_uw is None or not bool(scene.probe.shows(*seen.target_uw)):
        raise UnplayableError("no target in the picture")
    if name == "muscle":
        return seen.target_uw[0] + 4.0, 0.55 * seen.target_uw[1]
    if name == "short_of_capsule":
        return _above_capsule(seen.target_uw, scene)
    if name == "neck":
        return _on_cortex(seen.target_uw, scene)
    return seen.target_uw


def _require(names: Iterable[str], scene: Scene, seen: Survey) -> None:
    for name in names:
        find_aim(name, scene, seen)


def _middle(inside_SL: npt.NDArray[np.bool_], scene: Scene, seen: Survey) -> PointUW:
    """The middle of a body that shows enough of itself, away from the picture's edge."""
    probe = scene.probe
    if inside_SL.sum() * probe.line_mm * probe.sample_mm < _SMALLEST_MM2:
        raise UnplayableError("too little of the aim in the picture")
    u, w = float(seen.u[inside_SL].mean()), float(seen.w[inside_SL].mean())
    left, right, _, bottom = probe.extent_mm
    if not (left + 2 < u < right - 2 and 2 < w < bottom - 2):
        raise UnplayableError("the aim is at the picture's edge")
    return u, w


def _along_beam(target_uw: PointUW, scene: Scene, offsets_mm: npt.NDArray[np.float64]) -> tuple[Section, Array]:
    """The body along the perpendicular to the probe's face through the target, and the depths."""
    w = (target_uw[1] + offsets_mm).astype(np.float32)
    u = np.full(w.shape, target_uw[0], np.float32)
    return scene.phantom.section(*scene.pose.to_patient(u, w), w, scene.state), w


def _above_capsule(target_uw: PointUW, scene: Scene) -> PointUW:
    body, w = _along_beam(target_uw, scene, -np.arange(0.0, 20.0, 0.1))
    outside = np.flatnonzero(body.capsule_outer >= _OUTSIDE_CAPSULE_MM)
    if len(outside) == 0 or w[outside[0]] < 4.0:
        raise UnplayableError("no tissue over the capsule")
    return target_uw[0], float(w[outside[0]])


def _on_cortex(target_uw: PointUW, scene: Scene) -> PointUW:
    body, w = _along_beam(target_uw, scene, np.arange(0.0, 20.0, 0.05))
    bone = np.flatnonzero(body.bone < 0)
    if len(bone) == 0:
        raise UnplayableError("no cortex under the target")
    return target_uw[0], float(w[bone[0]])


def _draw_ways(
    scenario: Scenario, plan: NeedlePlan, config: SimulationConfig, scene: Scene, seen: Survey, rng: np.random.Generator
) -> Ways:
    """A needle to the first aim and turned to all others. Raises UnplayableError when one is out of reach."""
    if plan.angle_deg is not None:
        config = config.replace(needle_angle_deg=plan.angle_deg)
    aim = find_aim(plan.aim, scene, seen)
    first = _needle_to((aim[0] + rng.normal(0, plan.error_mm), aim[1] + rng.normal(0, plan.error_mm / 2)), config, rng)
    first = with_gauge(first, plan.gauge) if plan.gauge else first
    needles = {plan.aim: first}
    for action in scenario.of(Redirect):
        assert isinstance(action, Redirect)
        needles.setdefault(action.aim, turned_to(first, find_aim(action.aim, scene, seen), rng.normal(0, 0.2)))
    for needle in needles.values():
        _check_reach(needle, scene)
    if plan.clear_mm:
        _check_clear(first, plan.clear_mm, scene)
    span = first.visible_span_mm(scene.probe)
    assert span is not None
    ways = {name: Way(needle, reach_of_bone(scene, needle) - _CONTACT_MM) for name, needle in needles.items()}
    return Ways(plan.aim, ways, span[0])


def _needle_to(aim_uw: PointUW, config: SimulationConfig, rng: np.random.Generator) -> Needle:
    """A needle that is steered well: it stays near the plane and hardly bends."""
    needle = draw_needle(config, aim_uw, rng)
    return replace(needle, bend_mm=0.3 * needle.bend_mm, offsets_mm=(0.3 * needle.offsets_mm[0], 0.0))


def _check_reach(needle: Needle, scene: Scene) -> None:
    """The needle gets to its aim: a feasible angle, no bone in its way, and the picture shows the tip."""
    if not _FLATTEST_RAD <= needle.angle_rad <= _STEEPEST_RAD:
        raise UnplayableError("too steep or too flat")
    if reach_of_bone(scene, needle) < needle.length_mm - 0.5:
        raise UnplayableError("bone is in the way")
    if not needle.tip_is_visible(scene.probe):
        raise UnplayableError("the tip would not be seen")


def _check_clear(needle: Needle, clear_mm: float, scene: Scene) -> None:
    along_mm = np.arange(0.0, needle.length_mm, 0.5)
    u, w = (values.astype(np.float32) for values in needle.points(along_mm))
    body = scene.phantom.section(*scene.pose.to_patient(u, w), w, scene.state)
    nearest = min(float(body.arteries.min()), float(body.vein.min()), float(body.nerve.min()))
    if nearest < clear_mm:
        raise UnplayableError("a vessel or the nerve is near the way")
