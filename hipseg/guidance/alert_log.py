"""What was raised stays on the list until someone has taken note of it, even when the danger has passed.

Acknowledging silences the sound of an alert and nothing else: it goes on standing while its danger does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hipseg.guidance.alert_config import Priority
from hipseg.guidance.alerts import ActiveAlert, AlertEvent


@dataclass(frozen=True, slots=True)
class LoggedAlert:
    """An alert from its raising on.

    Attributes:
        alert: as it was when it was most urgent.
        raised_s: source time at which it was raised first.
        cleared_s: source time at which it was cleared, None while it stands.
        acknowledged: someone has taken note.
        acknowledged_s: source time at which someone last did, where it is known.
    """

    alert: ActiveAlert
    raised_s: float
    cleared_s: float | None = None
    acknowledged: bool = False
    acknowledged_s: float | None = None

    @property
    def stands(self) -> bool:
        """Whether its danger is still there."""
        return self.cleared_s is None


class AlertLog:
    """Every alert of a session, in the order of raising."""

    def __init__(self) -> None:
        self._entries: list[LoggedAlert] = []

    @property
    def entries(self) -> tuple[LoggedAlert, ...]:
        """All of them."""
        return tuple(self._entries)

    @property
    def latched(self) -> tuple[LoggedAlert, ...]:
        """Those that stand, and those that have passed unnoticed."""
        return tuple(entry for entry in self._entries if entry.stands or not entry.acknowledged)

    @property
    def sounding(self) -> Priority | None:
        """The most urgent priority that still sounds: of what stands and was not acknowledged."""
        loud = {entry.alert.priority for entry in self._entries if entry.stands and not entry.acknowledged}
        return next((priority for priority in Priority if priority in loud), None)

    def see(self, events: Iterable[AlertEvent], time_s: float) -> None:
        """Takes what became of alerts in a frame."""
        for event in events:
            standing = self._standing(event.alert.id)
            if event.event == "acknowledged":
                self.acknowledge(event.alert.id, time_s)
            elif event.event == "cleared":
                if standing is not None:
                    self._entries[standing] = replace(self._entries[standing], cleared_s=time_s)
            elif standing is None:
                self._entries.append(LoggedAlert(event.alert, time_s))
            else:  # Raised again while it stands: it has become more urgent, and sounds again.
                self._entries[standing] = replace(self._entries[standing], alert=event.alert, acknowledged=False)

    def acknowledge(self, alert_id: str | None = None, time_s: float | None = None) -> None:
        """Takes note of an alert, or of all, at a source time."""
        self._entries = [
            replace(entry, acknowledged=True, acknowledged_s=time_s)
            if alert_id in (None, entry.alert.id) and not entry.acknowledged
            else entry
            for entry in self._entries
        ]

    def _standing(self, alert_id: str) -> int | None:
        """Index of the entry of an alert that stands."""
        found = [k for k, entry in enumerate(self._entries) if entry.alert.id == alert_id and entry.stands]
        return found[-1] if found else None
