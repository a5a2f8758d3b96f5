"""What the watchdog finds becomes alerts, each with its row of configuration."""

from __future__ import annotations

import pytest

from hipseg.errors import UsageError
from hipseg.guidance.config import AlertsConfig, GuidanceConfig, Priority, TechnicalAlert, validate
from hipseg.guidance.rules import RULES
from hipseg.guidance.technical import ALERT_OF, MESSAGES, TechnicalMonitor, by_urgency
from hipseg.runtime.live.limits import LiveLimits
from hipseg.runtime.live.watchdog import Condition, Finding

PRIORITIES = {"stale_frame": Priority.medium, "low_frame_rate": Priority.low}
"""As clinical.md, section 3."""


@pytest.mark.parametrize("condition", Condition)
def test_every_condition_has_an_alert_a_message_and_a_row(condition: Condition) -> None:
    monitor = TechnicalMonitor(AlertsConfig())
    (event,) = monitor.step([Finding(condition, 4.0, 3.0)])
    assert event.event == "raised"
    assert (event.alert.id, event.alert.message) == (ALERT_OF[condition], MESSAGES[condition])
    assert (event.alert.value, event.alert.threshold) == (4.0, 3.0)
    assert event.alert.priority is PRIORITIES.get(event.alert.id, event.alert.priority)
    assert event.alert.id not in RULES
    assert monitor.step([Finding(condition, 9.0, 3.0)]) == ()
    (event,) = monitor.step([])
    assert (event.event, event.alert.value) == ("cleared", 9.0)


def test_two_conditions_of_one_alert_are_one_alert() -> None:
    monitor = TechnicalMonitor(AlertsConfig())
    assert len(monitor.step([Finding(Condition.FROZEN)])) == 1
    assert monitor.step([Finding(Condition.STALE), Finding(Condition.FROZEN)]) == ()
    assert [alert.message for alert in monitor.active] == [MESSAGES[Condition.STALE]]
    assert monitor.step([Finding(Condition.FROZEN)]) == ()


def test_priorities_are_configuration() -> None:
    config = AlertsConfig(low_frame_rate=TechnicalAlert(Priority.high))
    monitor = TechnicalMonitor(config)
    monitor.step([Finding(Condition.SOURCE_LOST), Finding(Condition.LOW_RATE)])
    assert [alert.id for alert in by_urgency(monitor.active)] == ["low_frame_rate", "source_lost"]


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (LiveLimits(stale_after_ms=5), "guidance.live.stale_after_ms"),
        (LiveLimits(low_rate_hz=20, low_rate_clear_hz=10), "guidance.live.low_rate_hz"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: LiveLimits, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        validate(GuidanceConfig(live=limits))
