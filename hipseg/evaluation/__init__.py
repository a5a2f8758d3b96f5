"""Figures about models: what was measured, on how many, in which unit."""
