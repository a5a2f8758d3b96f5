"""A process of hipseg, watched from outside: its memory, handles and threads."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ENTRY = "from hipseg.cli.main import run; run()"
_PROC = Path("/proc")
_KIBI_A_MEBI = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at a moment.

    Attributes:
        memory_mb: resident.
        handles: open file descriptors.
        threads: that it has.
    """

    memory_mb: float
    handles: int
    threads: int


def start_hipseg(arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Starts the command line in a process of its own, out of reach of the terminal; what it says goes to a file."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-c", _ENTRY, *arguments], stdout=file, stderr=file, start_new_session=True
        )


def sample_of(process_id: int) -> Sample | None:
    """A look at a process; None when it is gone, or where the system shows none."""
    try:
        status = (_PROC / str(process_id) / "status").read_text()
        handles = len(list((_PROC / str(process_id) / "fd").iterdir()))
    except OSError:
        return None
    found = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.MULTILINE))
    if "VmRSS" not in found:
        return None
    return Sample(int(found["VmRSS"]) / _KIBI_A_MEBI, handles, int(found["Threads"]))
