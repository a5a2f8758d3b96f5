"""Loggers hold a run's settings, losses and figures, by the account of their own libraries, also after a stop."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hipseg.errors import UsageError
from hipseg.training.curves import read_csv
from hipseg.training.run import resumed_config, train

QUICK = ("trainer.num_pictures=0", "data.validation=[]")


@pytest.fixture(autouse=True)
def _environment_as_before() -> Iterator[None]:
    """Choices for wandb and MLflow are made in the environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory) -> Iterator[str]:
    """A real server on this machine, with its own database."""
    pytest.importorskip("mlflow")
    pytest.importorskip("flask", reason="the server is in mlflow, not in mlflow-skinny")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'runs.db'}", "--artifacts-destination", str(folder)]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(address: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the MLflow server did not come up")


def test_an_mlflow_server_holds_one_record_of_a_run_also_when_it_goes_on(configure, mlflow_server: str):
    import mlflow

    folder = train(configure("logger=mlflow", f"logger.tracking_uri={mlflow_server}", "trainer.num_pictures=0")).folder
    train(resumed_config(folder, ["trainer.max_steps=4"]))
    client = mlflow.MlflowClient(mlflow_server)
    (run,) = client.search_runs([client.get_experiment_by_name("smoke").experiment_id])
    history = sorted(client.get_metric_history(run.info.run_id, "train/loss"), key=lambda metric: metric.step)
    losses = [float(row["loss"]) for row in read_csv(folder / "losses.csv")]
    assert [metric.step for metric in history] == [1, 2, 3, 4]
    assert [metric.value for metric in history] == pytest.approx(losses)
    assert run.data.params["trainer/max_steps"] == "2"
    assert "val/score" in run.data.metrics
    assert run.info.status == "FINISHED"


def test_a_server_that_does_not_answer_is_told_before_training(configure, tmp_path: Path):
    pytest.importorskip("mlflow")
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    with pytest.raises(UsageError, match=r"MLFlowLogger.*cannot be opened.*refused.*start its server"):
        train(configure("logger=mlflow", "logger.tracking_uri=http://127.0.0.1:9", f"run_dir={tmp_path / 'run'}"))
    assert train(configure(f"run_dir={tmp_path / 'run'}", *QUICK)).steps == 2


def test_each_run_has_an_offline_record_of_its_own_in_weights_and_biases(configure, tmp_path: Path):
    pytest.importorskip("wandb")
    for number, seed in enumerate((0, 1)):
        train(configure("logger=wandb", f"seed={seed}", f"run_dir={tmp_path / str(number)}", *QUICK))
    for number, seed in enumerate((0, 1)):
        (record,) = (tmp_path / str(number) / "wandb").glob("offline-run-*/run-*.wandb")
        config, losses = _read_wandb(record)
        assert config["seed"] == seed
        assert losses == pytest.approx([float(row["loss"]) for row in read_csv(tmp_path / str(number) / "losses.csv")])


def _read_wandb(record: Path) -> tuple[dict, list[float]]:
    """Settings and losses in an offline record, parsed by wandb's own messages."""
    from wandb.proto import wandb_internal_pb2

    config, losses = {}, []
    for data in _log_records(record.read_bytes()[7:]):
        message = wandb_internal_pb2.Record.FromString(data)
        for update in (*message.run.config.update, *message.config.update):
            config["/".join([update.key, *update.nested_key])] = json.loads(update.value_json)
        for item in message.history.item:
            if "train/loss" in (item.key, "/".join(item.nested_key)):
                losses.append(json.loads(item.value_json))
    return config, losses


def _log_records(content: bytes) -> Iterator[bytes]:
    """The records of a log in LevelDB's format: blocks of 32 KiB; a checksum, a length and a kind before each piece."""
    place, gathered, block = 0, b"", 32_768
    while place + 7 <= len(content):
        if block - (place + 7) % block < 7:  # the file's own header stands in its first block
            place += block - (place + 7) % block
            continue
        size, kind = struct.unpack_from("<HB", content, place + 4)
        gathered += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last piece of one
            yield gathered
            gathered = b""


def test_the_csv_logger_gets_losses_and_figures(configure):
    folder = train(configure("logger=csv", "trainer.num_pictures=0")).folder
    text = (folder / "csv" / "metrics.csv").read_text()
    assert "train/loss" in text
    assert "val/score" in text


def test_tensorboard_holds_losses_and_figures(configure):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = train(configure("logger=tensorboard", "trainer.num_pictures=0")).folder
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    losses = [float(row["loss"]) for row in read_csv(folder / "losses.csv")]
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(losses)
    assert events.Scalars("val/score")


def test_a_missing_library_is_named(configure, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("lightning.pytorch.loggers.mlflow._MLFLOW_AVAILABLE", False)
    with pytest.raises(UsageError, match="MLFlowLogger"):
        train(configure("logger=mlflow", f"logger.tracking_uri=sqlite:///{tmp_path / 'runs.db'}"))
