"""Data for benchmarks that were given none."""

from __future__ import annotations

from pathlib import Path

from hipseg.configuration import compose
from hipseg.data.simulated import write_dataset
from hipseg.io.writing import output_errors
from hipseg.simulation.job import SimulateConfig, job_of

FOLDER = "simulated"
_CASES, _CASES_QUICK = 300, 80


def data_for(named: Path | None, out: Path, *, quick: bool) -> Path:
    """The data that was named, else a simulated set in `out`, the same each time.

    Raises:
        OutputError: the folder cannot be written.
    """
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    if named is not None:
        return named
    folder = out / FOLDER
    if not (folder / "cases.jsonl").is_file():
        cases = _CASES_QUICK if quick else _CASES
        overrides = [f"out={folder}", f"num_cases={cases}", "seed=11"]
        write_dataset(job_of(compose("simulate", overrides, schema=SimulateConfig)))
    return folder
