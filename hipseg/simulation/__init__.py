"""Simulated ultrasound of hip injections with exact truth: patients, probes, needles, acoustics, procedures."""

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.frames import SimulatedFrame, simulate_frame
from hipseg.simulation.procedure import Procedure
from hipseg.simulation.script import Scenario, load_scenario, scenario_names

__all__ = [
    "Procedure",
    "Scenario",
    "SimulatedFrame",
    "SimulationConfig",
    "load_scenario",
    "scenario_names",
    "simulate_frame",
]
