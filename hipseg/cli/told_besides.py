"""Lines of alerts.jsonl that guidance does not write: the watchdog's of a live session, and notes someone took.

A replay cannot find them again. It keeps them, between the lines of guidance where they stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hipseg.guidance.alert_config import AlertsConfig
from hipseg.guidance.alerts import ActiveAlert
from hipseg.guidance.technical import ALERT_OF

Line = Mapping[str, Any]
TECHNICAL = frozenset(ALERT_OF.values())


class ToldBesides:
    """Hands those lines out frame by frame.

    Args:
        lines: all of a session's alerts.jsonl.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        self._left = list(_anchored(lines))

    def before(self, frame: int) -> Iterator[Line]:
        """Those that come before a frame's own lines, and were not handed out yet."""
        while self._left and self._left[0][0] < frame:
            yield self._left.pop(0)[1]

    def rest(self) -> Iterator[Line]:
        """All others."""
        yield from (line for _, line in self._left)
        self._left.clear()


def technical_alerts(record: Line, config: AlertsConfig) -> tuple[ActiveAlert, ...]:
    """The alerts about the machine that stood in a recorded frame."""
    ids = [alert_id for alert_id in record["alerts"] if alert_id in TECHNICAL]
    return tuple(ActiveAlert(one, getattr(config, one).priority, "", None, None) for one in ids)


def _anchored(lines: Iterable[Line]) -> Iterator[tuple[int, Line]]:
    """Each with the frame whose lines it follows: its own, as far as the order of the file bears that out."""
    earliest, waiting = -1, list[tuple[int, Line]]()
    for line in lines:
        if line["event"] == "acknowledged" or line["id"] in TECHNICAL:
            earliest = max(earliest, -1 if line["frame"] is None else line["frame"])
            waiting.append((earliest, line))
            continue
        yield from ((min(frame, line["frame"] - 1), held) for frame, held in waiting)
        waiting.clear()
        earliest = line["frame"]
    yield from waiting
