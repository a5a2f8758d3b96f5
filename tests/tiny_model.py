"""A small network whose weights are set by hand, and the model that `hipseg.export` makes of it.

It sees what brightness tells: bone is bright, blood is dark, all else is background; every landmark is where it is
brightest, and every image is a hip. So it goes through the real export in seconds, and what it must say is known.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hipseg import anatomy
from hipseg.export.onnx import export_model
from hipseg.models.outputs import NUM_LANDMARKS, NUM_OUTPUT_CHANNELS
from hipseg.runtime.contract import ModelContract

GRID_SIZE = 64
BRIGHT, DARK = 0.6, 0.2
"""Grey levels, 0-1, above which is bone and below which is blood."""

_SHARPNESS = 40.0
_NEVER = -100.0
_VIEW_LOGIT = 3.0


class BrightnessNetwork(nn.Module):
    """[N, 1, S, S] to [N, NUM_OUTPUT_CHANNELS, S, S]: a small mean filter, then lines in the grey level."""

    def __init__(self) -> None:
        super().__init__()
        self.smooth = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(1)
        self.read = nn.Conv2d(1, NUM_OUTPUT_CHANNELS, 1)
        nn.init.constant_(self.smooth.weight, 1 / 9)
        with torch.no_grad():
            self.read.weight.zero_()
            self._set_lines(self.read.weight[:, 0, 0, 0], self.read.bias)

    def _set_lines(self, slope: Tensor, offset: Tensor) -> None:
        classes, heatmaps = (
            slice(1, anatomy.NUM_CLASSES),
            slice(anatomy.NUM_CLASSES, anatomy.NUM_CLASSES + NUM_LANDMARKS),
        )
        offset[classes], offset[0] = _NEVER, 0.0
        slope[anatomy.FEMORAL_HEAD], offset[anatomy.FEMORAL_HEAD] = _SHARPNESS, -_SHARPNESS * BRIGHT
        slope[anatomy.FEMORAL_ARTERY], offset[anatomy.FEMORAL_ARTERY] = -_SHARPNESS, _SHARPNESS * DARK
        slope[heatmaps], offset[heatmaps.stop :] = _SHARPNESS, _VIEW_LOGIT

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """The lines at the smoothed grey level of every cell."""
        channels: Tensor = self.read(self.norm(self.smooth(image_NCHW)))
        return channels


def tiny_contract(name: str = "tiny") -> ModelContract:
    """What the tiny model says about itself."""
    return ModelContract(
        name=name,
        model_version="1.0.0",
        classes=anatomy.CLASS_NAMES,
        landmarks=anatomy.LANDMARKS,
        grid_size=GRID_SIZE,
        description="Reads anatomy off the brightness, for tests.",
    )


def build_tiny_model(folder: Path) -> Path:
    """Exports the network above to `folder`/tiny.onnx."""
    path = folder / "tiny.onnx"
    export_model(BrightnessNetwork(), tiny_contract(), path)
    return path
