"""From frame to clip to patient: each level is the mean of the one below, so that a long clip counts no more."""

from __future__ import annotations

import pandas as pd

from hipseg.evaluation.results import Results

_MEASURE = ["structure", "metric", "unit"]


def by_clip(results: Results) -> pd.DataFrame:
    """One row a clip and measure: split, source, patient, clip, structure, metric, unit, value, num_cases.

    An image that belongs to no clip is a clip of its own.
    """
    rows = results.measures.merge(results.measured[["case", "clip", "patient", "split", "source"]], on="case")
    keys = ["source", "split", "patient", "clip", *_MEASURE]
    grouped = rows.groupby(keys, dropna=False, sort=True)["value"]
    return grouped.agg(value="mean", num_cases="size").reset_index()


def by_patient(clips: pd.DataFrame) -> pd.DataFrame:
    """One row a patient and measure: source, split, patient, structure, metric, unit, value, num_clips, num_cases."""
    grouped = clips.groupby(["source", "split", "patient", *_MEASURE], dropna=False, sort=True)
    return grouped.agg(
        value=("value", "mean"), num_clips=("value", "size"), num_cases=("num_cases", "sum")
    ).reset_index()


def patient_means(values: pd.DataFrame) -> pd.Series:
    """The mean of each patient's clips' means, by patient, of rows with `patient`, `clip` and `value`."""
    clips = values.groupby(["patient", "clip"], sort=True)["value"].mean()
    return clips.groupby(level="patient", sort=True).mean()
