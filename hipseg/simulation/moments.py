"""Frames drawn from the middle of procedures, for networks to learn from: single ones, or some in a row."""

from __future__ import annotations

from hipseg.simulation.frames import SimulatedFrame
from hipseg.simulation.job import SimulateConfig, generator
from hipseg.simulation.procedure import Procedure


def draw_moment(job: SimulateConfig, case: int) -> list[SimulatedFrame]:
    """Consecutive frames of a procedure, from a moment that is drawn evenly from those in grey that are no repeats.

    Args:
        job: population, scenarios and `clip_frames`, how many.
        case: its number.
    """
    rng = generator(job.seed, case)
    procedure = Procedure(job.scenario_of(case), job.simulation, rng)
    timeline, count = procedure.timeline, min(job.clip_frames, len(procedure))
    usable = (timeline.doppler[timeline.shown] == 0) & (timeline.arrived == timeline.shown)
    starts = [start for start in range(len(procedure) - count + 1) if usable[start : start + count].all()]
    start = int(rng.choice(starts)) if starts else 0
    return [procedure.frame(index) for index in range(start, start + count)]
