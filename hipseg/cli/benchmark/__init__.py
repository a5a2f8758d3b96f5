"""`hipseg benchmark`: one module a benchmark, heavy imports inside its function."""

from __future__ import annotations

import typer

from hipseg.cli.benchmark.ablation import ablation
from hipseg.cli.benchmark.alerts import alerts
from hipseg.cli.benchmark.data import data
from hipseg.cli.benchmark.everything import everything
from hipseg.cli.benchmark.intervals import intervals
from hipseg.cli.benchmark.latency import latency
from hipseg.cli.benchmark.models import models
from hipseg.cli.benchmark.peers import peers
from hipseg.cli.benchmark.robustness import robustness
from hipseg.cli.benchmark.simulator import simulator
from hipseg.cli.benchmark.soak import soak
from hipseg.cli.benchmark.training import training

benchmark = typer.Typer(add_completion=False, no_args_is_help=True, help="Measure models, data and simulator.")


@benchmark.callback()
def _benchmark() -> None:
    """Measure models, data and simulator."""


benchmark.command("ablation")(ablation)
benchmark.command("alerts")(alerts)
benchmark.command("latency")(latency)
benchmark.command("data")(data)
benchmark.command("intervals")(intervals)
benchmark.command("robustness")(robustness)
benchmark.command("models")(models)
benchmark.command("simulator")(simulator)
benchmark.command("peers")(peers)
benchmark.command("soak")(soak)
benchmark.command("training")(training)
benchmark.command("all")(everything)
