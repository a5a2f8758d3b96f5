"""Learning rates rise to the optimizer's own and go where they should."""

from __future__ import annotations

import pytest
import torch

from hipseg.training.schedules import constant, cosine, one_cycle


def rates(schedule, num_steps: int, **settings) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = schedule(optimizer, num_steps, **settings)
    found = []
    for _ in range(num_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [*found, optimizer.param_groups[0]["lr"]]


def test_one_cycle_peaks_after_its_warmup_and_ends_near_nothing():
    curve = rates(one_cycle, 100, warmup=0.2, start=0.1, end=0.01)
    assert curve[0] == pytest.approx(0.2)
    assert max(curve) == pytest.approx(2.0)
    assert curve.index(max(curve)) == 20
    assert curve[-1] == pytest.approx(0.02)
    assert curve[20:] == sorted(curve[20:], reverse=True)


def test_cosine_warms_up_in_a_straight_line():
    curve = rates(cosine, 100, warmup_steps=10, end=0.1)
    assert curve[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert curve[-1] == pytest.approx(0.2)


def test_constant_stays():
    curve = rates(constant, 20, warmup_steps=4)
    assert curve[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert set(curve[4:]) == {2.0}


@pytest.mark.parametrize("schedule", [one_cycle, cosine, constant])
def test_a_run_of_one_step_has_a_positive_rate(schedule):
    assert rates(schedule, 1)[0] > 0
