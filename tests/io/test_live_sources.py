"""Cameras, replays and network streams: frames with their times, and faults that end in one clear line."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_clips import approaching_needle, images_of, write_dicom_clip, write_images

from hipseg.errors import SourceError, UsageError
from hipseg.io import SourceOptions, open_source
from hipseg.io.camera import ask, camera_pictures
from hipseg.io.live_source import LivePicture, LiveSource, live_info
from hipseg.io.network_stream import address_without_secrets
from hipseg.io.replay import ReplaySource

RNG = np.random.default_rng(3)
COLOUR = RNG.integers(0, 256, (48, 64, 3)).astype(np.uint8)
FULL = SourceOptions(region="full", silent_after_s=2)


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_dicom_clip(tmp_path / "clip.dcm", images_of(approaching_needle(5)))


def test_a_replay_keeps_the_recordings_pace(clip: Path) -> None:
    clock = Clock()
    source = ReplaySource(lambda: open_source(str(clip)), clock=clock, sleep=clock.sleep)
    frames = list(source.frames())
    assert [frame.taken_s for frame in frames] == pytest.approx([50, 50.04, 50.08, 50.12, 50.16])
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert (source.info.is_live, source.info.kind, source.info.num_frames) == (True, "replay", 5)
    assert frames[0].spacing is not None


def test_a_looped_replay_goes_on_without_a_seam(clip: Path) -> None:
    clock = Clock()
    source = ReplaySource(lambda: open_source(str(clip)), loop=True, clock=clock, sleep=clock.sleep)
    frames = list(itertools.islice(source.frames(), 12))
    source.close()
    assert [frame.index for frame in frames] == list(range(12))
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx([0.04] * 11)
    np.testing.assert_array_equal(frames[6].image_HW, frames[1].image_HW)
    rounds = [len(list(group)) for _, group in itertools.groupby(frame.source_id for frame in frames)]
    assert rounds == [5, 5, 2]  # what was remembered of the end says nothing of the beginning


def test_a_replay_that_is_late_does_not_sleep(clip: Path) -> None:
    clock = Clock()
    source = ReplaySource(lambda: open_source(str(clip)), clock=clock, sleep=clock.sleep)
    frames = source.frames()
    next(frames)
    clock.now_s += 0.1
    assert [next(frames).taken_s for _ in range(3)] == pytest.approx([50.1, 50.1, 50.12])


def test_replay_is_opened_by_its_name(clip: Path) -> None:
    source = open_source(f"replay:{clip}")
    assert next(source.frames()).taken_s is not None
    source.close()


@pytest.mark.parametrize("name", ["none.dcm", "camera:0", "replay:clip.dcm", "igtl://127.0.0.1:1"])
def test_only_recordings_are_replayed(name: str) -> None:
    with pytest.raises(SourceError):
        open_source(f"replay:{name}")


class Capture:
    """What OpenCV's capture looks like from outside: a device that was unplugged answers (False, None)."""

    def __init__(self, *images: np.ndarray) -> None:
        self._images = list(images)
        self.asked: dict[int, float] = {}

    def read(self) -> tuple[bool, np.ndarray | None]:
        return (True, self._images.pop(0)) if self._images else (False, None)

    def set(self, what: int, value: float) -> bool:
        self.asked[what] = value
        return True


def camera(*images: np.ndarray) -> LiveSource:
    return LiveSource(live_info("camera:0", "camera"), camera_pictures(Capture(*images), "camera:0"), FULL)


def test_a_camera_that_is_taken_away() -> None:
    frames = camera(COLOUR, COLOUR).frames()
    assert [next(frames).index, next(frames).index] == [0, 1]
    with pytest.raises(SourceError, match=r"camera:0: the camera gives no more images; check its cable"):
        next(frames)


def test_a_camera_that_changes_colour_depth_and_size() -> None:
    grey = COLOUR[..., 0].copy()
    odd = [grey.astype(np.uint16), np.zeros((0, 0, 3), np.uint8), np.zeros((48, 64, 2), np.uint8)]
    source = camera(COLOUR, grey, *odd, np.tile(grey, (2, 1)))
    frames = source.frames()
    assert [next(frames).image_HW.shape for _ in range(3)] == [(48, 64), (48, 64), (96, 64)]
    assert source.info.counts == {"unusable_frames": 3}


def test_a_camera_is_asked_for_a_size_and_a_rate() -> None:
    device = Capture()
    ask(device, SourceOptions(frame_size=(720, 1280), frame_rate_hz=60))
    assert device.asked == {
        cv2.CAP_PROP_FRAME_HEIGHT: 720,
        cv2.CAP_PROP_FRAME_WIDTH: 1280,
        cv2.CAP_PROP_FPS: 60,
        cv2.CAP_PROP_BUFFERSIZE: 1,
    }


