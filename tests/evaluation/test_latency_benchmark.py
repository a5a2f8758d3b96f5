"""Measurements of latency: closed forms of trends, a live source that is too fast, a roof that is a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from grey_model import write_grey_model
from tiny_model import build_tiny_model

from hipseg.cli.benchmark.latency import whole_chain
from hipseg.errors import ModelError
from hipseg.evaluation.latency.live import measure_live
from hipseg.evaluation.latency.machine import machine
from hipseg.evaluation.latency.page import latency_page
from hipseg.evaluation.latency.recording import recording_options, write_recording
from hipseg.evaluation.latency.roof import measure_roof
from hipseg.evaluation.latency.trend import trend_of
from hipseg.export.network_part import cut_out, find_network
from hipseg.io import open_source
from hipseg.runtime.session import Session


@pytest.mark.parametrize("per_minute", [0.0, 3.0, -6.0])
def test_a_trend_is_found_in_noise_and_not_without_one(per_minute: float) -> None:
    rng = np.random.default_rng(0)
    times_s = np.arange(0.0, 600.0)
    trend = trend_of(times_s, 20 + per_minute * times_s / 60 + rng.normal(0, 2, len(times_s)))
    assert trend is not None
    assert trend.low <= per_minute <= trend.high
    assert trend.is_growth == (per_minute > 0)


def test_a_few_values_have_no_trend() -> None:
    assert trend_of(np.arange(5.0), np.arange(5.0)) is None


def test_a_recording_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    source = open_source(str(write_recording(tmp_path / "small.mp4", 120, 160)), recording_options(rate_hz=50))
    frames = list(source.frames())
    source.close()
    assert {frame.image_HW.shape for frame in frames} == {(120, 160)}
    assert frames[1].time_s == pytest.approx(0.02)
    assert len({frame.image_HW.tobytes() for frame in frames}) > 1


def test_a_network_that_is_too_slow_drops_frames_and_not_the_present(tmp_path: Path) -> None:
    recording = write_recording(tmp_path / "small.mp4", 120, 160)
    with Session(write_grey_model(tmp_path), num_threads=1) as session:
        found = measure_live(session, recording, whole_chain(), rate_hz=60, duration_s=1.0, network_ms=100)
    assert found["network_p50_ms"] >= 99
    assert found["dropped"] > found["frames_shown"] / 2
    assert abs(found["frames_in"] - found["frames_shown"] - found["dropped"]) <= 2
    assert found["age_ms"]["p50"] >= 100


def test_the_network_is_cut_out_whole(tmp_path: Path) -> None:
    path = build_tiny_model(tmp_path)
    model = onnx.load(path)
    network = cut_out(model, find_network(model, "tiny"), 64)
    onnx.checker.check_model(network, full_check=True)
    assert [node.op_type for node in network.graph.node] == ["Conv", "Conv"]
    with Session(path, num_threads=1) as session:
        found = measure_roof(session, 48, 64, 1)
    assert found["gflops"]["network"] > 0
    assert found["share_of_sgemm"] > 0


def test_a_model_without_weights_has_no_network(tmp_path: Path) -> None:
    model = onnx.load(write_grey_model(tmp_path))
    with pytest.raises(ModelError, match="no node has weights"):
        find_network(model, "grey")


def test_the_machine_is_named() -> None:
    found = machine()
    assert found["processor"]
    assert found["cores"] >= 1
    assert found["load"] >= 0


def test_a_broken_model_of_many_is_told_on_the_page() -> None:
    record = {
        "command": "x", "machine": {**machine(), "load_after": 0.1}, "threads": 1, "provider": "cpu", "num_frames": 5,
        "models": [{"name": "broken", "fault": "the file has changed"}], "versions": {"numpy": "2"},
    }  # fmt: skip
    html = latency_page(record).render()
    assert "the file has changed" in html
    assert "Not a medical device" in html
