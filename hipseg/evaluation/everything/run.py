"""Runs benchmarks one after the other, each in a process of its own: a crash or a hang ends that one alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hipseg.evaluation.everything.plan import Step

_ENTRY = "from hipseg.cli.main import run; run()"


class State(Enum):
    """How a benchmark ended."""

    DONE = "done"
    FAILED = "failed"
    MISSING = "not there"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Outcome:
    """What became of one benchmark.

    Attributes:
        step: which.
        state: how it ended.
        reason: why it did not end well, None if it did.
        seconds: it took.
        figures: its JSON.
    """

    step: Step
    state: State
    reason: str | None = None
    seconds: float = 0.0
    figures: Any = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "state": self.state.value,
            "reason": self.reason,
            "seconds": round(self.seconds, 1),
            "figures": self.figures,
        }


def run_all(planned: Sequence[Step], known: Collection[str]) -> list[Outcome]:
    """Runs every step that can be run.

    Args:
        planned: in order.
        known: names of the benchmarks that this installation has.
    """
    outcomes = []
    for step in planned:
        print(f"hipseg benchmark {step.name}", file=sys.stderr, flush=True)
        outcomes.append(_run(step, known))
        print(f"  {outcomes[-1].state.value}, {outcomes[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    return outcomes


def _run(step: Step, known: Collection[str]) -> Outcome:
    if step.name not in known:
        return Outcome(step, State.MISSING, f"this installation has no benchmark '{step.name}'")
    if step.without is not None:
        return Outcome(step, State.LEFT_OUT, step.without)
    begin_s = time.perf_counter()
    command = [sys.executable, "-c", _ENTRY, "benchmark", step.name, *step.arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=step.limit_s, check=False)
    except subprocess.TimeoutExpired:
        reason = f"stopped after {step.limit_s:.0f} s; the full mode has no such limit"
        return Outcome(step, State.FAILED, reason, time.perf_counter() - begin_s)
    seconds = time.perf_counter() - begin_s
    if done.returncode != 0:
        return Outcome(step, State.FAILED, _reason(done), seconds)
    try:
        figures = json.loads(done.stdout if step.output is None else step.output.read_text())
    except (OSError, ValueError) as error:
        return Outcome(step, State.FAILED, f"its figures cannot be read ({error})", seconds)
    return Outcome(step, State.DONE, None, seconds, figures)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The last thing it said, or the signal that ended it."""
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return said[-1].removeprefix("hipseg: ") if said else f"ended with code {done.returncode}"
