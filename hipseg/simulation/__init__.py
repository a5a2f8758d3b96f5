"""Simulated ultrasound of hip injections with exact truth: patients, probes, needles, acoustics."""

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.frames import SimulatedFrame, simulate_frame
from hipseg.simulation.procedure import Procedure

__all__ = ["Procedure", "SimulatedFrame", "SimulationConfig", "simulate_frame"]
