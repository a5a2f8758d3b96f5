"""A population that makes no sense is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from hipseg.errors import UsageError
from hipseg.simulation import SimulationConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("view", "sagittal"),
        ("depth_mm", (60.0, 40.0)),
        ("depth_mm", (5.0, 40.0)),
        ("head_radius_mm", (20.0, float("nan"))),
        ("pixel_mm", 0.1),
        ("gain_db", ("loud", 3)),
        ("needle_share", 1.2),
        ("effusion_mm", (0.0, 40.0)),
        ("cam_share", -0.1),
        ("prosthesis_share", "often"),
        ("needle_share", float("nan")),
        ("furniture_share", True),
    ],
)
def test_a_wrong_value_is_named(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"simulation\.{field}"):
        SimulationConfig(**{field: value})


def test_lists_of_a_yaml_file_become_ranges() -> None:
    config = SimulationConfig(depth_mm=[30, 50])  # type: ignore[arg-type]
    assert config.depth_mm == (30.0, 50.0)


def test_a_copy_is_checked_too() -> None:
    with pytest.raises(UsageError, match="tremor_mm"):
        SimulationConfig().replace(tremor_mm=(0.0, 9.0))
