"""What was found, as OpenIGTLink messages for 3D Slicer and others.

    IMAGE      hipseg_labels    label map of the frame
    TRANSFORM  hipseg_needle    origin at the tip, first axis along the shaft
    POINT      hipseg_points    tip, entry, target
    STRING     hipseg_alerts    JSON: the alerts that stand
    STATUS     hipseg           1 (OK), or 13 (not ready) while guidance is withdrawn

Points are in millimetres from the centre of the frame's first pixel: x to the right, y down. Needle and points are left
out without scale and while guidance is withdrawn: what is not known is not sent, and never an old value.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hipseg.cli.pipeline import FrameWork
from hipseg.guidance.alerts import ActiveAlert
from hipseg.guidance.engine import Guidance
from hipseg.io.igtl import messages

LABELS, NEEDLE, POINTS, ALERTS, HEALTH = "hipseg_labels", "hipseg_needle", "hipseg_points", "hipseg_alerts", "hipseg"

_LONGEST_TEXT = 60_000


def frame_messages(work: FrameWork, *, guidance_shown: bool) -> bytes:
    """Everything that is known of a frame."""
    assert work.guidance is not None
    assert work.segmentation is not None
    guidance, frame, now_s = work.guidance, work.frame, time.time()
    labels_HW = np.zeros(frame.image_HW.shape, np.uint8)
    labels_HW[frame.region.slices] = work.segmentation.labels_HW
    parts = [messages.encode_image(labels_HW, frame.spacing, LABELS, now_s)]
    if guidance_shown:
        points_mm = points_of(guidance)
        if points_mm:
            parts.append(messages.encode_points(points_mm, POINTS, now_s))
        if {"tip", "entry"} <= points_mm.keys():
            pose = needle_pose(points_mm["tip"], points_mm["entry"])
            parts.append(messages.encode_transform(pose, NEEDLE, now_s))
    return b"".join(parts) + state_messages(guidance.alerts, guidance_shown=guidance_shown)


def state_messages(alerts: Sequence[ActiveAlert], *, guidance_shown: bool) -> bytes:
    """Health and alerts alone, for moments without a frame."""
    now_s = time.time()
    listed = [{"id": alert.id, "priority": alert.priority.value, "message": alert.message} for alert in alerts]
    code, name = (messages.STATUS_OK, "OK") if guidance_shown else (messages.STATUS_NOT_READY, "NO_GUIDANCE")
    text = "guidance stands" if guidance_shown else "; ".join(alert.message for alert in alerts) or "no guidance"
    return messages.encode_string(json.dumps(listed)[:_LONGEST_TEXT], ALERTS, now_s) + messages.encode_status(
        code, name, text, HEALTH, now_s
    )


def points_of(guidance: Guidance) -> dict[str, tuple[float, float, float]]:
    """Tip, entry and target as far as they are known, x, y, z in millimetres; none without scale."""
    if guidance.spacing is None:
        return {}
    needle, target = guidance.needle, guidance.target
    known = {
        "tip": needle.tip_mm if needle else None,
        "entry": needle.entry_mm if needle else None,
        "target": target.point_mm if target else None,
    }
    size_mm = np.array([guidance.spacing.column_mm, guidance.spacing.row_mm])
    points = {}
    for name, point_mm in known.items():
        if point_mm is not None and np.isfinite(point_mm).all():
            x_mm, y_mm = (guidance.plane.to_frame_px(point_mm) * size_mm).tolist()
            points[name] = (x_mm, y_mm, 0.0)
    return points


def needle_pose(tip_mm: Sequence[float], entry_mm: Sequence[float]) -> npt.NDArray[np.float64]:
    """4 x 4: the tip as origin, the first axis from entry to tip, the third one out of the image."""
    along = np.subtract(tip_mm, entry_mm)
    length = float(np.linalg.norm(along))
    x_axis = along / length if length > 0 else np.array([1.0, 0.0, 0.0])
    z_axis = np.array([0.0, 0.0, 1.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x_axis, np.cross(z_axis, x_axis), z_axis], axis=1)
    pose[:3, 3] = tip_mm
    return pose
