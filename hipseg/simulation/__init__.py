"""Simulated ultrasound of hip injections with exact truth: patients, probes, needles, acoustics."""

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.frames import SimulatedFrame, simulate_frame

__all__ = ["SimulatedFrame", "SimulationConfig", "simulate_frame"]
