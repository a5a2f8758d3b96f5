"""Guidance as a clinician sees it."""
