"""Turning other people's annotations into data sets: one family of formats a file."""
