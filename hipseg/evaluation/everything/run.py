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


def run_all(planned: Sequence[Step], known: Collection[str], *, budget_s: float | None = None) -> list[Outcome]:
    """Runs every step that can be run.

    Args:
        planned: in order.
        known: names of the benchmarks that this installation has.
        budget_s: for all of them together; a step may use what is left but for the shares of those that follow. None
            sets no limit.
    """
    outcomes: list[Outcome] = []
    begin_s = time.perf_counter()
    for position, step in enumerate(planned):
        print(f"hipseg benchmark {step.name}", file=sys.stderr, flush=True)
        limit_s = None
        if budget_s is not None:
            later_s = sum(each.share_s for each in planned[position + 1 :] if _hindrance(each, known) is None)
            limit_s = max(budget_s - (time.perf_counter() - begin_s) - later_s, 0.0)
        outcomes.append(_hindrance(step, known) or _run(step, limit_s))
        print(f"  {outcomes[-1].state.value}, {outcomes[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    return outcomes


def _hindrance(step: Step, known: Collection[str]) -> Outcome | None:
    """Why a step cannot even begin."""
    if step.name not in known:
        return Outcome(step, State.MISSING, f"this installation has no benchmark '{step.name}'")
    return None if step.without is None else Outcome(step, State.LEFT_OUT, step.without)


def _run(step: Step, limit_s: float | None) -> Outcome:
    begin_s = time.perf_counter()
    command = [sys.executable, "-c", _ENTRY, "benchmark", step.name, *step.arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        reason = f"stopped after {limit_s:.0f} s; the full mode has no such limit"
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
