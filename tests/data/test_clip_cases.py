"""Clips stay clips: one file as it came, a mask a frame, frames found by their index."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recordings import save, speckle_clip, ultrasound_dataset, write_video
from small_scenes import PARTIAL

from hipseg.data.clip_reading import OpenClip, read_clip_frame
from hipseg.data.manifest import Case, DatasetWriter, load_dataset, read_image, read_labels
from hipseg.errors import SourceError

NUM_FRAMES = 12


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(ultrasound_dataset(speckle_clip(NUM_FRAMES)), tmp_path_factory.mktemp("clip") / "cine.dcm")


@pytest.fixture(scope="module")
def clip_set(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three frames of one clip."""
    root = tmp_path_factory.mktemp("clip_set")
    with DatasetWriter(root, PARTIAL) as writer:
        stored = writer.add_clip("cine", clip)
        for frame in (2, 7, 11):
            labels_HW = np.full((72, 96), 4 if frame == 7 else 0, np.uint8)
            writer.add_frame(
                id=f"cine_{frame:06d}", of=stored, frame=frame, shape_HW=(72, 96), labels_HW=labels_HW,
                patient="p", split="test", time_s=frame / 25,
            )  # fmt: skip
    return root


def test_the_clip_is_the_same_file_and_every_frame_has_its_own_mask(clip: Path, clip_set: Path) -> None:
    _, cases = load_dataset(clip_set, verify=True)
    assert {case.image for case in cases} == {"clips/cine.dcm"}
    assert (clip_set / "clips" / "cine.dcm").read_bytes() == clip.read_bytes()
    assert [(case.frame, case.clip, case.time_s) for case in cases] == [
        (2, "cine", 0.08), (7, "cine", 0.28), (11, "cine", 0.44),
    ]  # fmt: skip
    expected = speckle_clip(NUM_FRAMES)
    for case in reversed(cases):  # going back begins anew
        np.testing.assert_array_equal(read_image(clip_set, case), expected[case.frame or 0])
    shown = [read_labels(clip_set, case) for case in cases]
    assert [labels_HW is not None and int(labels_HW.max()) for labels_HW in shown] == [0, 4, 0]


def test_a_clip_s_frames_can_be_read_without_hipseg(clip_set: Path) -> None:
    import pydicom
    from PIL import Image

    record = json.loads((clip_set / "cases.jsonl").read_text().splitlines()[1])
    pixels = pydicom.dcmread(clip_set / record["image"]).pixel_array
    np.testing.assert_array_equal(pixels[record["frame"]], speckle_clip(NUM_FRAMES)[7])
    with Image.open(clip_set / record["mask"]) as mask:
        assert np.unique(np.array(mask)).tolist() == [4]
    assert hashlib.sha256((clip_set / record["image"]).read_bytes()).hexdigest() == record["sha256"]


def test_frames_of_a_video_are_found_by_index(tmp_path: Path) -> None:
    path = tmp_path / "screen.mp4"
    write_video(path, speckle_clip(NUM_FRAMES))
    clip = OpenClip(path)
    in_order = [clip.frame(index) for index in range(NUM_FRAMES)]
    clip.close()
    again = OpenClip(path)
    for index in (9, 3, 3, 11, 0):
        np.testing.assert_array_equal(again.frame(index), in_order[index])
    again.close()


def test_a_frame_past_the_end_is_refused(clip_set: Path) -> None:
    _, cases = load_dataset(clip_set)
    past = Case.from_dict(cases[0].to_dict() | {"frame": NUM_FRAMES}, where="here")
    with pytest.raises(SourceError, match=r"cine\.dcm: has no frame 12; expected one of its 12 frames"):
        read_image(clip_set, past)


def read_all(root: str) -> list[int]:
    _, cases = load_dataset(root)
    return [int(read_image(Path(root), case)[0, 0]) for case in cases]


def test_a_forked_worker_reads_with_files_of_its_own(clip_set: Path, tmp_path: Path) -> None:
    _, cases = load_dataset(clip_set)
    for number in range(5):  # more than stay open, and videos have threads that are not forked along
        write_video(tmp_path / f"{number}.mp4", speckle_clip(NUM_FRAMES))
        read_clip_frame(tmp_path / f"{number}.mp4", 0)
    read_image(clip_set, cases[0])
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(read_all, [str(clip_set)] * 4) == [[30, 80, 120]] * 4
    assert int(read_image(clip_set, cases[1])[0, 0]) == 80


@pytest.mark.parametrize(
    ("field", "value"),
    [("frame", -1), ("frame", 1.5), ("frame", True), ("clip", "a/b"), ("time_s", "3"), ("time_s", -1)],
)
def test_impossible_frames_and_times_are_refused(clip_set: Path, field: str, value: Any) -> None:
    _, cases = load_dataset(clip_set)
    with pytest.raises(SourceError, match=f"field '{field}'"):
        Case.from_dict(cases[0].to_dict() | {field: value}, where="here")


def test_an_original_file_is_kept_and_a_mask_of_another_size_refused(tmp_path: Path, clip: Path) -> None:
    import cv2

    jpeg = cv2.imencode(".jpg", speckle_clip(1)[0])[1].tobytes()
    image_HW = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    with DatasetWriter(tmp_path, PARTIAL) as writer:
        case = writer.add(id="a", image_HW=image_HW, labels_HW=None, patient="p", split="train", original=jpeg)
        with pytest.raises(SourceError, match="a mask of"):
            writer.add_frame(
                id="b", of=writer.add_clip("cine", clip), frame=0, shape_HW=(72, 96), patient="p", split="train",
                labels_HW=np.zeros((5, 5), np.uint8),
            )  # fmt: skip
    assert case.image == "images/a.jpg"
    assert (tmp_path / case.image).read_bytes() == jpeg
    np.testing.assert_array_equal(read_image(tmp_path, case), image_HW)
