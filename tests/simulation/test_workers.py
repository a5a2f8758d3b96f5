"""Cases over processes and over a cluster: in order, the same everywhere, and a killed worker told in one line."""

from __future__ import annotations

import os
import signal
from functools import partial

import numpy as np
import pytest

from hipseg.configuration import compose
from hipseg.data.simulated import simulate_case
from hipseg.errors import HipsegError, UsageError
from hipseg.simulation.job import SimulateConfig, job_of
from hipseg.simulation.workers import in_parallel


def squared(case: int) -> int:
    return case * case


def killed(case: int) -> int:
    if case == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return case


def test_results_come_in_the_order_of_their_cases() -> None:
    assert list(in_parallel(squared, range(9), 2)) == [case * case for case in range(9)]
    assert list(in_parallel(squared, range(3), 1)) == [0, 1, 4]


def test_a_killed_worker_is_told_with_what_to_do() -> None:
    with pytest.raises(HipsegError, match=r"worker process was killed.*goes on where it stopped"):
        list(in_parallel(killed, range(3), 2))


def test_a_cluster_makes_the_same_as_this_process() -> None:
    """A real dask scheduler with two real workers, and frames of procedures as their task."""
    job = job_of(
        compose("simulate", ["out=x", "scenario=[steep_needle,no_needle]", "clip_frames=2"], schema=SimulateConfig)
    )
    task = partial(simulate_case, job)
    on_cluster = list(in_parallel(task, range(3), 2, "local"))
    for case, frames in enumerate(on_cluster):
        for one, other in zip(frames, task(case), strict=True):
            assert np.array_equal(one.image_HW, other.image_HW)
            assert np.array_equal(one.amodal_HW, other.amodal_HW)
            assert one.truth == other.truth


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    with pytest.raises(UsageError, match=r"cluster=tcp://127\.0\.0\.1:9"):
        list(in_parallel(squared, range(3), 2, "tcp://127.0.0.1:9"))
