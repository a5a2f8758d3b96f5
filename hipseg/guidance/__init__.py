"""From a segmentation to what a clinician needs to know: needle, target, distances, alerts. Pure: no clock, no file."""
