"""Percentiles from a histogram against those of the values themselves."""

from __future__ import annotations

import numpy as np
import pytest

from hipseg.runtime.latency import LatencyHistogram


def test_percentiles_are_those_of_the_values_to_half_a_percent() -> None:
    values_ms = np.random.default_rng(0).lognormal(2.0, 0.7, 20_000)
    histogram = LatencyHistogram()
    for value in values_ms:
        histogram.add(value)
    for percent in (50, 95, 99):
        exact_ms = np.percentile(values_ms, percent, method="inverted_cdf")
        assert histogram.percentile(percent) == pytest.approx(exact_ms, rel=0.006)
    assert histogram.count == 20_000
    assert histogram.summary()["max"] == pytest.approx(values_ms.max(), abs=5e-4)


def test_nothing_is_said_of_no_values() -> None:
    assert LatencyHistogram().summary() == {"p50": None, "p95": None, "p99": None, "max": None}


@pytest.mark.parametrize("value_ms", [0.0, 1e-9, 1e12])
def test_values_off_the_scale_are_kept_at_its_ends(value_ms: float) -> None:
    histogram = LatencyHistogram()
    histogram.add(value_ms)
    assert histogram.count == 1
    assert histogram.percentile(50) <= max(value_ms, 1e-3)


def test_a_percentile_never_exceeds_the_longest() -> None:
    histogram = LatencyHistogram()
    for value_ms in (1.0, 2.0, 3.0):
        histogram.add(value_ms)
    assert histogram.percentile(99) == pytest.approx(3.0, rel=0.005)
    assert histogram.percentile(99) <= 3.0


def test_a_block_is_timed_when_it_comes_to_its_end() -> None:
    histogram = LatencyHistogram()
    with histogram.timed():
        pass
    with pytest.raises(ZeroDivisionError), histogram.timed():
        _ = 1 / 0
    assert histogram.count == 1
