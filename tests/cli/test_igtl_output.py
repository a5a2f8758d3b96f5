"""What is sent by OpenIGTLink: read back by 3D Slicer's own Python client, and checked byte by byte."""

from __future__ import annotations

import json
import math
import socket
import struct
import threading
import time
from typing import Any

import numpy as np
import pyigtl
import pytest
from drawn_scenes import DrawnScene
from igtl_peer import crc64

from hipseg.cli.igtl_output import ALERTS, HEALTH, LABELS, NEEDLE, POINTS, frame_messages, needle_pose, state_messages
from hipseg.cli.pipeline import FrameWork
from hipseg.errors import UsageError
from hipseg.frame import Frame, Spacing
from hipseg.guidance.alerts import ActiveAlert
from hipseg.guidance.config import GuidanceConfig, Priority
from hipseg.guidance.engine import GuidanceEngine
from hipseg.io.igtl.messages import HEADER_BYTES, parse_header
from hipseg.io.igtl.server import IgtlServer

LOST = ActiveAlert("source_lost", Priority.medium, "Source lost: guidance off", None, None)


def work(spacing: Spacing | None) -> FrameWork:
    scene = DrawnScene()
    segmentation = scene.segmentation()
    frame = Frame(np.zeros((scene.height, scene.width), np.uint8), 3, 0.1, spacing, scene.region, "clip")
    engine = GuidanceEngine(GuidanceConfig(), still=True)
    guidance = engine.step(segmentation, frame=3, time_s=0.1, spacing=spacing, region=scene.region)
    return FrameWork(frame, segmentation=segmentation, guidance=guidance)


def parsed(data: bytes) -> dict[str, tuple[str, bytes]]:
    """Device to kind and body; every checksum must be the protocol's."""
    found = {}
    while data:
        header = parse_header(data[:HEADER_BYTES])
        body, data = data[HEADER_BYTES:][: header.body_bytes], data[HEADER_BYTES + header.body_bytes :]
        assert header.device != LABELS or len(body) == 72 + DrawnScene().height * DrawnScene().width
        if header.device != LABELS:  # a whole image takes Python a while
            assert header.checksum == crc64(body)
        found[header.device] = (header.kind, body)
    return found


def test_a_guided_frame_sends_everything() -> None:
    scene = DrawnScene()
    found = parsed(frame_messages(work(scene.spacing), guidance_shown=True))
    kinds = {device: kind for device, (kind, _) in found.items()}
    assert kinds == {LABELS: "IMAGE", NEEDLE: "TRANSFORM", POINTS: "POINT", ALERTS: "STRING", HEALTH: "STATUS"}
    matrix = np.array(struct.unpack(">12f", found[NEEDLE][1])).reshape(4, 3).T
    assert scene.tip is not None
    np.testing.assert_allclose(matrix[:2, 3], scene.tip, atol=0.6)
    assert np.linalg.norm(matrix[:, 0]) == pytest.approx(1)
    assert np.linalg.det(matrix[:, :3]) == pytest.approx(1)
    assert struct.unpack(">H", found[HEALTH][1][:2]) == (1,)
    names = [
        found[POINTS][1][start : start + 64].rstrip(b"\0").decode() for start in range(0, len(found[POINTS][1]), 136)
    ]
    assert names == ["tip", "entry", "target"]


@pytest.mark.parametrize(("spacing", "shown"), [(None, True), (DrawnScene().spacing, False)])
def test_without_scale_or_guidance_no_position_is_sent(spacing: Spacing | None, shown: bool) -> None:
    found = parsed(frame_messages(work(spacing), guidance_shown=shown))
    assert not {NEEDLE, POINTS} & found.keys()
    assert {LABELS, ALERTS, HEALTH} <= found.keys()


def test_health_says_that_there_is_no_guidance_and_why() -> None:
    found = parsed(state_messages([LOST], guidance_shown=False))
    code, _, name = struct.unpack(">Hq20s", found[HEALTH][1][:30])
    assert (code, name.rstrip(b"\0"), found[HEALTH][1][30:]) == (13, b"NO_GUIDANCE", b"Source lost: guidance off\0")
    text = json.loads(found[ALERTS][1][4:])
    assert text == [{"id": "source_lost", "priority": "medium", "message": "Source lost: guidance off"}]


def test_the_pose_of_a_needle() -> None:
    pose = needle_pose((30.0, 40.0, 0.0), (0.0, 0.0, 0.0))
    np.testing.assert_allclose(pose[:3, 0], [0.6, 0.8, 0])
    np.testing.assert_allclose(pose @ [-50, 0, 0, 1], [0, 0, 0, 1], atol=1e-12)
    assert np.isfinite(needle_pose((1, 1, 0), (1, 1, 0))).all()


def test_3d_slicers_client_receives_it() -> None:
    content = work(DrawnScene().spacing)
    stop = threading.Event()
    with IgtlServer(0) as server:

        def publish() -> None:
            while not stop.wait(0.05):
                server.publish(lambda: frame_messages(content, guidance_shown=True))

        threading.Thread(target=publish, daemon=True).start()
        client = pyigtl.OpenIGTLinkClient("127.0.0.1", server.port)
        received: dict[str, Any] = {
            name: client.wait_for_message(name, timeout=20) for name in (LABELS, NEEDLE, ALERTS)
        }
        stop.set()
        client.stop()
    assert content.segmentation is not None
    np.testing.assert_array_equal(received[LABELS].image[0], content.segmentation.labels_HW)
    spacing = DrawnScene().spacing
    assert spacing is not None
    assert received[LABELS].ijk_to_world_matrix[0, 0] == pytest.approx(spacing.column_mm)
    assert math.isfinite(received[NEEDLE].matrix.sum())
    assert isinstance(json.loads(received[ALERTS].string), list)


def test_a_client_that_does_not_read_holds_nobody_up() -> None:
    with IgtlServer(0) as server, socket.create_connection(("127.0.0.1", server.port)):
        deadline_s = time.monotonic() + 10
        while not server.has_clients and time.monotonic() < deadline_s:
            time.sleep(0.01)
        begin_s = time.monotonic()
        for _ in range(200):
            server.publish(lambda: bytes(1_000_000))
        assert time.monotonic() - begin_s < 2


def test_a_port_in_use_is_refused() -> None:
    with IgtlServer(0) as server, pytest.raises(UsageError, match=f"port {server.port} cannot be opened"):
        IgtlServer(server.port)
