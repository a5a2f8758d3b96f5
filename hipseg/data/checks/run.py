"""Checks a whole data set, over processes, with memory that does not grow with the images."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hipseg.data.checks.across import across_cases
from hipseg.data.checks.examine import CaseFacts, Examined, examine
from hipseg.data.checks.findings import RULES, Finding, Level
from hipseg.data.reading import CASES, JOURNAL, MANIFEST
from hipseg.data.records import Case, DatasetManifest
from hipseg.errors import SourceError
from hipseg.simulation.job import in_parallel

LINES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found.

    Attributes:
        root: the data set's folder.
        manifest: None when it is not valid.
        num_lines: of cases.jsonl.
        facts: of every case whose image could be read, in order.
        findings: the worst first, then in the order of `RULES`.
    """

    root: Path
    manifest: DatasetManifest | None
    num_lines: int
    facts: list[CaseFacts]
    findings: list[Finding]

    @property
    def num_errors(self) -> int:
        """Findings that make the data set unfit."""
        return self.counts[Level.ERROR]

    @property
    def counts(self) -> Counter[Level]:
        """How many findings of each level."""
        return Counter(finding.level for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            "dataset": str(self.root),
            "cases": self.num_lines,
            **{f"{level.value}s": self.counts[level] for level in Level},
            "findings": [finding.to_dict() for finding in self.findings],
        }


def check_dataset(
    root: str | Path, *, num_workers: int = 1, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> CheckReport:
    """Examines every case of a data set and the cases together; faulty cases do not keep others from being checked.

    Args:
        root: the data set's folder.
        num_workers: processes; their number does not change the result.
        progress: called with the cases done and their total.

    Raises:
        SourceError: there is no data set at this place, or it was never finished.
    """
    root = Path(root)
    num_lines = len(_lines(root))
    manifest, findings = _manifest(root)
    cases: list[Case] = []
    facts: list[CaseFacts] = []
    task = functools.partial(_examine_block, root, manifest)
    blocks = range(0, num_lines, LINES_AT_ONCE)
    for block in in_parallel(task, blocks, num_workers):
        for examined in block:
            findings += examined.findings
            cases += [examined.case] if examined.case is not None else []
            facts += [examined.facts] if examined.facts is not None else []
        progress(min(len(cases), num_lines), num_lines)
    findings += across_cases(root, cases, facts)
    findings += _strangers(root, cases)
    order = {name: position for position, name in enumerate(RULES)}
    levels = list(Level)
    findings.sort(key=lambda finding: (levels.index(finding.level), order[finding.rule]))
    return CheckReport(root, manifest, num_lines, facts, findings)


def _examine_block(root: Path, manifest: DatasetManifest | None, first: int) -> list[Examined]:
    lines = _lines(root)[first : first + LINES_AT_ONCE]
    return [
        examine(root, manifest, line, f"{CASES} line {number}") for number, line in enumerate(lines, start=first + 1)
    ]


def _lines(root: Path) -> tuple[bytes, ...]:
    path = root / CASES
    try:
        stamp = path.stat()
    except OSError as error:
        if (root / JOURNAL).is_file():
            mend = "run its import or simulation again"
            raise SourceError("this data set was never finished", where=root, mend=mend) from error
        raise SourceError(f"cannot be read ({error.strerror})", where=path, expected="a data set's records") from error
    return _lines_of(path, stamp.st_mtime_ns, stamp.st_size)


@functools.lru_cache(maxsize=1)  # a worker reads the records once, not for every block
def _lines_of(path: Path, _changed_ns: int, _size: int) -> tuple[bytes, ...]:
    try:
        return tuple(line for line in path.read_bytes().splitlines() if line.strip())
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", where=path) from error


def _manifest(root: Path) -> tuple[DatasetManifest | None, list[Finding]]:
    try:
        return DatasetManifest.from_dict(json.loads((root / MANIFEST).read_bytes()), where=MANIFEST), []
    except OSError as error:
        return None, [Finding("manifest", MANIFEST, f"cannot be read ({error.strerror})")]
    except ValueError as error:  # not JSON, or (a SourceError) not a manifest
        what = error.what if isinstance(error, SourceError) else f"not JSON ({error})"
        return None, [Finding("manifest", MANIFEST, what)]


def _strangers(root: Path, cases: list[Case]) -> Iterator[Finding]:
    """Files in the data set's folders that no case names."""
    named = {name for case in cases for name in (case.image, case.mask) if name is not None}
    for folder in sorted({(root / name).parent for name in named}):
        if not folder.is_dir():
            continue
        for file in sorted(folder.iterdir()):
            name = file.relative_to(root).as_posix()
            if not file.is_file() or name in named or file.parent == root:
                continue
            rule = "leftover" if is_leftover(file) else "unlisted"
            yield Finding(rule, name, f"{file.stat().st_size} bytes")


def is_leftover(file: Path) -> bool:
    """Whether a file is what an interrupted write leaves behind (see `io.writing.write_atomically`)."""
    return file.name.startswith(".") and file.name.endswith(".part")
