"""The page of a session: report.html, self-contained, without anything of the patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hipseg.anatomy import STRUCTURES, SafetyRole
from hipseg.display.report.key_frames import KeyFrame
from hipseg.display.report.story import MEASUREMENTS, SessionStory
from hipseg.display.report.timeline import draw_timeline
from hipseg.pages import Page

_QUALITY = 80
_UNITS = {"mm2": "mm²", "mm": "mm"}
_ALWAYS_KNOWN = 0.05
"""A thing missing in fewer of the frames than this is not worth a line."""


def write_report(path: Path, story: SessionStory, record: Mapping[str, Any]) -> None:
    """Writes the page.

    Args:
        path: of the page.
        story: of the session.
        record: content of its session.json.

    Raises:
        OutputError: it can't be written.
    """
    page = Page("Session report", subtitle=str(record.get("source") or ""))
    _summary(page, story, record)
    if story.frame_count:
        section = page.section("Over time", "Distances of the needle's tip, states and alerts. Gaps are not known.")
        section.svg(draw_timeline(story))
        _alerts(page, story)
        _key_frames(page, story)
        _measurements(page, story)
    _not_assessed(page, story)
    if "live" in record:
        _live(page, record["live"], record.get("dropped_frames"))
    _software(page, record)
    page.write(path)


def _summary(page: Page, story: SessionStory, record: Mapping[str, Any]) -> None:
    length_s = story.time_s[-1] - story.time_s[0] if story.time_s else 0.0
    spacing = record.get("spacing_mm")
    scale = (
        f"{spacing[0]:.4g} x {spacing[1]:.4g} mm a pixel ({record.get('spacing_origin')})" if spacing else "not known"
    )
    rows = [
        ("Frames", f"{story.frame_count} in {length_s:.1f} s"),
        ("State", str(record.get("state"))),
        ("Scale", scale),
        ("View recognised", _percent(story.share(story.view, "recognised"))),
        ("Needle tracked", _percent(story.share(story.needle, "tracked"))),
        ("Nearest to a vessel", _length(np.append(story.track("tip_to_vessel"), np.nan), np.fmin.reduce)),
        ("Nearest to the target", _length(np.append(story.track("tip_to_target"), np.nan), np.fmin.reduce)),
        ("Needle placed", _reached(story, "PLACED")),
        ("Injectate", _injectate(story)),
    ]
    page.section("Summary", "").table(("", ""), rows)


def _alerts(page: Page, story: SessionStory) -> None:
    section = page.section("Alerts", "")
    if not story.log.entries:
        section.text("No alert was raised.")
        return
    rows = [
        (
            entry.alert.message, entry.alert.priority.value, f"{entry.raised_s:.2f}",
            _seconds(entry.cleared_s), _seconds(entry.acknowledged_s),
            _number(entry.alert.value), _number(entry.alert.threshold),
        )
        for entry in story.log.entries
    ]  # fmt: skip
    section.table(
        ("Alert", "Priority", "Raised at s", "Cleared at s", "Noted at s", "Value when raised", "Threshold"), rows
    )


def _key_frames(page: Page, story: SessionStory) -> None:
    pictures = [
        (_encoded(key), f"{moment.value}: frame {key.frame}, {key.time_s:.2f} s")
        for moment, key in sorted(story.key_frames.items(), key=lambda item: item[1].frame)
        if key.picture_HW3 is not None
    ]
    section = page.section("Key frames", "" if pictures else "No overlays were drawn in this run.")
    if pictures:
        section.gallery(pictures)


def _encoded(key: KeyFrame) -> bytes:
    assert key.picture_HW3 is not None
    bgr_HW3 = cv2.cvtColor(key.picture_HW3, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr_HW3, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1])


def _measurements(page: Page, story: SessionStory) -> None:
    rows = [row for name in MEASUREMENTS if (row := _measurement(story, name)) is not None]
    section = page.section("Measurements", "Over all frames in which each could be measured.")
    if not rows:
        section.text("None of the joint's measures could be taken.")
        return
    section.table(("", "Median", "5 % to 95 %", "Standard deviation of one", "Frames"), rows)


def _measurement(story: SessionStory, name: str) -> tuple[str, str, str, str | None, int] | None:
    values, doubts = story.track(name), story.track(f"{name}_sigma")
    known, doubts = values[np.isfinite(values)], doubts[np.isfinite(doubts)]
    if not len(known):
        return None
    stem, _, unit = name.rpartition("_")
    title = (stem if unit in _UNITS else name).replace("_", " ")
    ending = f" {_UNITS[unit]}" if unit in _UNITS else ""
    low, middle, high = np.percentile(known, (5, 50, 95))
    doubt = f"{np.median(doubts):.2g}{ending}" if len(doubts) else None
    return title, f"{middle:.3g}{ending}", f"{low:.3g} to {high:.3g}{ending}", doubt, len(known)


def _not_assessed(page: Page, story: SessionStory) -> None:
    section = page.section("Not assessed", "What this session does not tell, and is no sign of safety.")
    lines = list(_gaps(story))
    section.table(("What", "Where"), lines or [("Nothing of note", "")])


def _gaps(story: SessionStory) -> Iterator[tuple[str, str]]:
    """Whatever was not known, and in how much of the session."""
    total = max(story.frame_count, 1)
    if not story.frame_count:
        yield "Everything", "no frame was processed"
        return
    shares = {
        "Scale, and with it every distance": 1 - story.with_scale / total,
        "Guidance, for the view was not recognised": story.share(story.view, "unrecognised"),
        "Guidance, taken off the display since the picture was not current": story.withdrawn / total,
        "Needle's tip, lost": story.share(story.needle, "lost"),
        "Target": float(np.isnan(story.track("tip_to_target")).mean()) if _had_needle(story) else 0.0,
        "Where injectate goes": story.share(story.spread, "unknown"),
    }
    yield from ((what, _of_frames(share)) for what, share in shares.items() if share > _ALWAYS_KNOWN)
    if not story.with_doppler:
        yield "Flow", "no colour Doppler in this session: small vessels may be missed"
    for name in (structure.name for structure in STRUCTURES if structure.role is SafetyRole.AVOID):
        if not story.structures.get(name):
            yield name.replace("_", " ").capitalize(), "not seen in any frame"
    for alert_id, count in story.unknown.items():
        if count / total > _ALWAYS_KNOWN:
            yield f"Alert: {alert_id.replace('_', ' ')}", _of_frames(count / total)


def _live(page: Page, live: Mapping[str, Any], dropped_frames: object) -> None:
    section = page.section(
        "The source", "Frames that came while another was worked on were left out: the newest goes first."
    )
    age = live["age_ms"]
    rows = [
        ("Frames that came in", live["frames_in"]),
        ("Left out", dropped_frames),
        ("Age of a frame when its overlay was ready, median, 95 %, longest", _milliseconds(age, "p50", "p95", "max")),
        ("Source lost, opened again", f"{live['losses']}, {live['reopened']}"),
        ("Frames given up", live["failed_frames"]),
        ("Not recorded since the disk was too slow: pictures, masks", live["pictures_not_recorded"]),
    ]
    section.table(("", ""), rows)
    if live["conditions"]:
        stood = [
            (name.replace("_", " "), one["count"], f"{one['seconds']:.1f}") for name, one in live["conditions"].items()
        ]
        section.table(("What was wrong", "Times", "Seconds in all"), stood)


def _milliseconds(figures: Mapping[str, float | None], *names: str) -> str | None:
    values = [figures[name] for name in names]
    return None if None in values else ", ".join(f"{value:.0f} ms" for value in values)


def _had_needle(story: SessionStory) -> bool:
    return any(state in ("tracked", "coasting", "lost") for state in story.needle)


def _software(page: Page, record: Mapping[str, Any]) -> None:
    model = record.get("model") or {}
    settings = record.get("settings") or {}
    rows = [
        ("hipseg", str(record.get("hipseg_version"))),
        ("Model", f"{model.get('name')} {model.get('version')}"),
        ("Model's SHA-256", str(model.get("sha256"))),
        ("Provider, threads", f"{record.get('provider')}, {record.get('threads')}"),
        ("Settings that differ", ", ".join(f"{key}={value}" for key, value in settings.items()) or "none"),
        ("Replayed", "yes: guidance was run again on what the session saw" if record.get("replayed") else "no"),
        *(("Warning", str(warning)) for warning in record.get("warnings") or ()),
    ]
    page.section("Software", "").table(("", ""), rows)


def _reached(story: SessionStory, moment: str) -> str:
    found = {key.name: frame for key, frame in story.key_frames.items()}.get(moment)
    return "not seen" if found is None else f"at {found.time_s:.2f} s"


def _injectate(story: SessionStory) -> str:
    """In words; astray is said even when some went into the joint before."""
    said = [words for state, words in _SPREAD_WORDS.items() if state in story.spread]
    return ", then ".join(said) or "not seen"


_SPREAD_WORDS = {"intra_articular": "seen to widen the recess", "extra_articular": "seen outside the joint"}


def _length(values: np.ndarray, reduce: Any) -> str | None:
    value = float(reduce(values))
    return None if np.isnan(value) else "inside" if value < 0 else f"{value:.1f} mm"


def _seconds(time_s: float | None) -> str | None:
    return None if time_s is None else f"{time_s:.2f}"


def _number(value: float | None) -> str | None:
    return None if value is None or not np.isfinite(value) else f"{value:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} % of frames"


def _of_frames(share: float) -> str:
    return "in no frame known" if share > 1 - 1e-9 else f"not known in {_percent(share)}"
