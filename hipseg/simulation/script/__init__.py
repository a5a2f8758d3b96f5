"""Scenarios as data: what happens in a simulated procedure, and when."""

from hipseg.simulation.script.files import load_scenario, scenario_names
from hipseg.simulation.script.scenario import Scenario

__all__ = ["Scenario", "load_scenario", "scenario_names"]
