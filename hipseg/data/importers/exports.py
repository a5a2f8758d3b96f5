"""An export of an annotation tool as a data set: recognised, mapped, split, taken in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hipseg.anatomy import Code
from hipseg.data.importers.archives import unpacked
from hipseg.data.importers.case import ImportedCase
from hipseg.data.importers.drawing import SourceExport
from hipseg.data.importers.formats import AUTO, format_named
from hipseg.data.importers.intake import Intake, Progress, take_in
from hipseg.data.importers.mapped import SplitPlan, planned_cases
from hipseg.data.importers.mapping import LabelMapping, Target, load_mapping
from hipseg.data.importers.persons import load_salt
from hipseg.data.importers.proposing import Proposal, mapping_from, mapping_text, propose
from hipseg.data.importers.refusals import Refusal, Refusals
from hipseg.data.records import DatasetManifest
from hipseg.errors import SourceError, UsageError

DEFAULT_SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What a user says of an export.

    Attributes:
        format_name: of `formats.FORMATS`, or "auto".
        mapping_path: the mapping file; None takes the proposal where it is sure of every label.
        patient_pattern: regular expression whose first group is the person in a case's name.
        shares, seed: of the split.
        name, licence, attribution: for the manifest; the name is the source's where None.
        overwrite: replace what is there.
    """

    format_name: str = AUTO
    mapping_path: Path | None = None
    patient_pattern: str | None = None
    shares: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_SHARES))
    seed: int = 0
    name: str | None = None
    licence: str = ""
    attribution: str = ""
    overwrite: bool = False


def import_export(
    source: Path, out: Path, options: ExportOptions, *, progress: Progress = lambda _done, _total: None
) -> Intake:
    """Makes a data set from an export; goes on where an interrupted run stopped.

    Args:
        source: folder, file or zip file, left untouched.
        out: folder of the data set.
        options: what the user says.
        progress: called with the cases done and their total.

    Raises:
        SourceError: of no known format, or no case can come in.
        UsageError: the mapping is not valid, or is missing where labels are not sure.
        OutputError: `out` cannot be written or holds something else.
    """
    mapping = None if options.mapping_path is None else load_mapping(options.mapping_path)
    with unpacked(source, out.parent) as (folder, refusals):
        format_ = format_named(options.format_name, folder)
        export = format_.read(folder, refusals)
        _refuse_nothing(export, source, refusals)
        mapping = mapping or _sure_mapping(export)
        return take_in(
            _planned(export, mapping, options),
            _manifest(source, format_.name, mapping, options),
            out,
            refusals=refusals,
            overwrite=options.overwrite,
            origin={"format": format_.name, "mapping": mapping.to_dict()},
            progress=progress,
        )


def _planned(export: SourceExport, mapping: LabelMapping, options: ExportOptions) -> list[ImportedCase]:
    return planned_cases(export, mapping, SplitPlan(options.shares, options.seed, options.patient_pattern, load_salt()))


def _refuse_nothing(export: SourceExport, source: Path, refusals: Refusals) -> None:
    if export.cases:
        return
    first = next(iter(refusals), None)
    what = "holds no annotated image" if first is None else f"nothing of it can come in: {first.reason}"
    raise SourceError(what, where=source)


def _sure_mapping(export: SourceExport) -> LabelMapping:
    """The proposal, where no person has to decide. Raises UsageError where one has to."""
    labels = export.labels
    if labels is None:
        # What is refused here is refused again, and noted, when the cases come in.
        counts, _ = count_labels(export, Refusals(Path()))
        labels = {label: count.code for label, count in counts.items()}
    proposals = propose(labels)
    unsure = [f"'{label}'" for label, proposal in proposals.items() if not proposal.is_sure]
    if unsure:
        shown = ", ".join(unsure[:8]) + (f" and {len(unsure) - 8} more" if len(unsure) > 8 else "")
        mend = "let --dry-run --mapping-out FILE propose one, decide, and give it with --mapping FILE"
        raise UsageError(f"what {shown} is nobody has said", where="--mapping", expected="a mapping file", mend=mend)
    return mapping_from(proposals)


