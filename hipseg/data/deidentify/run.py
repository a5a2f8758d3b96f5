"""Cleans a file or a folder of recordings, one after the other, and logs what was taken out without repeating it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hipseg import DISCLAIMER, __version__
from hipseg.data.deidentify.dicom_files import clean_dicom
from hipseg.data.deidentify.kept import Kept
from hipseg.data.deidentify.picture_files import clean_image, clean_video, suffix_of
from hipseg.data.reading import file_sha256
from hipseg.errors import OutputError, SourceError
from hipseg.frame import ScanRegion
from hipseg.io.file_kind import FileKind, format_of, is_candidate
from hipseg.io.records import write_json
from hipseg.io.writing import output_errors, write_atomically

LOG = "deidentification.json"


@dataclass(frozen=True, slots=True)
class Options:
    """How to clean.

    Attributes:
        region: where the scan is on every screen; None finds it.
        reviewed: a person has looked at every picture: doubtful marks are kept.
    """

    region: ScanRegion | None = None
    reviewed: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of the recordings.

    Attributes:
        records: the log's, one a recording.
        refused: recording to reason; nothing was written for these.
        num_left_out: files that are no recordings.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    refused: dict[Path, SourceError] = field(default_factory=dict)
    num_left_out: int = 0


def deidentify(
    source: Path,
    out: Path,
    options: Options,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Outcome:
    """Writes a clean copy of every recording under names of its own, and the log beside them.

    Args:
        source: a recording, or a folder searched with all its folders.
        out: a new or empty folder.
        options: how to clean.
        progress: called with the recordings done and their total.

    Returns:
        What became of them; refused recordings do not keep others from being cleaned.

    Raises:
        SourceError: there is nothing to clean.
        OutputError: `out` holds something, or cannot be written.
    """
    files = sorted(file for file in source.rglob("*") if file.is_file()) if source.is_dir() else [source]
    recordings = [file for file in files if source == file or is_candidate(file)]
    if not recordings:
        raise SourceError("holds no recordings", where=source, expected="DICOM, video or picture files")
    _claim(out)
    outcome = Outcome(num_left_out=len(files) - len(recordings))
    pseudonyms: dict[str, str] = {}
    for number, recording in enumerate(recordings, start=1):
        try:
            outcome.records.append(_clean(recording, out, number, options, pseudonyms))
        except SourceError as error:
            outcome.refused[recording] = error
            outcome.records.append({"recording": number, "status": "refused", "reason": error.what})
        progress(number, len(recordings))
    write_json(out / LOG, _log(outcome))
    return outcome


def _claim(out: Path) -> None:
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        is_empty = not any(out.iterdir())
    if not is_empty:
        raise OutputError("is not empty", where=out, mend="choose a new folder, so that nothing old is taken for clean")


def _clean(recording: Path, out: Path, number: int, options: Options, pseudonyms: dict[str, str]) -> dict[str, Any]:
    format_ = format_of(recording)
    removed: Counter[str] = Counter()
    given, reviewed = options.region, options.reviewed
    if format_.kind is FileKind.DICOM:

        def pseudonym_of(patient: str) -> str:
            return pseudonyms.setdefault(patient, f"patient-{secrets.token_hex(4)}")

        content, kept, removed = clean_dicom(recording, pseudonym_of, given=given, reviewed=reviewed)
    elif format_.kind is FileKind.VIDEO:
        content, kept = clean_video(recording, given=given, reviewed=reviewed)
    else:
        content, kept = clean_image(recording, given=given, reviewed=reviewed)
    name = f"recording_{number:04d}{suffix_of(format_)}"
    write_atomically(out / name, content)
    return _record(number, name, recording, kept, removed)


def _record(number: int, name: str, recording: Path, kept: Kept, removed: Counter[str]) -> dict[str, Any]:
    region = kept.region
    return {
        "recording": number,
        "status": "cleaned",
        "file": name,
        "source_sha256": file_sha256(recording),
        "region": {"x": region.x, "y": region.y, "width": region.width, "height": region.height},
        "region_from": region.origin,
        "lettering_blanked": len(kept.blanked),
        "elements_removed": dict(sorted(removed.items())),
    }


def _log(outcome: Outcome) -> dict[str, Any]:
    return {
        "hipseg": __version__,
        "profile": "DICOM PS3.15 Basic Application Level Confidentiality Profile (2024b), Clean Pixel Data Option",
        "disclaimer": DISCLAIMER,
        "files_left_out": outcome.num_left_out,
        "recordings": outcome.records,
    }
