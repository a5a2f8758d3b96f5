"""Long clips are read frame by frame: memory stays flat, whatever their length."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.uid import JPEGBaseline8Bit
from recordings import encapsulated, save, speckle, speckle_clip, ultrasound_dataset, write_video

from hipseg.io import open_source

NUM_FRAMES, HEIGHT, WIDTH = 100_000, 64, 64


def write_long_clip(path: Path) -> None:
    """A clip of 100,000 frames, 400 MB, of which the disk holds only the first (the rest is a hole)."""
    save(ultrasound_dataset([speckle(HEIGHT, WIDTH)] * 2, NumberOfFrames=NUM_FRAMES), path)
    content = path.read_bytes()
    start = content.rindex(b"\xe0\x7f\x10\x00OB\0\0") + 8
    num_bytes = NUM_FRAMES * HEIGHT * WIDTH
    with path.open("r+b") as file:
        file.seek(start)
        file.write(num_bytes.to_bytes(4, "little"))
        file.truncate(start + 4 + num_bytes)


@pytest.fixture
def peak_bytes() -> Iterator[object]:
    """Tells the largest memory that Python and numpy held since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_clip_of_100000_frames(tmp_path: Path, peak_bytes: object) -> None:
    write_long_clip(tmp_path / "long.dcm")
    source = open_source(str(tmp_path / "long.dcm"))
    assert source.info.num_frames == NUM_FRAMES
    frames = list(itertools.islice(source.frames(), 0, 4000, 1000))
    assert [frame.index for frame in frames] == [0, 1000, 2000, 3000]
    source.close()
    assert callable(peak_bytes)
    assert peak_bytes() < 8e6


def test_a_compressed_clip_of_many_frames(tmp_path: Path, peak_bytes: object) -> None:
    num_frames = 3000
    encoded = cv2.imencode(".jpg", speckle(HEIGHT, WIDTH))[1].tobytes()
    dataset = ultrasound_dataset([speckle(HEIGHT, WIDTH)] * 2, NumberOfFrames=num_frames)
    save(encapsulated(dataset, JPEGBaseline8Bit, [encoded] * num_frames), tmp_path / "long.dcm")
    del dataset
    assert callable(peak_bytes)
    tracemalloc.reset_peak()
    source = open_source(str(tmp_path / "long.dcm"))
    assert sum(1 for _ in itertools.islice(source.frames(), 1000)) == 1000
    source.close()
    assert peak_bytes() < 8e6 + num_frames * len(encoded)  # the dataset above may still be held


def test_a_source_may_be_left_at_any_time(tmp_path: Path) -> None:
    save(ultrasound_dataset(speckle_clip(20)), tmp_path / "a.dcm")
    write_video(tmp_path / "b.mp4", speckle_clip(20))
    for name in ("a.dcm", "b.mp4"):
        source = open_source(str(tmp_path / name))
        frames = source.frames()
        np.testing.assert_array_equal(next(frames).image_HW.shape, (72, 96))
        source.close()
        source.close()
        assert list(frames) == []
