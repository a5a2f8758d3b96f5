"""All benchmarks in one go: one that is missing, fails or hangs is told so, and the others go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hipseg.cli.main import execute
from hipseg.evaluation.everything.page import write_page
from hipseg.evaluation.everything.plan import QUICK_S, Plan, Step, steps
from hipseg.evaluation.everything.run import Outcome, State, run_all


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """One of each kind, through real processes."""
    planned = [
        Step("latency", ("--frames", "2", "--size", "64x64", "--rate", "60", "--live-seconds", "0.1")),
        Step("nowhere"),
        Step("models", ("nothing", "--out", "nothing")),
        Step("simulator", without="no real pictures"),
    ]
    known = {"latency", "models", "simulator"}
    return {outcome.step.name: outcome for outcome in run_all(planned, known)}


def test_each_benchmark_ends_by_itself(outcomes: dict[str, Outcome]) -> None:
    assert {name: outcome.state for name, outcome in outcomes.items()} == {
        "latency": State.DONE,
        "nowhere": State.MISSING,
        "models": State.FAILED,
        "simulator": State.LEFT_OUT,
    }
    assert outcomes["latency"].figures["num_frames"] == 2


def test_every_other_end_has_its_reason(outcomes: dict[str, Outcome]) -> None:
    reasons = {name: outcome.reason or "" for name, outcome in outcomes.items()}
    assert "has no benchmark 'nowhere'" in reasons["nowhere"]
    assert "nothing" in reasons["models"]
    assert "Traceback" not in reasons["models"]


def test_time_that_later_ones_need_is_kept_for_them() -> None:
    hanging = Step("latency", ("--frames", "99999999"))
    later = [Step("intervals", without="to be spared", share_s=9e9), Step("nowhere", share_s=9e9)]
    outcomes = run_all([hanging, *later], {"latency", "intervals"}, budget_s=2.0)
    assert [each.state for each in outcomes] == [State.FAILED, State.LEFT_OUT, State.MISSING]
    assert outcomes[0].reason == "stopped after 2 s; the full mode has no such limit"
    (starved,) = run_all([hanging], {"latency"}, budget_s=0.0)
    assert starved.state is State.FAILED


def test_one_page_shows_all_of_them(outcomes: dict[str, Outcome], tmp_path: Path) -> None:
    page = write_page(list(outcomes.values()), tmp_path, "hipseg benchmark all --quick").read_text()
    for told in ("latency", "not there", "failed", "left out", "no real pictures", "inference"):
        assert told in page, told
    record = json.loads((tmp_path / "benchmarks.json").read_text())["benchmarks"]
    assert record["nowhere"]["state"] == "not there"
    assert record["latency"]["figures"]["latency_ms"]["inference"]["p50"] > 0


def test_unknown_figures_are_shown_leaf_by_leaf(tmp_path: Path) -> None:
    figures = {"alerts": {"vessel_contact": {"sensitivity": 0.987654}}, "seeds": [1, 2]}
    outcome = Outcome(Step("alerts"), State.DONE, figures=figures)
    page = write_page([outcome], tmp_path, "").read_text()
    assert "alerts: vessel contact: sensitivity" in page
    assert "0.9877" in page
    assert "1, 2" in page


def test_the_quick_plan_ends_within_ten_minutes_whatever_hangs(tmp_path: Path) -> None:
    planned = steps(Plan(tmp_path, tmp_path, quick=True, real=tmp_path))
    assert sum(step.share_s for step in planned) == QUICK_S <= 600
    names = [step.name for step in planned]
    assert names == ["models", "robustness", "latency", "intervals", "simulator", "data", "alerts"]
    assert steps(Plan(tmp_path, tmp_path))[4].without is not None


@pytest.mark.parametrize(
    ("state", "exit_code"), [(State.DONE, 0), (State.LEFT_OUT, 0), (State.FAILED, 1), (State.MISSING, 1)]
)
def test_the_exit_code_tells(state: State, exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Outcome(Step("data"), state, figures={"images a second": 100})
    monkeypatch.setattr("hipseg.evaluation.everything.run.run_all", lambda *_args, **_options: [outcome])
    arguments = ["benchmark", "all", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert execute(arguments) == exit_code
    assert (tmp_path / "out" / "benchmarks.html").is_file()
