"""The machine that figures were taken on, and how busy it was: without both they mean nothing."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from hipseg.runtime.threads import allowed_cpus, usable_cores

QUIET_LOAD = 0.5
"""Most runnable tasks a core, averaged over the last minute, at which latencies tell of hipseg and not of others."""
_CPUINFO = Path("/proc/cpuinfo")
_VECTORS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd")


def machine() -> dict[str, Any]:
    """Processor, cores, vector extensions and present load (mean runnable tasks over the last minute)."""
    text = _CPUINFO.read_text() if _CPUINFO.is_file() else ""
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    load = present_load()
    return {
        "processor": name[1] if name else platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "vectors": [each for each in _VECTORS if each in known],
        "load": load,
        "is_quiet": load <= QUIET_LOAD * len(allowed_cpus()),
    }


def present_load() -> float:
    """Runnable tasks, the mean of the last minute; NaN is never told: systems without it count as idle."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0
