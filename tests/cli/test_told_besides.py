"""Lines of the watchdog and of who took note keep their place when guidance is run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hipseg.cli.told_besides import ToldBesides, technical_alerts
from hipseg.errors import SourceError
from hipseg.guidance.config import GuidanceConfig, Priority
from hipseg.io import JsonLinesSink, read_json_lines

GUIDANCE, WATCHDOG = "tip_lost", "stale_frame"


def line(alert_id: str, frame: int | None, event: str = "raised") -> dict[str, Any]:
    return {"id": alert_id, "frame": frame, "event": event}


def merged(lines: list[dict[str, Any]], num_frames: int) -> list[dict[str, Any]]:
    """As a replay writes them: frame by frame, guidance's own lines from what it finds again."""
    besides, out = ToldBesides(lines), []
    for frame in range(num_frames):
        own = [one for one in lines if one["id"] == GUIDANCE and one["event"] != "acknowledged"]
        out += [*besides.before(frame), *(one for one in own if one["frame"] == frame)]
    return [*out, *besides.rest()]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([GUIDANCE, WATCHDOG, "noted"]), st.integers(-2, 2)), max_size=12
    )
)
def test_a_file_comes_out_in_the_order_it_had(steps: list[tuple[int, str, int]]) -> None:
    frame, lines = 0, []
    for step, kind, early in steps:
        # Guidance writes all lines of a frame at once: none of another comes between.
        is_next_frame = kind == GUIDANCE and lines and lines[-1]["id"] + lines[-1]["event"] != GUIDANCE + "raised"
        frame += max(step, 1) if is_next_frame else step
        if kind == GUIDANCE:
            lines.append(line(GUIDANCE, frame))
        else:
            # The watchdog's thread may tell of a frame before the lines of that frame are written, or of an older one.
            alert_id, event = (WATCHDOG, "raised") if kind == WATCHDOG else (GUIDANCE, "acknowledged")
            lines.append(line(alert_id, frame + early if frame + early >= 0 else None, event))
    assert merged(lines, frame + 1) == lines


def test_technical_alerts_of_a_frame_take_their_priority_from_the_table() -> None:
    config = GuidanceConfig().alerts
    found = technical_alerts({"alerts": ["vessel_contact", "stale_frame", "low_frame_rate"]}, config)
    assert [(alert.id, alert.priority) for alert in found] == [
        ("stale_frame", Priority.medium),
        ("low_frame_rate", Priority.low),
    ]


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    with JsonLinesSink(path) as sink:
        for number in range(3):
            sink.write({"number": number})
    assert [one["number"] for one in read_json_lines(path)] == [0, 1, 2]


@pytest.mark.parametrize("content", [b"{", b"[1]\n", b'{"a": 1}\n\xff\n'])
def test_a_broken_line_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="line"):
        list(read_json_lines(path))
    with pytest.raises(SourceError, match="can't be read"):
        list(read_json_lines(tmp_path / "none.jsonl"))
