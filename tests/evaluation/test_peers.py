"""Peers: they say what hipseg says, and who is not there is named with its reason."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from tiny_model import GRID_SIZE, build_tiny_model

from hipseg.anatomy import FEMORAL_HEAD
from hipseg.cli.benchmark.latency import whole_chain
from hipseg.evaluation.peers.contestants import AbsentError, Fast, Task, fix_sizes, monai_pytorch, plain_onnxruntime
from hipseg.evaluation.peers.page import peers_page
from hipseg.evaluation.peers.run import PeersRequest, benchmark_peers
from hipseg.export.network_part import cut_out, find_network
from hipseg.runtime.session import Session


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """The tiny network cut out, and one picture of a bright bone."""
    folder = tmp_path_factory.mktemp("peers")
    model = onnx.load(build_tiny_model(folder))
    onnx.save(fix_sizes(cut_out(model, find_network(model, "tiny"), GRID_SIZE)), folder / "network.onnx")
    image_HW = np.full((96, 128), 100, np.uint8)
    image_HW[50:80, 20:110] = 230
    (folder / "frames").mkdir()
    cv2.imwrite(str(folder / "frames" / "000.png"), image_HW)
    return Task(folder / "network.onnx", GRID_SIZE, 1, folder / "frames", [image_HW], None, {}, None)


def test_a_peer_finds_what_hipseg_finds(task: Task) -> None:
    with ExitStack() as stack, Session(task.network.with_name("tiny.onnx"), num_threads=1) as session:
        theirs = np.asarray(plain_onnxruntime(task, stack)(task.images[0]))
        ours = session.segment(task.images[0]).labels_HW
    assert theirs.shape == ours.shape
    assert (theirs == FEMORAL_HEAD).any()
    assert (theirs == ours).mean() > 0.95


def test_who_is_not_there_says_why(task: Task) -> None:
    with ExitStack() as stack:
        with pytest.raises(AbsentError, match="weights"):
            monai_pytorch(task, stack)
        with pytest.raises(AbsentError, match="--fast-python"):
            Fast(task, stack)


def test_a_network_that_onnxruntime_does_not_run_is_told(task: Task, tmp_path: Path) -> None:
    network = tmp_path / "network.onnx"
    network.write_bytes(b"no network")
    parts = {**{name: getattr(task, name) for name in Task.__annotations__}, "network": network}
    with ExitStack() as stack, pytest.raises(AbsentError, match="alone"):
        plain_onnxruntime(Task(**parts), stack)


def test_an_environment_without_fast_is_told(task: Task, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named fast' >&2\nexit 1\n")
    python.chmod(0o755)
    with ExitStack() as stack, pytest.raises(AbsentError, match="No module named fast"):
        Fast(Task(**{**{name: getattr(task, name) for name in Task.__annotations__}, "fast_python": python}), stack)


def test_all_are_timed_in_turn_and_told(task: Task) -> None:
    request = PeersRequest(str(task.network.with_name("tiny.onnx")), (160, 120), 5, 1, command="peers")
    record = benchmark_peers(request, whole_chain())
    segmentation = record["comparisons"]["segmentation"]
    assert {"hipseg", "onnxruntime"} <= set(segmentation)
    assert segmentation["hipseg"]["time_over_hipseg"] == [1.0, 1.0, 1.0]
    assert set(record["absent"]) >= {"MONAI and PyTorch", "FAST"}
    html = peers_page(record).render()
    assert "--fast-python" in html
