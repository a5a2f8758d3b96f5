"""Which benchmarks there are, and how each is called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """What the user asked for.

    Attributes:
        out: folder of the results.
        data: what models are measured on.
        split: of it.
        real: pictures the simulator is compared with; None leaves the simulator out, with that reason.
        model: that is timed; None takes the released one.
        quick: all in under ten minutes.
    """

    out: Path
    data: Path
    split: str | None = None
    real: Path | None = None
    model: str | None = None
    quick: bool = False


@dataclass(frozen=True)
class Step:
    """One benchmark.

    Attributes:
        name: of the command `hipseg benchmark NAME`.
        arguments: of it.
        output: its JSON file, None where it prints its figures.
        page: its own page, where it writes one.
        share_s: of the time, when time is short; what earlier ones leave over is there for later ones.
        without: why it cannot be run, None if it can.
    """

    name: str
    arguments: tuple[str, ...] = ()
    output: Path | None = None
    page: Path | None = None
    share_s: float = 0.0
    without: str | None = None


QUICK_S = 540.0
"""All benchmarks of the quick mode together, whatever hangs; the page needs some seconds more."""
_SHARES_S = {
    "models": 140.0,
    "robustness": 120.0,
    "latency": 40.0,
    "intervals": 40.0,
    "simulator": 100.0,
    "data": 55.0,
    "alerts": 45.0,
}


def steps(plan: Plan) -> list[Step]:
    """The benchmarks in the order in which they run."""
    data = [str(plan.data), *_option("--split", plan.split)]
    model = _option("--model", plan.model)
    quick, alerts = ["--quick"] if plan.quick else [], plan.out / "alerts"
    return [
        _step("models", [*data, "--out", str(plan.out), *quick], plan.out / "models.html"),
        _step(
            "robustness",
            [*data, *model, "--out", str(plan.out), *(["--cases", "8"] if plan.quick else [])],
            plan.out / "robustness.html",
        ),
        _step("latency", [*model, "--frames", "50" if plan.quick else "500"]),
        _step("intervals", ["--studies", "200" if plan.quick else "1000"]),
        _simulator(plan, quick),
        _step("data", quick),
        _step("alerts", ["--out", str(alerts), *model, *quick], alerts / "alerts.html"),
    ]


def _simulator(plan: Plan, quick: list[str]) -> Step:
    if plan.real is None:
        return Step("simulator", without="no real pictures to compare with; name them with --real")
    page = plan.out / "simulator.html"
    return _step("simulator", ["--real", str(plan.real), "--out", str(page), *quick], page)


def _step(name: str, arguments: list[str], page: Path | None = None) -> Step:
    """A benchmark with a page of its own leaves its figures beside it; another one prints them."""
    return Step(name, tuple(arguments), None if page is None else page.with_suffix(".json"), page, _SHARES_S[name])


def _option(name: str, value: str | None) -> list[str]:
    return [] if value is None else [name, value]
