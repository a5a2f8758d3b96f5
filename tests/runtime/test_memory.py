"""Free memory of the machine and of the container."""

from __future__ import annotations

from pathlib import Path

import pytest

from hipseg.runtime.memory import free_memory_percent


def machine(folder: Path, available: int, total: int) -> Path:
    path = folder / "meminfo"
    path.write_text(f"MemTotal:       {total} kB\nMemFree:   1 kB\nMemAvailable:   {available} kB\n")
    return path


def container(folder: Path, used: str, limit: str, cached: int = 0) -> tuple[Path, Path]:
    (folder / "memory.current").write_text(used)
    (folder / "memory.max").write_text(limit)
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")
    (folder / "own").write_text("0::/\n")
    return folder, folder / "own"


def test_this_machine_tells() -> None:
    free = free_memory_percent()
    assert free is None or 0 < free < 100


def test_the_shorter_of_machine_and_container_counts(tmp_path: Path) -> None:
    meminfo = machine(tmp_path, 500, 1000)
    assert free_memory_percent(meminfo, *container(tmp_path, "90", "100")) == pytest.approx(10)
    assert free_memory_percent(meminfo, *container(tmp_path, "10", "100")) == pytest.approx(50)


def test_cached_files_are_free_memory(tmp_path: Path) -> None:
    meminfo = machine(tmp_path, 900, 1000)
    assert free_memory_percent(meminfo, *container(tmp_path, "95", "100", cached=35)) == pytest.approx(40)


def test_a_container_without_limit_and_a_system_that_tells_nothing(tmp_path: Path) -> None:
    assert free_memory_percent(machine(tmp_path, 250, 1000), *container(tmp_path, "5", "max")) == pytest.approx(25)
    nowhere = tmp_path / "nowhere"
    assert free_memory_percent(nowhere, nowhere, nowhere) is None
