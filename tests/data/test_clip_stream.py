"""Clips to learn motion from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from small_scenes import PARTIAL, scene, spot_sample

from hipseg.anatomy import NEEDLE
from hipseg.data.augment import Augmentation, AugmentConfig
from hipseg.data.clips import draw_row, draw_sway, frames_in_a_row
from hipseg.data.manifest import DatasetWriter, load_dataset
from hipseg.data.needle_painting import paint_advancing_needle
from hipseg.data.sources import CaseReader, DiskSource
from hipseg.data.stream import CaseSet, SampleStream

TIMES_S = (0.0, 0.04, 0.08, 0.12, 1.0, 1.04)


@pytest.fixture(scope="module")
def clip_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with a gap, written out of order, and a picture of its own."""
    root = tmp_path_factory.mktemp("clips")
    with DatasetWriter(root, PARTIAL) as writer:
        for number in (3, 0, 1, 2, 5, 4):
            image_HW, labels_HW = scene(number)
            writer.add(
                id=f"frame_{number}", image_HW=image_HW, labels_HW=labels_HW, patient="p", split="val", clip="cine",
                time_s=TIMES_S[number],
            )  # fmt: skip
        image_HW, labels_HW = scene(9)
        writer.add(id="picture", image_HW=image_HW, labels_HW=labels_HW, patient="p", split="val")
    return root


def names(root: Path, row: Sequence[int]) -> list[str]:
    _, cases = load_dataset(root)
    return [cases[position].id for position in row]


def test_frames_go_on_in_time_until_a_gap(clip_dataset: Path) -> None:
    _, cases = load_dataset(clip_dataset)
    rows = {case.id: names(clip_dataset, row) for case, row in zip(cases, frames_in_a_row(cases), strict=True)}
    assert rows["frame_2"] == ["frame_0", "frame_1", "frame_2", "frame_3"]
    assert rows["frame_5"] == ["frame_4", "frame_5"]
    assert rows["picture"] == ["picture"]


def test_a_clip_takes_every_frame_or_every_second_one() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_row(range(8), 3, rng) for _ in range(200)]
    assert {row[1] - row[0] for row in drawn} == {row[2] - row[1] for row in drawn} == {1, 2}
    assert {row[0] for row in drawn} == set(range(6))
    assert len(draw_row(range(2), 3, rng)) == 1


def test_a_still_sways_little_and_begins_where_it_is() -> None:
    sways = [draw_sway(6, (200, 300), np.random.default_rng(seed)) for seed in range(60)]
    corner = np.array([300.0, 200.0, 1.0])
    moved = np.array([[np.hypot(*((one.matrix_33 @ corner - corner)[:2])) for one in sway] for sway in sways])
    assert not moved[:, 0].any()
    assert 2 < moved[:, -1].max() < 15
    assert 0 < (moved[:, -1] == 0).sum() < 30


def test_clips_are_samples_with_a_time_axis_and_one_motion(clip_dataset: Path) -> None:
    config = AugmentConfig(flip=0.5, crop=0.2, rotation_deg=10, warp=0.3, look=0.5, needle=0.5, endless_line=0.5)
    sources = {"disk": DiskSource(clip_dataset, split="val")}
    stream = SampleStream(
        sources, {"disk": 1.0}, Augmentation(config), grid_size=32, seed=0, negatives=0.2, clip_frames=3
    )
    for k in range(12):
        clip = stream[k]
        assert clip["image"].shape == (3, 1, 32, 32)
        assert clip["labels"].shape == (3, 32, 32)
        assert clip["landmarks"].shape == (3, 3, 3)
        assert len(set(clip["mirrored"].tolist())) == len(set(clip["view"].tolist())) == 1
    for name, value in stream[5].items():
        torch.testing.assert_close(stream[5][name], value, rtol=0, atol=0, equal_nan=True)


def test_a_case_comes_with_the_frames_before_it(clip_dataset: Path) -> None:
    reader = CaseReader(clip_dataset, "val")
    plain, clips = (CaseSet([reader], grid_size=32, clip_frames=count) for count in (1, 3))
    at = {case.id: position for position, case in enumerate(reader.cases)}
    for case, earlier in (("frame_2", ("frame_0", "frame_1")), ("frame_1", ("frame_0", "frame_0"))):
        assert torch.equal(clips[at[case]]["image"], plain[at[case]]["image"])
        expected = torch.stack([plain[at[name]]["image"] for name in earlier])
        assert torch.equal(clips[at[case]]["before"], expected)


def test_a_painted_needle_advances_through_tissue_that_stands() -> None:
    still = spot_sample([], 200, 300)
    still.image_HW[:] = 60
    clips = (paint_advancing_needle([still] * 4, np.random.default_rng(seed)) for seed in range(20))
    lengths = [[int((frame.labels_HW == NEEDLE).sum()) for frame in clip] for clip in clips]
    assert all(sorted(clip) == clip for clip in lengths)
    assert sum(clip[-1] > clip[0] > 0 for clip in lengths) > 10