def _manifest(source: Path, format_name: str, mapping: LabelMapping, options: ExportOptions) -> DatasetManifest:
    name = options.name or source.resolve().name.split(".")[0] or "imported"
    return DatasetManifest(
        name=name,
        classes=mapping.classes_of(mapping.labels),
        merged=mapping.merged,
        licence=options.licence,
        attribution=options.attribution,
        source=f"imported as {format_name}",
    )


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How often a label stands in an export: images with it, shapes of it, and its code where one is declared."""

    num_cases: int
    num_shapes: int
    code: Code | None


@dataclass(frozen=True, slots=True)
class LabelRow:
    """What would become of a label, for a table."""

    label: str
    num_cases: int
    num_shapes: int
    becomes: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an import would bring.

    Attributes:
        format_name: as recognised.
        summary: images, persons, images by split.
        rows: one a label.
        mapping_text: a mapping file: the given one, else the proposal.
        refused: what would not come in.
    """

    format_name: str
    summary: str
    rows: tuple[LabelRow, ...]
    mapping_text: str
    refused: tuple[Refusal, ...]


def inspect_export(source: Path, options: ExportOptions) -> Inspection:
    """Reads a whole export and writes nothing. Raises as `import_export`."""
    mapping = None if options.mapping_path is None else load_mapping(options.mapping_path)
    with unpacked(source, source.resolve().parent) as (folder, refusals):
        format_ = format_named(options.format_name, folder)
        export = format_.read(folder, refusals)
        _refuse_nothing(export, source, refusals)
        counts, num_empty = count_labels(export, refusals)
        proposals = propose({label: count.code for label, count in counts.items()})
        if mapping is not None:
            proposals = _as_given(mapping, counts)
        rows = tuple(_row(label, counts[label], proposal) for label, proposal in proposals.items())
        summary = _summary(_planned(export, mapping or mapping_from(proposals), options), num_empty)
        return Inspection(format_.name, summary, rows, mapping_text(proposals), tuple(refusals))


def _as_given(mapping: LabelMapping, counts: Mapping[str, LabelCount]) -> dict[str, Proposal]:
    missing = Proposal(Target(("unknown",)), "not in the mapping: such images are refused", False)
    found = {label: mapping.target(label) for label in counts}
    return {
        label: missing if target is None else Proposal(target, "as the mapping says", True)
        for label, target in found.items()
    }


def _row(label: str, count: LabelCount, proposal: Proposal) -> LabelRow:
    becomes = " or ".join(proposal.target.names)
    return LabelRow(label, count.num_cases, count.num_shapes, becomes, proposal.reason)


def _summary(cases: list[ImportedCase], num_empty: int) -> str:
    by_split = Counter(case.split for case in cases)
    persons = len({case.patient for case in cases})
    splits = ", ".join(f"{by_split[split]} {split}" for split in DEFAULT_SHARES)
    empty = f"; {num_empty} without any shape" if num_empty else ""
    return f"{len(cases)} images of {persons} persons or groups ({splits}){empty}"


def count_labels(export: SourceExport, refusals: Refusals) -> tuple[dict[str, LabelCount], int]:
    """Reads every case once: the labels in use or declared, and how many images carry no shape."""
    declared: Mapping[str, Code | None] = export.labels or {}
    num_cases, num_shapes = Counter[str](), Counter[str]()
    num_empty = 0
    for case in export.cases:
        with refusals.noting(case.name):
            labels = [drawing.label for drawing in case.load().drawings]
            num_empty += not labels
            num_shapes.update(labels)
            num_cases.update(set(labels))
    names = [*declared, *(label for label in num_shapes if label not in declared)]
    return {name: LabelCount(num_cases[name], num_shapes[name], declared.get(name)) for name in names}, num_empty
