"""How many threads a network gains from on this machine.

Convolutions saturate a physical core with one thread, and threads beyond a container's quota are only throttled: more
threads than either are slower, not faster.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from hipseg.errors import UsageError

MOST_THREADS = 256

_CPUS = Path("/sys/devices/system/cpu")
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def checked_num_threads(wanted: int | None) -> int:
    """The number of threads to use: the one asked for, or `usable_cores()` for None.

    Raises:
        UsageError: not a whole number of 1 to 256.
    """
    if wanted is None:
        return usable_cores()
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= MOST_THREADS:
        raise UsageError(f"{wanted!r} threads", expected=f"a whole number, 1 to {MOST_THREADS}")
    return wanted


def usable_cores() -> int:
    """Physical cores this process may run on, no more than its cgroup's CPU quota (rounded up); at least 1."""
    cores = physical_cores(allowed_cpus())
    quota = cgroup_quota()
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def allowed_cpus() -> set[int]:
    """Logical processors in this process's affinity mask."""
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def physical_cores(cpus: set[int], root: Path = _CPUS) -> int:
    """How many physical cores stand behind logical processors.

    Args:
        cpus: logical processors.
        root: where the kernel tells which of them share a core. Where it doesn't, each counts as a core.
    """
    siblings = {_text(root / f"cpu{cpu}" / "topology" / "thread_siblings_list") or str(cpu) for cpu in cpus}
    return len(siblings)


def cgroup_quota(root: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> float | None:
    """CPUs' worth of time this process may use by its control group (version 1 or 2) and those above it.

    Args:
        root: where control groups are mounted.
        own: tells which of them this process is in.

    Returns:
        Processors, may be fractional; None without a limit.
    """
    quotas = [quota for folder in own_cgroups(root, own, "cpu") if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def own_cgroups(root: Path, own: Path, controller: str) -> Iterator[Path]:
    """The folders of the process's control group and of all above it; inside a container only the root is seen.

    Args:
        root: where control groups are mounted.
        own: tells which of them this process is in.
        controller: what shall be controlled, "cpu" or "memory".
    """
    for line in (_text(own) or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / controllers if controllers else root
        inner = top / path.lstrip("/")
        yield from (inner, *(parent for parent in inner.parents if parent.is_relative_to(top)))


def _quota_of(folder: Path) -> float | None:
    if (limit := _text(folder / "cpu.max")) is not None:
        quota, _, period = limit.partition(" ")
    else:
        quota, period = (_text(folder / f"cpu.cfs_{part}_us") or "" for part in ("quota", "period"))
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) > 0 else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
