"""Layouts of the overlay: what each shows and leaves out; footer and colours that everyone can tell apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from drawn_scenes import DrawnScene

from hipseg import anatomy
from hipseg.display import palette
from hipseg.display.config import DisplayConfig, OverlayLayout
from hipseg.display.overlay import Overlay
from hipseg.display.pace import Pace
from hipseg.frame import Frame
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import GuidanceEngine

HIP = DrawnScene()

MACHADO = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab_seen(colour: tuple[int, int, int], matrix: list[list[float]]) -> np.ndarray:
    """CIELAB of an sRGB colour as a dichromat sees it."""
    share = np.array(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    x, y, z = _XYZ @ np.clip(np.array(matrix) @ linear, 0, 1) / (0.9505, 1.0, 1.089)
    fx, fy, fz = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


@pytest.mark.parametrize("kind", MACHADO)
def test_colours_are_told_apart_by_the_colour_blind(kind: str) -> None:
    """A difference of about 2.3 is just noticeable; every structure has its name besides."""
    marks = {structure.name: structure.colour for structure in anatomy.STRUCTURES[1:]} | {"target": palette.TARGET}
    seen = {name: lab_seen(colour, MACHADO[kind]) for name, colour in marks.items()}
    alarms = {priority.value: lab_seen(colour, MACHADO[kind]) for priority, colour in palette.ALARM.items()}
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 11, (one, other)
    for name, alarm in itertools.product(seen, alarms):
        assert np.linalg.norm(seen[name] - alarms[alarm]) > 11, (name, alarm)


def picture(layout: OverlayLayout, drawn: DrawnScene = HIP, grey: int = 60) -> np.ndarray:
    segmentation, region = drawn.segmentation(), drawn.region
    engine = GuidanceEngine(GuidanceConfig(), still=True)
    guidance = engine.step(segmentation, frame=7, time_s=0.25, spacing=drawn.spacing, region=region)
    frame = Frame(np.full((drawn.height, drawn.width), grey, np.uint8), 7, 0.25, drawn.spacing, region, "clip")
    return Overlay(region, DisplayConfig(layout)).draw(frame, segmentation, guidance)


def shows(canvas: np.ndarray, class_id: int) -> bool:
    colour = anatomy.STRUCTURES[class_id].colour
    return bool((np.abs(canvas.astype(int) - colour).max(axis=2) < 30).sum() > 20)


def test_the_quiet_layout_shows_needle_target_and_vessels_only() -> None:
    quiet = picture(OverlayLayout.quiet)
    assert shows(quiet, anatomy.FEMORAL_ARTERY)
    assert not any(shows(quiet, one) for one in (anatomy.FEMORAL_HEAD, anatomy.ANTERIOR_CAPSULE, anatomy.JOINT_RECESS))
    assert (np.abs(quiet.astype(int) - palette.TARGET).max(axis=2) < 30).any()
    panel = Overlay(HIP.region).layout.panel
    rows = slice(panel.y + panel.height // 2, panel.y + panel.height)
    assert (quiet[rows, panel.x :] == palette.GROUND).all()


def test_outlines_only_have_no_names() -> None:
    """Names are the only difference in a colour: fewer pixels of it, yet an outline."""
    counts = [
        (np.abs(picture(layout).astype(int) - anatomy.STRUCTURES[anatomy.FEMORAL_ARTERY].colour).max(axis=2) < 30).sum()
        for layout in (OverlayLayout.standard, OverlayLayout.outline)
    ]
    assert 20 < counts[1] < counts[0]


def test_side_by_side_has_the_bare_image_beside_the_standard_picture() -> None:
    both, standard = picture(OverlayLayout.side_by_side), picture(OverlayLayout.standard)
    assert (both[:, -standard.shape[1] :] == standard).all()
    box = Overlay(HIP.region).layout.image
    assert (both[box.y : box.y + box.height, : box.width] == 60).all()
    assert both.shape[1] % 2 == both.shape[0] % 2 == 0


def test_a_heat_map_shades_what_is_sure() -> None:
    warm, box = picture(OverlayLayout.heat_map), Overlay(HIP.region).layout.image
    head = np.argwhere(HIP.labels() == anatomy.FEMORAL_HEAD)
    row, column = head[len(head) // 2]
    shade = warm[box.y + row, box.x + column].astype(float)
    expected = 0.4 * 60 + 0.6 * np.array(anatomy.STRUCTURES[anatomy.FEMORAL_HEAD].colour)
    assert shade == pytest.approx(expected, abs=8)


@pytest.mark.parametrize(("height", "width"), [(480, 640), (1080, 1920), (60, 90)])
@pytest.mark.parametrize("layout", list(OverlayLayout))
def test_every_layout_fits_every_size(layout: OverlayLayout, height: int, width: int) -> None:
    assert picture(layout, HIP.with_(height=height, width=width)).ndim == 3


def test_the_footer_tells_rate_and_age() -> None:
    pace, words = Pace(), ""
    for index in range(5):
        words = pace.words(Frame(np.zeros((2, 2), np.uint8), index, index / 25, None, HIP.region, "c", taken_s=None))
    assert words.split() == ["25", "FPS"]
    assert "ms" in pace.words(Frame(np.zeros((2, 2), np.uint8), 5, 0.2, None, HIP.region, "c", taken_s=0.0))