def test_a_region_that_a_smaller_image_does_not_have() -> None:
    pictures = iter([LivePicture(np.zeros(size, np.uint8), 1.0) for size in ((200, 300), (60, 60))])
    source = LiveSource(live_info("camera:0", "camera"), pictures, SourceOptions(region="150,100,64,64"))
    frames = source.frames()
    assert next(frames).region.x == 150
    with pytest.raises(SourceError, match="now gives 60 x 60 pixels"):
        next(frames)


def test_a_region_that_no_image_has_is_bad_usage() -> None:
    pictures = iter([LivePicture(np.zeros((60, 60), np.uint8), 1.0)])
    with pytest.raises(UsageError, match="lies outside the frame"):
        LiveSource(live_info("camera:0", "camera"), pictures, SourceOptions(region="150,100,64,64"))


def test_an_address_is_told_without_its_secrets() -> None:
    told = address_without_secrets("rtsp://user:secret@10.0.0.7:554/live/1?token=abc#x")
    assert told == "rtsp://10.0.0.7:554/live/1"
    with pytest.raises(SourceError) as fault:
        open_source("rtsp://user:secret@127.0.0.1:9/live")
    assert "secret" not in str(fault.value)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def jpeg_part(image: np.ndarray, share: float = 1.0) -> bytes:
    content = cv2.imencode(".jpg", image)[1].tobytes()
    content = content[: int(share * len(content))]
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(content) + content + b"\r\n"


@contextmanager
def mjpeg_server(*parts: bytes, pause_s: float = 0.02) -> Iterator[str]:
    """A server of one HTTP answer of several parts."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(
                    b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
                )
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause_s)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/live"
    listener.close()


def smooth(level: int, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    return np.full(size, level, np.uint8)


def test_mjpeg_over_http() -> None:
    levels = [40, 90, 140, 190, 60, 110]
    with mjpeg_server(*(jpeg_part(smooth(level)) for level in levels)) as address:
        source = open_source(address, FULL)
        frames = list(itertools.islice(source.frames(), 4))
        source.close()
    seen = [round(float(frame.image_HW.mean()) / 10) for frame in frames]
    # What comes in while the format is found out is gone: nothing waits in a live source.
    assert seen in ([4, 9, 14, 19], [9, 14, 19, 6], [14, 19, 6, 11])
    times_s = [frame.time_s for frame in frames]
    assert times_s == sorted(times_s)


def test_a_half_jpeg_is_passed_over_and_the_end_of_the_stream_is_a_loss() -> None:
    noise = RNG.integers(0, 256, (120, 160)).astype(np.uint8)
    parts = [jpeg_part(noise), jpeg_part(noise), jpeg_part(noise), jpeg_part(noise, 0.5), jpeg_part(noise)]
    with mjpeg_server(*parts) as address:
        source = open_source(address, FULL)
        frames = source.frames()
        for image_HW in (next(frames).image_HW, next(frames).image_HW):
            assert np.abs(image_HW.astype(int) - noise).mean() < 20
        with pytest.raises(SourceError, match=r"ended the stream|broke off|gives no more images"):
            list(frames)
        source.close()
    assert source.info.counts == {"unusable_frames": 1}


@pytest.mark.parametrize("answer", [b"HTTP/1.0 404 Not Found\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nno video at all", b""])
def test_an_answer_that_is_no_video(answer: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    with pytest.raises(SourceError) as fault:
        open_source(f"http://127.0.0.1:{listener.getsockname()[1]}/live", FULL)
    listener.close()
    assert fault.value.exit_code == 3


def test_a_stream_that_never_sends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SourceError, match="no answer in time"):
        open_source(f"http://127.0.0.1:{silent.getsockname()[1]}/live", SourceOptions(silent_after_s=0.5))


@pytest.fixture
def ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("needs Debian's ffmpeg")
    return program


def test_a_stream_of_ffmpeg(ffmpeg: str, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", images_of(approaching_needle(12)))
    address = f"http://127.0.0.1:{free_port()}/live"
    command = [ffmpeg, "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", f"{folder}/frame_%03d.png"]
    server = subprocess.Popen([*command, "-q:v", "2", "-f", "mpjpeg", "-listen", "1", address])
    try:
        frames = _frames_of(address, 10)
    finally:
        server.kill()
        server.wait()
    assert {frame.image_HW.shape for frame in frames} == {(240, 320)}
    assert np.abs(frames[0].image_HW.astype(int) - images_of(approaching_needle(1))[0]).mean() < 6


def _frames_of(address: str, number: int) -> list:
    for attempt in itertools.count():
        try:
            source = open_source(address, FULL)
        except SourceError:
            assert attempt < 60
            time.sleep(0.1)
            continue
        try:
            return list(itertools.islice(source.frames(), number))
        finally:
            source.close()
    raise AssertionError
