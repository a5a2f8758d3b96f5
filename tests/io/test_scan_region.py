"""The scan on a screen is found by its content, whatever stands around it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import speckle, write_video

from hipseg.frame import ImageHW, ScanRegion
from hipseg.io import find_scan_region, open_source
from hipseg.io.grey import rgb_to_grey


def edges(region: ScanRegion) -> tuple[int, int, int, int]:
    return region.x, region.y, region.x + region.width, region.y + region.height


def screen_with_furniture(scan_HW: ImageHW, x: int, y: int, height: int = 480, width: int = 640) -> ImageHW:
    """A machine's screen: a scan with text, a grey bar, a depth ruler and a logo around it."""
    screen = np.zeros((height, width), np.uint8)
    screen[y : y + scan_HW.shape[0], x : x + scan_HW.shape[1]] = scan_HW
    for row, text in enumerate(("HIP RIGHT  MSK", "MI 0.9 TIS 0.2", "12 MHz 5.0 cm")):
        cv2.putText(screen, text, (6, 18 + 14 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 230, 1)
    cv2.putText(screen, "FREEZE 48/48", (500, height - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1)
    screen[100:300, 6:16] = np.linspace(255, 0, 200)[:, None]
    for tick in range(60, 440, 40):
        screen[tick, width - 20 : width - 12] = 200
    cv2.circle(screen, (width - 40, 24), 9, 180, -1)
    return screen


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 200), st.integers(60, 140), st.integers(160, 380), st.integers(140, 300), st.integers(0, 1000))
def test_a_linear_scan_anywhere_on_the_screen(x: int, y: int, width: int, height: int, seed: int) -> None:
    screen = screen_with_furniture(speckle(height, width, seed), x, y)
    assert edges(find_scan_region(screen)) == pytest.approx((x, y, x + width, y + height), abs=4)


def sector(height: int, width: int, opening_deg: float, seed: int = 0) -> tuple[ImageHW, tuple[int, int, int, int]]:
    """A curvilinear scan: speckle between two arcs, and the box around it."""
    y, x = np.mgrid[:height, :width]
    radius = np.hypot(x - width / 2, y + 60)
    angle_deg = np.degrees(np.arctan2(x - width / 2, y + 60))
    inside = (radius > 110) & (radius < height - 10 + 60) & (abs(angle_deg) < opening_deg)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return np.where(inside, speckle(height, width, seed), 0).astype(np.uint8), box


@pytest.mark.parametrize("opening_deg", [20, 35, 50])
def test_a_sector_scan(opening_deg: float) -> None:
    scan, box = sector(480, 640, opening_deg)
    screen = np.maximum(screen_with_furniture(np.zeros((1, 1), np.uint8), 0, 0), scan)
    found = edges(find_scan_region(screen))
    # The corners of a fan are thin: their last few pixels may be left out.
    assert found == pytest.approx(box, abs=14)


def test_deep_echoes_below_a_shadow_belong_to_the_scan() -> None:
    scan = speckle(300, 300)
    scan[180:200] = 0
    scan[200:] = np.where(speckle(100, 300, 3) > 130, 12, 0)
    screen = screen_with_furniture(scan, 120, 90)
    assert edges(find_scan_region(screen)) == pytest.approx((120, 90, 420, 390), abs=6)


def test_a_scan_that_fills_the_frame_is_kept_whole() -> None:
    region = find_scan_region(speckle(200, 300))
    assert edges(region) == (0, 0, 300, 200)


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_plain_image_is_taken_whole(level: int) -> None:
    region = find_scan_region(np.full((64, 80), level, np.uint8))
    assert region == ScanRegion(0, 0, 80, 64, "full")


@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 10**6), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_the_box_always_lies_in_the_image(height: int, width: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    noise = np.where(rng.random((height, width)) < share, rng.integers(0, 256, (height, width)), 0)
    left, top, right, bottom = edges(find_scan_region(noise.astype(np.uint8)))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_the_region_is_decided_once_on_the_brightest_of_the_first_frames(tmp_path: Path) -> None:
    frames = [screen_with_furniture(speckle(300, 300, seed), 120, 90) for seed in range(10)]
    frames[0][240:] = 0
    write_video(tmp_path / "clip.mp4", frames)
    source = open_source(str(tmp_path / "clip.mp4"))
    assert edges(source.info.region) == pytest.approx((120, 90, 420, 390), abs=8)
    assert {frame.region for frame in source.frames()} == {source.info.region}


def read_grey(path: Path) -> ImageHW:
    return rgb_to_grey(np.ascontiguousarray(cv2.imread(str(path))[..., ::-1]))


@pytest.mark.parametrize(
    ("name", "box"),
    [
        # Boxes read by eye, on screens with text, rulers, grey bars and logos.
        ("muscle/TimTrack_paper_dataset_1_S8_S8_L20_step_025.png", (26, 0, 489, 458)),
        ("vessels/images/0014.png", (71, 0, 437, 474)),
        ("vessels/images/0101.png", (0, 113, 534, 362)),
        ("vessels/images/0069.png", (84, 0, 633, 575)),
    ],
)
def test_real_screens(shared_data: Path, name: str, box: tuple[int, int, int, int]) -> None:
    image_HW = read_grey(shared_data / name)
    assert edges(find_scan_region(image_HW)) == pytest.approx(box, abs=8)


def test_real_images_without_margins_keep_nearly_all_of_themselves(shared_data: Path) -> None:
    for path in sorted((shared_data / "femoral" / "images").glob("*.jpg"))[::3]:
        image_HW = read_grey(path)
        region = find_scan_region(image_HW)
        assert region.width * region.height > 0.85 * image_HW.size, path.name
