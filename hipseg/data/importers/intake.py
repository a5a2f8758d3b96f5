"""Cases into a data set: the broken ones are refused by name, all the others come in."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hipseg import __version__
from hipseg.data.importers.case import Annotated, ImportedCase
from hipseg.data.importers.clip_files import content_without_persons
from hipseg.data.importers.refusals import Refusal, Refusals
from hipseg.data.records import Case, DatasetManifest
from hipseg.data.writing import CaseFields, DatasetWriter, StoredClip
from hipseg.errors import SourceError
from hipseg.io.writing import write_atomically

REPORT = "import.json"
_NUM_READERS, _NUM_AHEAD = 2, 8

Progress = Callable[[int, int], None]
Loading = Future[Annotated | None]


@dataclass(frozen=True, slots=True)
class Intake:
    """What an import brought.

    Attributes:
        num_cases: in the data set now.
        num_left_out: cases that the mapping leaves out on purpose.
        refused: what could not come in, and why.
        overlapping: ids of cases of this run in which two structures claim the same pixels; the later drawn has them.
    """

    num_cases: int
    num_left_out: int
    refused: tuple[Refusal, ...]
    overlapping: tuple[str, ...]


def take_in(
    cases: Sequence[ImportedCase],
    manifest: DatasetManifest,
    out: Path,
    *,
    refusals: Refusals,
    overwrite: bool = False,
    origin: Mapping[str, Any] | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Intake:
    """Writes cases one by one as a data set; goes on where an interrupted run of the same import stopped.

    Args:
        cases: with their splits decided.
        manifest: what holds for all of them.
        out: folder of the data set.
        refusals: what was refused before; what is refused now is added.
        overwrite: replace what is at `out`.
        origin: how it came here (format, mapping), kept in import.json beside the refusals.
        progress: called with the cases done and their total.

    Raises:
        SourceError: not a single case can come in; nothing is left at `out` then.
        OutputError: `out` holds a data set already or cannot be written.
    """
    writer = DatasetWriter(out, manifest, overwrite=overwrite)
    num_left_out, overlapping = 0, list[str]()
    with writer, closing(_loaded_ahead(cases, writer)) as loading:
        for done, (case, loaded) in enumerate(zip(cases, loading, strict=True), start=1):
            with refusals.noting(case.id):
                annotated = loaded.result()
                if annotated is not None:
                    _add(writer, case, annotated)
                    overlapping += [case.id] if annotated.num_overlapping else []
                num_left_out += annotated is None and case.id not in writer
            progress(done, len(cases))
        num_cases = sum(case.id in writer for case in cases)
        if num_cases == 0:
            writer.discard()
            raise _nothing(cases, refusals, out)
        intake = Intake(num_cases, num_left_out, tuple(refusals), tuple(overlapping))
        _write_report(out, intake, origin or {})
    return intake


def _loaded_ahead(cases: Sequence[ImportedCase], writer: DatasetWriter) -> Generator[Loading, None, None]:
    """Cases being read, in order, a few ahead of the one that is written: decoders leave Python's lock alone."""
    with ThreadPoolExecutor(max_workers=_NUM_READERS) as reader:
        ahead: deque[Loading] = deque()
        try:
            for case in cases:
                ahead.append(reader.submit(_no_load if case.id in writer else case.load))
                if len(ahead) > _NUM_AHEAD:
                    yield ahead.popleft()
            while ahead:
                yield ahead.popleft()
        finally:
            reader.shutdown(wait=True, cancel_futures=True)


def _no_load() -> None:
    """For a case that is in already."""


def _add(writer: DatasetWriter, case: ImportedCase, annotated: Annotated) -> Case:
    fields = CaseFields(
        device=annotated.device,
        view=annotated.view,
        spacing_mm=annotated.spacing_mm,
        annotated=annotated.annotated,
        merged=annotated.merged,
        unsure=annotated.unsure,
        landmarks=annotated.landmarks,
        hip_view=annotated.hip_view,
        time_s=annotated.time_s,
    )
    if annotated.clip is not None:
        fields["clip"] = annotated.clip
    if annotated.of_clip is None:
        return writer.add(
            id=case.id,
            patient=case.patient,
            split=case.split,
            image_HW=annotated.image_HW,
            labels_HW=annotated.labels_HW,
            original=annotated.original,
            **fields,
        )
    height, width = annotated.image_HW.shape
    return writer.add_frame(
        id=case.id,
        patient=case.patient,
        split=case.split,
        of=_stored(writer, case, annotated),
        frame=annotated.of_clip.frame,
        shape_HW=(height, width),
        labels_HW=annotated.labels_HW,
        **fields,
    )


def _stored(writer: DatasetWriter, case: ImportedCase, annotated: Annotated) -> StoredClip:
    """The clip in the data set, copied when its first frame comes."""
    assert annotated.of_clip is not None, "a frame of a clip"
    clip = annotated.of_clip
    stored = writer.stored_clip(clip.clip)
    if stored is None:
        stored = writer.add_clip(clip.clip, clip.path, content_without_persons(clip.path, case.patient))
    return stored


def _nothing(cases: Iterable[ImportedCase], refusals: Refusals, out: Path) -> SourceError:
    first = next(iter(refusals), None)
    what = "holds no case" if first is None else f"none of {len(list(cases))} cases can come in: {first.reason}"
    return SourceError(what, where="source", mend=f"nothing was written to {out}")


def _write_report(out: Path, intake: Intake, origin: Mapping[str, Any]) -> None:
    # An interrupted run has not seen all overlaps: the report does not depend on where it stopped.
    told = {key: value for key, value in asdict(intake).items() if key != "overlapping"}
    content = {"hipseg": __version__, **origin, **told}
    write_atomically(out / REPORT, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
