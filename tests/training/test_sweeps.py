"""A sweep, folds of cross-validation among them, ends in a table."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hipseg.cli.main import execute
from hipseg.training.checkpoint import swept_runs
from hipseg.training.sweeps import SweptRun, ranked, table_lines, varied


@pytest.fixture
def folds(toy_dataset: Path):
    """Two folds of the toy data set."""
    content = {"version": 1, "seed": 0, "num_folds": 2, "fold_of_patient": {f"patient{n}": n % 2 for n in range(10)}}
    (toy_dataset / "folds.json").write_text(json.dumps(content))
    yield
    (toy_dataset / "folds.json").unlink()


@pytest.mark.usefixtures("folds")
def test_folds_are_a_sweep_with_a_table(small_overrides, tmp_path: Path, capsys):
    overrides = [*small_overrides, "data.fold=0,1", f"runs_dir={tmp_path}", "trainer.num_pictures=0"]
    assert execute(["train", "--multirun", *overrides]) == 0
    (table,) = tmp_path.rglob("results.csv")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["data.fold"] for row in rows) == ["0", "1"]
    assert all((table.parent / row["run"] / "summary.html").exists() for row in rows)
    assert "standard deviation" in capsys.readouterr().out


def test_the_table_ranks_and_names_what_differs():
    runs = [
        SweptRun(("seed=1", "optimizer.lr=0.1"), float("nan"), 2, Path("a")),
        SweptRun(("seed=1", "optimizer.lr=0.2"), 0.5, 2, Path("b")),
        SweptRun(("seed=1", "optimizer.lr=0.3"), 0.7, 2, Path("c")),
    ]
    assert varied(runs) == ["optimizer.lr"]
    assert [run.folder.name for run in ranked(runs)] == ["c", "b", "a"]
    assert table_lines(runs)[0] == "0.700  optimizer.lr=0.3  c"
    assert table_lines(runs)[-1] == "mean 0.600, standard deviation 0.141"


def test_a_run_that_breaks_off_leaves_the_others_their_table(small_overrides, tmp_path: Path, capsys):
    overrides = [*small_overrides, "data.grid_size=72,64", f"runs_dir={tmp_path}", "trainer.num_pictures=0"]
    assert execute(["train", "--multirun", *overrides]) == 0
    assert "takes no grid of 72" in capsys.readouterr().err
    (table,) = tmp_path.rglob("results.csv")
    with table.open() as file:
        best, broken = csv.DictReader(file)
    assert (best["data.grid_size"], best["steps"]) == ("64", "2")
    assert (broken["data.grid_size"], broken["steps"], broken["score"]) == ("72", "0", "nan")
    assert [run.name for run in swept_runs(table.parent)] == [best["run"]]


def test_a_killed_sweep_leaves_the_table_of_what_had_ended(small_overrides, tmp_path: Path):
    (tmp_path / "deadly.py").write_text(
        "import os, signal\n"
        "from hipseg.training.losses import MultiTaskLoss\n"
        "def make(deadly, **weights):\n"
        "    if deadly:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return MultiTaskLoss(**weights)\n"
    )
    overrides = [*small_overrides, "loss._target_=deadly.make", "+loss.deadly=false,true", f"runs_dir={tmp_path}"]
    script = "import sys; from hipseg.cli.main import execute; sys.exit(execute(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "train", "--multirun", *overrides]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    (table,) = tmp_path.rglob("results.csv")
    with table.open() as file:
        (row,) = csv.DictReader(file)
    assert row["steps"] == "2"


def test_a_search_chooses_within_its_ranges_and_ends_in_a_table(small_overrides, tmp_path: Path, capsys):
    pytest.importorskip("optuna")
    ranges = ["optimizer.lr=tag(log,interval(1e-4,1e-2))", "scheduler=constant,cosine"]
    overrides = [*small_overrides, *ranges, f"runs_dir={tmp_path}", "trainer.num_pictures=0"]
    assert execute(["train", "--search", "3", *overrides]) == 0
    (table,) = tmp_path.rglob("results.csv")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert all(1e-4 <= float(row["optimizer.lr"]) <= 1e-2 for row in rows)
    assert {row["scheduler"] for row in rows} <= {"", "constant", "cosine"}
    assert execute(["train", "--search", "3", *small_overrides]) == 2
    assert "nothing to search" in capsys.readouterr().err
