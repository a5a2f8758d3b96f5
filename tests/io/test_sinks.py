"""What sinks leave behind: whole files, whole lines, a video that plays, also after a kill or on a full disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from recordings import speckle, speckle_clip

from hipseg import anatomy
from hipseg.errors import OutputError
from hipseg.io import JsonLinesSink, MaskSink, SessionFolder, VideoSink, write_json


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only the superuser may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def decode(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(("height", "width"), [(72, 96), (71, 95)])
def test_video_plays_at_its_rate(tmp_path: Path, height: int, width: int) -> None:
    frames = speckle_clip(30, height, width)
    with VideoSink(tmp_path / "overlay.mp4", 29.97, height, width) as sink:
        for frame in frames:
            sink.write(rgb(frame))
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(29.97, rel=1e-3)
        assert container.streams.video[0].codec_context.name == "h264"
    decoded = decode(tmp_path / "overlay.mp4")
    assert len(decoded) == 30
    assert np.abs(decoded[7][:height, :width].astype(int) - rgb(frames[7])).mean() < 12


def test_a_video_without_frames_and_one_closed_twice(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "empty.mp4", 25, 72, 96)
    sink.close()
    sink.close()


VIDEO_OF_ONE_SIZE = partial(VideoSink, frame_rate_hz=25, height=72, width=96)

KILLED_WRITER = """
import os, signal, sys
import numpy as np
from hipseg.io import JsonLinesSink, VideoSink
folder = sys.argv[1]
video, lines = VideoSink(f"{folder}/overlay.mp4", 25, 120, 160), JsonLinesSink(f"{folder}/frames.jsonl")
for index in range(100):
    image = np.full((120, 160, 3), index, np.uint8)
    image[index : index + 10] = 255
    video.write(image)
    lines.write({"frame": index})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_a_video_that_plays_and_whole_lines(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(decode(tmp_path / "overlay.mp4")) >= 80
    lines = (tmp_path / "frames.jsonl").read_bytes()
    assert lines.endswith(b"\n")
    assert [json.loads(line)["frame"] for line in lines.splitlines()] == list(range(100))


def test_masks_are_indexed_and_coloured(tmp_path: Path) -> None:
    labels = (np.arange(71 * 95) % 11).astype(np.uint8).reshape(71, 95)
    labels[0, 0] = anatomy.IGNORED
    MaskSink(tmp_path / "masks").write(12, labels)
    (path,) = (tmp_path / "masks").iterdir()
    assert path.name == "000012.png"
    image = pytest.importorskip("PIL.Image").open(path)
    assert image.mode == "P"
    np.testing.assert_array_equal(np.array(image), labels)
    colours = cv2.imread(str(path))[..., ::-1]
    needle = anatomy.structure_named("needle")
    assert tuple(colours[labels == needle.id][0]) == needle.colour


def test_json_is_whole_and_knows_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "session.json", {"frames": np.int64(3), "name": "Hüfte", "ms": np.array([1.5, 2.5])})
    assert json.loads((tmp_path / "session.json").read_text("utf-8")) == {
        "frames": 3,
        "name": "Hüfte",
        "ms": [1.5, 2.5],
    }
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "session.json", {"distance_mm": float("nan")})
    assert json.loads((tmp_path / "session.json").read_text("utf-8"))["frames"] == 3
    assert len(list(tmp_path.iterdir())) == 1


def test_a_session_folder_is_claimed_once(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "out" / "clip")
    write_json(folder.file("session.json"), {})
    MaskSink(folder.file("masks")).write(0, np.zeros((16, 16), np.uint8))
    (folder.path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="--overwrite") as caught:
        SessionFolder(folder.path)
    assert caught.value.exit_code == 2
    SessionFolder(folder.path, overwrite=True)
    assert [path.name for path in folder.path.iterdir()] == ["notes.txt"]


def test_a_session_folder_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="is a file"):
        SessionFolder(tmp_path / "out")
    with pytest.raises(OutputError):
        SessionFolder(tmp_path / "out" / "below")
    with pytest.raises(OutputError):
        SessionFolder("/proc/hipseg")


@pytest.mark.usefixtures("as_anybody")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    for write in (SessionFolder, VIDEO_OF_ONE_SIZE, JsonLinesSink):
        with pytest.raises(OutputError, match="cannot be written") as caught:
            write(tmp_path / "locked" / "results")
        assert "permission" in str(caught.value)


def refuse_for_lack_of_room(write: Callable[..., None], arguments: Iterable[tuple]) -> None:
    """Writes until the disk is full, and expects to be told so."""

    def write_all() -> None:
        for argument in arguments:
            write(*argument)

    with pytest.raises(OutputError, match="the disk is full"):
        write_all()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_device_without_room_is_an_output_error() -> None:
    refuse_for_lack_of_room(JsonLinesSink("/dev/full").write, [({"frame": 0},)])
    refuse_for_lack_of_room(VideoSink("/dev/full", 25, 72, 96).write, ((rgb(frame),) for frame in speckle_clip(40)))


def test_lines_stay_whole_on_a_full_disk(full_disk: Path) -> None:
    records = (({"frame": index, "structures": "x" * 1001},) for index in range(100_000))
    refuse_for_lack_of_room(JsonLinesSink(full_disk / "frames.jsonl").write, records)
    lines = (full_disk / "frames.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) > 100
    assert all(json.loads(line)["frame"] == index for index, line in enumerate(lines))


def test_masks_stay_whole_on_a_full_disk(full_disk: Path) -> None:
    rng = np.random.default_rng(0)
    masks = ((index, rng.integers(0, 11, (200, 200), dtype=np.uint8)) for index in range(1000))
    refuse_for_lack_of_room(MaskSink(full_disk / "masks").write, masks)
    paths = list((full_disk / "masks").iterdir())
    assert paths
    assert all(cv2.imread(str(path)) is not None for path in paths)


def test_video_stays_playable_on_a_full_disk(full_disk: Path) -> None:
    sink = VideoSink(full_disk / "overlay.mp4", 25, 240, 320)
    refuse_for_lack_of_room(sink.write, ((rgb(speckle(240, 320, index % 7)),) for index in range(1000)))
    sink.close()
    assert len(decode_until_broken(full_disk / "overlay.mp4")) >= 10


def decode_until_broken(path: Path) -> list[np.ndarray]:
    frames: list[np.ndarray] = []
    with av.open(str(path)) as container:
        try:
            for frame in container.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
        except av.FFmpegError:
            pass
    return frames
