"""Threads that fit the machine, read from files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hipseg.errors import UsageError
from hipseg.runtime.threads import allowed_cpus, cgroup_quota, checked_num_threads, physical_cores, usable_cores


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_two_threads_of_one_core_count_once(tmp_path: Path) -> None:
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        write(tmp_path / f"cpu{cpu}" / "topology" / "thread_siblings_list", f"{siblings}\n")
    assert physical_cores({0, 1, 2, 3}, tmp_path) == 2
    assert physical_cores({0, 2}, tmp_path) == 1


def test_processors_count_as_cores_where_the_kernel_does_not_tell(tmp_path: Path) -> None:
    assert physical_cores({0, 1, 5}, tmp_path) == 3


@pytest.mark.parametrize(
    ("files", "own", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"cpu.max": "max 100000\n"}, "0::/\n", None),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000"}, "0::/a/b\n", 2.0),
        ({"a/cpu.max": "100000 100000"}, "0::/elsewhere\n", None),
        (
            {"cpu,cpuacct/x/cpu.cfs_quota_us": "50000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"},
            "4:cpu,cpuacct:/x\n",
            0.5,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/\n", None),
        ({}, "", None),
    ],
)
def test_the_quota_of_a_container_is_found(
    tmp_path: Path, files: dict[str, str], own: str, quota: float | None
) -> None:
    root = tmp_path / "cgroup"
    for name, text in files.items():
        write(root / name, text)
    write(tmp_path / "own", own)
    assert cgroup_quota(root, tmp_path / "own") == quota


def test_this_machine_has_cores() -> None:
    assert 1 <= usable_cores() <= len(allowed_cpus())


def test_a_number_that_was_asked_for_is_taken() -> None:
    assert checked_num_threads(3) == 3
    with pytest.raises(UsageError, match="0 threads; expected a whole number, 1 to 256"):
        checked_num_threads(0)
