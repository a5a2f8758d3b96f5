"""OpenIGTLink against a peer written from the protocol, and against the library's own example server."""

from __future__ import annotations

import itertools
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from igtl_peer import crc64, image_body, image_message, message, serving, status_message, with_metadata

from hipseg.errors import SourceError
from hipseg.frame import Frame, Spacing
from hipseg.io import SourceOptions, open_source
from hipseg.io.igtl.messages import encode_image, parse_header

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (48, 64)).astype(np.uint8)
IMPATIENT = SourceOptions(silent_after_s=0.3, region="full")
EXAMPLES = Path("/usr/share/doc/openigtlink-examples/examples/Imager")


def received(port: int, number: int, options: SourceOptions = IMPATIENT, device: str = "") -> list[Frame]:
    source = open_source(f"igtl://127.0.0.1:{port}{device}", options)
    try:
        return list(itertools.islice(source.frames(), number))
    finally:
        source.close()


def refusal(*scripts: object, spec: str = "") -> str:
    with serving(*scripts) as port, pytest.raises(SourceError) as fault:  # type: ignore[arg-type]
        received(port, 99, device=spec)
    assert fault.value.exit_code == 3
    assert "\n" not in str(fault.value)
    return str(fault.value)


def test_images_arrive_as_they_were_sent_with_scale_and_time() -> None:
    sent = [message("IMAGE", image_body(GREY + np.uint8(k), (0.2, 0.1)), stamp_s=1e9 + 0.04 * k) for k in range(3)]
    with serving(sent) as port:
        frames = received(port, 3)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image_HW, GREY + np.uint8(index))
        assert frame.time_s == pytest.approx(0.04 * index, abs=1e-6)
        assert frame.spacing == Spacing(pytest.approx(0.2), pytest.approx(0.1), "igtl")  # type: ignore[arg-type]
        assert frame.taken_s == pytest.approx(time.monotonic(), abs=5)


def test_header_version_2_with_metadata_as_plus_sends_it() -> None:
    body = with_metadata(image_body(GREY), {"FrameNumber": "12", "ImageOrientation": "MF"})
    with serving([message("IMAGE", body, version=2)]) as port:
        (frame,) = received(port, 1)
    np.testing.assert_array_equal(frame.image_HW, GREY)
    assert frame.spacing is not None


def test_colour_becomes_grey() -> None:
    with serving([image_message(np.repeat(GREY[..., None], 3, axis=2))]) as port:
        (frame,) = received(port, 1)
    np.testing.assert_array_equal(frame.image_HW, GREY)


def test_other_messages_are_counted_and_passed_over() -> None:
    text = message("STRING", struct.pack(">HH", 3, 2) + b"hi")
    script = [status_message(), text, image_message(GREY), message("WEIRD\xff", b"?" * 9), image_message(GREY)]
    with serving(script) as port:
        source = open_source(f"igtl://127.0.0.1:{port}", IMPATIENT)
        assert len(list(itertools.islice(source.frames(), 2))) == 2
        source.close()
    counts = {"ignored_STATUS_messages": 1, "ignored_STRING_messages": 1, "ignored_other_messages": 1}
    assert source.info.counts == counts


@pytest.mark.parametrize(("device", "level"), [("", 1), ("/A", 1), ("/B", 2)])
def test_one_device_is_followed(device: str, level: int) -> None:
    script = [image_message(np.full((48, 64), 1 + k % 2, np.uint8), device="AB"[k % 2]) for k in range(8)]
    with serving(script) as port:
        frames = received(port, 3, device=device)
    assert {int(frame.image_HW.max()) for frame in frames} == {level}


def test_a_sender_that_knows_no_scale_is_not_believed() -> None:
    with serving([image_message(GREY, (1.0, 1.0))]) as port:
        source = open_source(f"igtl://127.0.0.1:{port}", IMPATIENT)
        assert source.info.spacing is None
        assert "--spacing" in source.info.warnings[0]
        source.close()


def test_size_and_scale_may_change_in_mid_stream() -> None:
    large = np.tile(GREY, (2, 2))
    with serving([image_message(GREY), image_message(large, (0.1, 0.1)), image_message(GREY)]) as port:
        frames = received(port, 3)
    assert [frame.image_HW.shape for frame in frames] == [(48, 64), (96, 128), (48, 64)]
    assert [frame.region.height for frame in frames] == [48, 96, 48]
    assert [frame.spacing.row_mm for frame in frames if frame.spacing] == pytest.approx([0.2, 0.1, 0.2])


