"""Does a memory tell a needle from a still line of the same look? python scripts/needle_or_line.py

Every clip of speckle drifts a little and shows one bright straight piece: a needle that is pushed forward through the
tissue, or a line that lies still in it. Their last frames are drawn from one distribution, so that no network can tell
them apart by one frame. Prints the share of new clips in which the last frame's piece is called by its right name.
"""

from __future__ import annotations

import argparse
import math
import time

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hipseg.models.halfres_unet import HalfResUNet
from hipseg.models.recurrent import run_clip
from hipseg.models.temporal_unet import TemporalUNet

NEEDLE, LINE = 1, 2
SIDE, NUM_FRAMES, MARGIN, LENGTH = 64, 6, 16, 14
WIDTHS = (8, 16, 16, 16)
NUM_CLIPS, NUM_JUDGED = 8, 400
MEMORIES = {
    "memory at 1/2, 1/4 and 1/8 of the grid": (8, 16, 16),
    "memory at 1/4 and 1/8": (0, 16, 16),
    "no memory": (0, 0, 0),
}


def draw_clip(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Grey levels 0-1 and labels of a clip, each [T, SIDE, SIDE], one of needle and line in it."""
    kind = int(rng.choice([NEEDLE, LINE]))
    wide = SIDE + 2 * MARGIN
    tissue_HW = cv2.GaussianBlur(rng.exponential(0.35, (wide, wide)).astype(np.float32), (0, 0), 1.0)
    angle = rng.uniform(0, 2 * math.pi)
    along_xy = np.array([math.cos(angle), math.sin(angle)])
    tip_xy = rng.uniform(MARGIN + 12, wide - MARGIN - 12, 2)
    step_px = rng.uniform(2.0, 4.0) if kind == NEEDLE else 0.0
    drift_xy, brightness = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.6, 0.9)
    frames, labels = [], []
    for back in reversed(range(NUM_FRAMES)):
        piece_HW = _piece(tip_xy - back * step_px * along_xy, along_xy, wide)
        shift_23 = np.array([[1, 0, -back * drift_xy[0] - MARGIN], [0, 1, -back * drift_xy[1] - MARGIN]])
        image_HW = tissue_HW + brightness * cv2.GaussianBlur(piece_HW, (0, 0), 0.6)
        frame_HW = cv2.warpAffine(image_HW, shift_23, (SIDE, SIDE))
        frames.append(np.clip(frame_HW + rng.normal(0, 0.02, frame_HW.shape), 0, 1))
        labels.append(kind * (cv2.warpAffine(piece_HW, shift_23, (SIDE, SIDE)) > 0.5))
    return np.stack(frames).astype(np.float32), np.stack(labels).astype(np.int64)


def _piece(tip_xy: np.ndarray, along_xy: np.ndarray, wide: int) -> np.ndarray:
    """A straight piece of `LENGTH` pixels that ends at its tip."""
    piece_HW = np.zeros((wide, wide), np.float32)
    ends = [tuple(int(value) for value in np.rint(16 * point)) for point in (tip_xy - LENGTH * along_xy, tip_xy)]
    cv2.line(piece_HW, ends[0], ends[1], 1.0, 2, cv2.LINE_8, 4)
    return piece_HW


def draw_batch(number: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Images [N, T, 1, S, S] and labels [N, T, S, S]."""
    images, labels = zip(*(draw_clip(rng) for _ in range(number)), strict=True)
    return torch.from_numpy(np.stack(images))[:, :, None], torch.from_numpy(np.stack(labels))


def train(network: nn.Module, num_steps: int, seed: int) -> None:
    """On clips that it never sees again, by the loss of all frames but the first."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=num_steps)
    weights = torch.tensor([0.2, 1.0, 1.0])
    for _ in range(num_steps):
        image, labels = draw_batch(NUM_CLIPS, rng)
        later = run_clip(network, image)[:, 1:]  # nothing moves in a first frame
        loss = functional.cross_entropy(later.flatten(0, 1), labels[:, 1:].flatten(0, 1), weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@torch.inference_mode()
def share_named_right(network: nn.Module, seed: int) -> float:
    """Of the last frames of new clips, by the sum of the evidence over the piece."""
    rng = np.random.default_rng(seed)
    right = 0
    for _ in range(NUM_JUDGED // NUM_CLIPS):
        image, labels = draw_batch(NUM_CLIPS, rng)
        evidence = run_clip(network.eval(), image)[:, -1]
        for channels_CHW, labels_HW in zip(evidence, labels[:, -1], strict=True):
            piece_HW = labels_HW > 0
            for_needle = float((channels_CHW[NEEDLE] - channels_CHW[LINE])[piece_HW].sum())
            right += (for_needle > 0) == bool((labels_HW == NEEDLE).any())
    return right / NUM_JUDGED


def main() -> None:
    """Trains all networks for the same steps and compares them on the same clips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name, memory in MEMORIES.items():
        torch.manual_seed(given.seed)
        unet = {"widths": WIDTHS, "num_convs": 1, "out_channels": 3}
        network = TemporalUNet(memory, **unet) if any(memory) else HalfResUNet(**unet)
        begin_s = time.process_time()
        train(network, given.steps, given.seed)
        seconds = time.process_time() - begin_s
        share = share_named_right(network, given.seed + 10_000)
        print(f"{name}: {100 * share:.1f} % of {NUM_JUDGED} clips, trained in {seconds:.0f} s of one core", flush=True)


if __name__ == "__main__":
    main()
