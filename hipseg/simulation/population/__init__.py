"""Patients as a population: dimensions drawn together, from clinical.md section 2 and simulation.md ("Geometry")."""

from hipseg.simulation.population.draw import draw_patient

__all__ = ["draw_patient"]
