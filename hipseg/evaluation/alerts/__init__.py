"""Alerts judged on simulated procedures: what was raised, when, and what was not."""
