"""What a model remembers of a stream, and when it forgets: a small network with memory through the real export."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import build_tiny_model, tiny_contract

from hipseg.errors import ModelError
from hipseg.export.onnx import export_model
from hipseg.frame import Frame, ScanRegion, Spacing
from hipseg.models.temporal_unet import TemporalUNet
from hipseg.runtime.recall import Recall
from hipseg.runtime.session import Session

NUM_FRAMES = 4


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("temporal") / "temporal.onnx"
    export_model(TemporalUNet((0, 4, 4), widths=(8, 8, 8)), tiny_contract("temporal"), path)
    return Session(path, num_threads=1)


def clip() -> list[Frame]:
    rng = np.random.default_rng(0)
    region, spacing = ScanRegion(10, 5, 80, 60, "user"), Spacing(0.1, 0.1, "user")
    images = rng.integers(0, 256, (NUM_FRAMES, 70, 100)).astype(np.uint8)
    return [Frame(image_HW, index, 0.04 * index, spacing, region, "clip") for index, image_HW in enumerate(images)]


def probabilities(recall: Recall, frames: list[Frame]) -> list[np.ndarray]:
    return [recall.segment(frame, frame.scan_HW).probabilities_CHW for frame in frames]


def test_the_same_frames_give_the_same_results_and_earlier_frames_matter(session: Session) -> None:
    first, again = (probabilities(Recall(session), clip()) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    alone = [session.segment(frame.scan_HW).probabilities_CHW for frame in clip()]
    np.testing.assert_array_equal(first[0], alone[0])
    assert all(np.abs(one - other).max() > 1e-6 for one, other in zip(first[1:], alone[1:], strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {"time_s": 0.5},
        {"time_s": 0.01},
        {"time_s": float("nan")},
        {"source_id": "other"},
        {"region": ScanRegion(11, 5, 80, 60, "user")},
        {"spacing": Spacing(0.2, 0.2, "user")},
        {"spacing": None},
        {"image_HW": np.full((72, 100), 90, np.uint8)},
    ],
    ids=["gap", "seek", "no time", "source", "region", "scale", "no scale", "size"],
)
def test_what_does_not_follow_is_a_first_frame(session: Session, change: dict) -> None:
    recall, (*before, last) = Recall(session), clip()
    probabilities(recall, before)
    cut = dataclasses.replace(last, **change)
    (seen,) = probabilities(recall, [cut])
    np.testing.assert_array_equal(seen, session.segment(cut.scan_HW).probabilities_CHW)


def test_a_dropped_frame_and_a_clock_that_stands_do_not_make_it_forget(session: Session) -> None:
    frames = clip()
    for kept in ([frames[0], frames[3]], [frames[0], dataclasses.replace(frames[1], time_s=0.0)]):
        seen = probabilities(Recall(session), kept)[-1]
        assert np.abs(seen - session.segment(kept[-1].scan_HW).probabilities_CHW).max() > 1e-6


def test_a_fault_makes_it_forget(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    recall, (first, second, third, _) = Recall(session), clip()
    probabilities(recall, [first])
    with monkeypatch.context() as patch:
        patch.setattr(session, "_check", lambda *_: (_ for _ in ()).throw(ModelError("broken")))
        with pytest.raises(ModelError):
            probabilities(recall, [second])
    (seen,) = probabilities(recall, [third])
    np.testing.assert_array_equal(seen, session.segment(third.scan_HW).probabilities_CHW)


def test_streams_of_one_session_do_not_meet(session: Session) -> None:
    alone = probabilities(Recall(session), clip())
    one, other = Recall(session), Recall(session)
    mixed = []
    for frame in clip():
        mixed += probabilities(one, [frame])
        probabilities(other, [dataclasses.replace(frame, image_HW=255 - frame.image_HW)])
    np.testing.assert_array_equal(alone, mixed)


def test_a_model_without_memory_sees_each_frame_alone(tmp_path: Path) -> None:
    with Session(build_tiny_model(tmp_path), num_threads=1) as session:
        assert session.contract.state == {}
        alone = [session.segment(frame.scan_HW).probabilities_CHW for frame in clip()]
        np.testing.assert_array_equal(probabilities(Recall(session), clip()), alone)
