"""The alerts of a live run that are about the machine, not about the hip: what the watchdog finds, as alerts."""

from __future__ import annotations

from collections.abc import Iterable

from hipseg.guidance.alerts import ActiveAlert, AlertEvent
from hipseg.guidance.config import AlertsConfig, Priority, TechnicalAlert
from hipseg.runtime.live.watchdog import Condition, Finding

ALERT_OF = {
    Condition.STALE: "stale_frame",
    Condition.FROZEN: "stale_frame",
    Condition.LOW_RATE: "low_frame_rate",
    Condition.SOURCE_LOST: "source_lost",
    Condition.STAGE_HUNG: "processing_fault",
    Condition.STAGE_FAILED: "processing_fault",
    Condition.MODEL_FAULT: "model_fault",
    Condition.MEMORY_LOW: "memory_pressure",
    Condition.CLOCK_JUMP: "clock_jump",
}
"""The alert that a condition raises. An image that is old and one that is frozen are the same danger."""

MESSAGES = {
    Condition.STALE: "Image old: guidance off",
    Condition.FROZEN: "Image frozen: guidance off",
    Condition.LOW_RATE: "Low frame rate",
    Condition.SOURCE_LOST: "Source lost: guidance off",
    Condition.STAGE_HUNG: "Processing hangs: guidance off",
    Condition.STAGE_FAILED: "Processing failed: guidance off",
    Condition.MODEL_FAULT: "Model fault: guidance off",
    Condition.MEMORY_LOW: "Memory short",
    Condition.CLOCK_JUMP: "Clock jumped: guidance off",
}
"""What a clinician reads."""


class TechnicalMonitor:
    """Remembers which technical alerts stand. Raising, clearing and hysteresis are the watchdog's.

    Args:
        config: the table of alerts.

    Attributes:
        active: the alerts that stand, in the order of `Condition`.
    """

    def __init__(self, config: AlertsConfig) -> None:
        self._config = config
        self.active: tuple[ActiveAlert, ...] = ()

    def step(self, findings: Iterable[Finding]) -> tuple[AlertEvent, ...]:
        """Takes what stands now; answers with what was raised and cleared since the last time."""
        before = {alert.id: alert for alert in self.active}
        now: dict[str, ActiveAlert] = {}
        for finding in findings:
            now.setdefault(ALERT_OF[finding.condition], self._alert(finding))
        self.active = tuple(now.values())
        raised = [AlertEvent(alert, "raised") for key, alert in now.items() if key not in before]
        cleared = [AlertEvent(alert, "cleared") for key, alert in before.items() if key not in now]
        return (*cleared, *raised)

    def _alert(self, finding: Finding) -> ActiveAlert:
        alert_id = ALERT_OF[finding.condition]
        row = getattr(self._config, alert_id)
        assert isinstance(row, TechnicalAlert)
        return ActiveAlert(alert_id, row.priority, MESSAGES[finding.condition], finding.value, finding.threshold)


def by_urgency(alerts: Iterable[ActiveAlert]) -> tuple[ActiveAlert, ...]:
    """Most urgent first, otherwise in their order."""
    order = list(Priority)
    return tuple(sorted(alerts, key=lambda alert: order.index(alert.priority)))