ODD = {
    "depth": message("IMAGE", image_body(GREY.astype(np.uint16), scalar=5)),
    "float": message("IMAGE", image_body(GREY.astype(np.float32), scalar=10)),
    "empty": message("IMAGE", image_body(np.zeros((0, 0), np.uint8))),
    "tiny": message("IMAGE", image_body(np.zeros((2, 2), np.uint8))),
    "volume": message("IMAGE", image_body(GREY, size=(64, 24, 2))),
    "four components": message("IMAGE", image_body(np.zeros((48, 64, 4), np.uint8))),
    "half": message("IMAGE", image_body(GREY)[:-1000]),
    "no header": message("IMAGE", b"\0" * 7),
    "nothing": message("IMAGE", b""),
    "damaged": message("IMAGE", image_body(GREY), crc=1234),
    "bad metadata": message("IMAGE", b"\xff" * 200, version=2),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_image_that_is_none_is_passed_over(odd: str) -> None:
    with serving([image_message(GREY), ODD[odd], ODD[odd], image_message(GREY)]) as port:
        source = open_source(f"igtl://127.0.0.1:{port}", IMPATIENT)
        frames = list(itertools.islice(source.frames(), 2))
        source.close()
    assert [frame.index for frame in frames] == [0, 1]
    assert source.info.counts == {"unusable_frames": 2}


def paced(chunks: list[bytes], pause_s: float = 0.05) -> object:
    def send(connection: socket.socket) -> None:
        for chunk in itertools.chain.from_iterable(itertools.repeat(chunks)):
            connection.sendall(chunk)
            time.sleep(pause_s)

    return send


def test_a_source_that_gives_nothing_usable_says_what_it_gives() -> None:
    assert "images of uint16 instead of uint8" in refusal(paced([ODD["depth"]]))
    assert "an image of 2 x 2 pixels" in refusal(paced([ODD["tiny"]]))


def test_a_source_that_never_sends() -> None:
    assert "sent nothing for 0.3 s" in refusal(lambda _connection: time.sleep(1))


def test_a_source_that_sends_everything_but_images() -> None:
    assert "sent no image for 0.3 s (" in refusal(paced([status_message()]))
    assert "of device 'Left'" in refusal(paced([image_message(GREY, device="Right")]), spec="/Left")


def test_a_message_that_stops_in_the_middle() -> None:
    def stop(connection: socket.socket) -> None:
        connection.sendall(image_message(GREY) + image_message(GREY)[:500])
        time.sleep(1)

    assert "stopped in the middle of a message" in refusal(stop)


def test_a_connection_that_drips() -> None:
    def drip(connection: socket.socket) -> None:
        for byte in image_message(GREY):
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    assert "sent nothing for 0.3 s" in refusal(drip)


def test_a_server_that_goes_away() -> None:
    assert "closed the connection" in refusal([image_message(GREY)])


@pytest.mark.parametrize("talk", [b"HTTP/1.1 200 OK\r\n" + b"x" * 60, b"\x00\x01" + b"\xff" * 56])
def test_another_protocol(talk: bytes) -> None:
    assert "does not speak OpenIGTLink" in refusal([talk])


def test_nobody_listens() -> None:
    with serving() as port:
        pass
    with pytest.raises(SourceError, match="cannot be reached"):
        open_source(f"igtl://127.0.0.1:{port}")


def test_what_we_send_has_the_checksum_of_the_protocol() -> None:
    sent = encode_image(GREY, Spacing(0.2, 0.1, "user"), "Labels", 12.5)
    header = parse_header(sent[:58])
    assert (header.kind, header.device, header.stamp_s) == ("IMAGE", "Labels", 12.5)
    assert header.checksum == crc64(sent[58:])
    body, expected = sent[58:], image_body(GREY, (0.2, 0.1))
    assert (body[:5], body[6:48], body[60:]) == (expected[:5], expected[6:48], expected[60:])


@pytest.fixture(scope="module")
def imager_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The OpenIGTLink library's own example server, built from Debian's openigtlink-examples."""
    source = EXAMPLES / "ImagerServer.cxx"
    if not (source.is_file() and shutil.which("g++") and Path("/usr/include/openigtlink").is_dir()):
        pytest.skip("needs g++ and Debian's openigtlink-examples and libopenigtlink-dev")
    program = tmp_path_factory.mktemp("imager") / "ImagerServer"
    build = ["g++", "-I/usr/include/openigtlink", str(source), "-lOpenIGTLink", "-lpthread", "-o", str(program)]
    subprocess.run(build, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([program, str(port), "50", f"{EXAMPLES / 'img'}"], stdout=subprocess.DEVNULL)
    yield port
    server.kill()
    server.wait()


def test_the_reference_implementation_is_understood(imager_server: int) -> None:
    """256 x 256 images under a random orientation, whose vectors the example leaves at unit length."""
    for attempt in itertools.count():
        try:
            frames = received(imager_server, 10, SourceOptions(region="full"))
            break
        except SourceError:
            assert attempt < 50
            time.sleep(0.1)
    expected = [
        np.fromfile(EXAMPLES / "img" / f"igtlTestImage{k}.raw", np.uint8).reshape(256, 256) for k in range(1, 6)
    ]
    for frame in frames:
        assert any(np.array_equal(frame.image_HW, image) for image in expected)
    assert len({frame.image_HW.tobytes() for frame in frames}) == 5
