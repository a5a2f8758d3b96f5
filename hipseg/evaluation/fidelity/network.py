"""The small network of the two-sample test: strided convolutions, and the mean and spread of what they find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

CHANNELS = (12, 24, 32)
STEPS = 300
_BATCH, _RATE, _DECAY = 48, 5e-3, 0.02


class PatchNetwork(nn.Module):
    """9,000 weights; pooling by mean and deviation sees texture wherever it lies, and images of any size."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        previous = 1
        for channels in CHANNELS:
            layers += [nn.Conv2d(previous, channels, 3, stride=2, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
            previous = channels
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(2 * previous, 1)

    def forward(self, image_NCHW: torch.Tensor) -> torch.Tensor:
        """Log-odds of being real, [N]."""
        found = self.features(image_NCHW)
        logit: torch.Tensor = self.head(torch.cat([found.mean((2, 3)), found.std((2, 3))], dim=1))
        return logit[:, 0]


def fit_network(
    images_NHW: npt.NDArray[np.uint8], is_real_N: npt.NDArray[np.int64], seed: int, *, num_steps: int = STEPS
) -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float64]]:
    """Trains for a fixed number of steps on batches with as many real as simulated images, mirrored at random."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = PatchNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=_RATE, total_steps=num_steps)
    kinds = [np.flatnonzero(is_real_N == kind) for kind in (0, 1)]
    labels = torch.tensor([0.0] * (_BATCH // 2) + [1.0] * (_BATCH // 2))
    for _ in range(num_steps):
        chosen = np.concatenate([rng.choice(kind, _BATCH // 2) for kind in kinds])
        batch = _as_tensor(images_NHW[chosen])
        batch = batch.flip(3) if rng.random() < 0.5 else batch
        optimizer.zero_grad()
        binary_cross_entropy_with_logits(network(batch), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    network.eval()
    return lambda images: _score(network, images)


def _score(network: PatchNetwork, images_NHW: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    with torch.no_grad():
        parts = [network(_as_tensor(images_NHW[start : start + 256])) for start in range(0, len(images_NHW), 256)]
    return torch.cat(parts).double().numpy()


def _as_tensor(images_NHW: npt.NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images_NHW)).float().div(255).unsqueeze(1)
