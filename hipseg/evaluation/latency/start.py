"""A cold start: a new process until its first segmentation, and the memory it then holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hipseg.errors import ModelError

_PROGRAM = """
import json, resource, sys, time
begin_s = time.perf_counter()
from hipseg.runtime.session import Session
import_ms = 1e3 * (time.perf_counter() - begin_s)
session = Session(sys.argv[1], num_threads=int(sys.argv[2]))
first_ms = session.warm_up(int(sys.argv[3]), int(sys.argv[4]))
print(json.dumps({
    "import_ms": round(import_ms, 1),
    "load_ms": round(session.load_ms, 1),
    "first_run_ms": round(first_ms, 1),
    "until_ready_ms": round(1e3 * (time.perf_counter() - begin_s), 1),
    "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
}))
"""
_PATIENCE_S = 120


def cold_start(model: Path, height: int, width: int, num_threads: int) -> dict[str, Any]:
    """Milliseconds until imports, model and first image are done, and the highest memory, in a process of its own.

    Raises:
        ModelError: the process failed.
    """
    command = [sys.executable, "-c", _PROGRAM, str(model.resolve()), *map(str, (num_threads, height, width))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    if done.returncode != 0:
        raise ModelError(f"a new process cannot run it ({done.stderr.strip().splitlines()[-1:]})", where=model)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
