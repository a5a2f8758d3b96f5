"""How much memory is left, of the machine or of the container, whichever is shorter."""

from __future__ import annotations

import re
from pathlib import Path

from hipseg.runtime.threads import own_cgroups

_MEMINFO = Path("/proc/meminfo")
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_PERCENT = 100.0


def free_memory_percent(
    meminfo: Path = _MEMINFO, cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP
) -> float | None:
    """Share of the memory that can still be used without swapping, 0 to 100; None where the system does not tell.

    Args:
        meminfo: what the kernel tells of the machine.
        cgroups, own_cgroup: where control groups are mounted, and which one this process is in.
    """
    shares = [_of_machine(meminfo), *(_of_cgroup(folder) for folder in own_cgroups(cgroups, own_cgroup, "memory"))]
    return min((share for share in shares if share is not None), default=None)


def _of_machine(meminfo: Path) -> float | None:
    found = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+)", _text(meminfo), re.MULTILINE))
    return _percent(found.get("MemAvailable", ""), found.get("MemTotal", ""))


def _of_cgroup(folder: Path) -> float | None:
    """Version 2's files; page cache that can be given back counts as free."""
    limit, used = _text(folder / "memory.max").strip(), _text(folder / "memory.current").strip()
    if not (limit.isdigit() and used.isdigit()):
        return None
    cached = re.search(r"^inactive_file (\d+)", _text(folder / "memory.stat"), re.MULTILINE)
    free = int(limit) - int(used) + (int(cached[1]) if cached else 0)
    return _percent(str(max(free, 0)), limit)


def _percent(part: str, whole: str) -> float | None:
    return _PERCENT * int(part) / int(whole) if part and whole and int(whole) > 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
