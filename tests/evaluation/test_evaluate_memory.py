"""A model that remembers is judged on clips as it runs: after the frames before, and anew for every clip."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import tiny_contract

from hipseg.data.records import Case
from hipseg.errors import ModelError
from hipseg.evaluation.cost.arithmetic import onnx_arithmetic
from hipseg.evaluation.examination import VIEW_SCORE, ExaminationSettings, Examiner
from hipseg.evaluation.inputs.item import Item
from hipseg.evaluation.latency.roof import measure_roof
from hipseg.evaluation.measures.vocabulary import Vocabulary
from hipseg.evaluation.predictors.released import ReleasedModel
from hipseg.evaluation.report.pictures import Viewer, drawn
from hipseg.export.onnx import export_model
from hipseg.export.quantize import Kind, quantize
from hipseg.models.temporal_unet import TemporalUNet
from hipseg.runtime.models import read_model
from hipseg.runtime.segmentation import Segmentation
from hipseg.runtime.session import FIRST_FRAME, Session

NUM_FRAMES = 4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("temporal") / "temporal.onnx"
    network = TemporalUNet((0, 4, 4), widths=(8, 8, 8))
    for name, weights in network.named_parameters():
        if "read" in name:  # fresh weights would let the past hardly be felt
            weights.data *= 50
    export_model(network, tiny_contract("temporal"), path)
    return path


@dataclass(frozen=True)
class Frames:
    """A batch in memory."""

    frames: Sequence[Item]
    is_clip: bool = True

    def items(self) -> Iterator[Item]:
        return iter(self.frames)


def clip(name: str, step_s: float | None = 0.04) -> Frames:
    rng = np.random.default_rng(0)
    frames = []
    for index in range(NUM_FRAMES):
        time_s = None if step_s is None else index * step_s
        case = Case(f"{name}-{index}", "", None, "patient", "test", "", clip=name, frame=index, time_s=time_s)
        image_HW = rng.integers(0, 256, (60, 80)).astype(np.uint8)
        frames.append(Item(case, "memory", Vocabulary.complete(), image_HW))
    return Frames(frames)


def view_scores(model: Path, *batches: Frames) -> list[float]:
    examiner = Examiner(ReleasedModel(str(model)), ExaminationSettings())
    rows = [row for batch in batches for row in examiner.examine(batch).measures]
    return [row["value"] for row in rows if row["metric"] == VIEW_SCORE]


def in_a_row(model: Path, batch: Frames) -> list[Segmentation]:
    """Frame by frame with the state of the one before, by hand."""
    found, state = [], FIRST_FRAME
    with Session(model, num_threads=1) as session:
        for item in batch.items():
            assert item.image_HW is not None
            segmentation, state = session.step(item.image_HW, state)
            found.append(segmentation)
    return found


def each_alone(model: Path, batch: Frames) -> list[float]:
    with Session(model, num_threads=1) as session:
        return [session.segment(item.image_HW).view_score for item in batch.items() if item.image_HW is not None]


@pytest.mark.parametrize("step_s", [0.04, None])
def test_frames_of_a_clip_are_judged_after_those_before_and_every_clip_begins_anew(
    model: Path, step_s: float | None
) -> None:
    one, other = clip("one", step_s), clip("other", step_s)
    expected = [segmentation.view_score for segmentation in in_a_row(model, one)]
    assert view_scores(model, one, other) == expected * 2
    assert len(set(expected) - set(each_alone(model, one))) == NUM_FRAMES - 1


def test_images_that_are_no_clip_and_frames_far_apart_are_each_a_first_frame(model: Path) -> None:
    alone = each_alone(model, clip("one"))
    assert view_scores(model, dataclasses.replace(clip("one"), is_clip=False)) == alone
    assert view_scores(model, clip("one", step_s=0.5)) == alone


def test_a_picture_shows_what_was_judged(model: Path) -> None:
    batch, last = clip("one"), NUM_FRAMES - 1
    (shown_HW3,) = Viewer([batch], ReleasedModel(str(model))).pictures([f"one-{last}"]).values()
    np.testing.assert_array_equal(shown_HW3, drawn(batch.frames[last], in_a_row(model, batch)[last]))


def test_the_cost_of_a_memory_is_counted_and_a_share_of_the_machine_is_not_told(model: Path, tmp_path: Path) -> None:
    export_model(TemporalUNet((0, 0, 0), widths=(8, 8, 8)), tiny_contract("forgetful"), tmp_path / "forgetful.onnx")
    remembering, forgetful = (onnx_arithmetic(path, 60, 80).macs for path in (model, tmp_path / "forgetful.onnx"))
    write, read, num_cells = 9 * (8 + 4) * 8, 4 * 8, 16**2 + 8**2
    assert remembering - forgetful == (write + read) * num_cells
    with Session(model, num_threads=1) as session, pytest.raises(ModelError, match="inputs and"):
        measure_roof(session, 60, 80, 1)


@pytest.mark.parametrize("kind", [Kind.INT8, Kind.FP16])
def test_what_remembers_is_stored_in_half_but_not_computed_in_less(model: Path, kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a network that remembers is not computed in"):
        quantize(read_model(model), kind, "smaller")
    path = tmp_path / "smaller.onnx"
    path.write_bytes(quantize(read_model(model), Kind.WEIGHTS16, "smaller"))
    one, other = in_a_row(model, clip("one")), in_a_row(path, clip("one"))
    np.testing.assert_allclose(one[-1].probabilities_CHW, other[-1].probabilities_CHW, atol=1e-2)
