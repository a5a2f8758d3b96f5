"""`hipseg benchmark`: one module a benchmark, heavy imports inside its function."""

from __future__ import annotations

import typer

from hipseg.cli.benchmark.intervals import intervals
from hipseg.cli.benchmark.latency import latency
from hipseg.cli.benchmark.robustness import robustness

benchmark = typer.Typer(add_completion=False, no_args_is_help=True, help="Measure models, data and simulator.")


@benchmark.callback()
def _benchmark() -> None:
    """Measure models, data and simulator."""


benchmark.command("latency")(latency)
benchmark.command("intervals")(intervals)
benchmark.command("robustness")(robustness)
