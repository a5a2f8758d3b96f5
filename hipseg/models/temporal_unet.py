"""The half-resolution U-Net with a memory: motion tells a needle from a fascia that looks like one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from hipseg.models.halfres_unet import HalfResUNet
from hipseg.models.recurrent import ConvMemory, State, first_state, in_clips, run_clip


class TemporalUNet(HalfResUNet):
    """A `HalfResUNet` that remembers, [N, T, 1, S, S] to [N, T, out_channels, S, S]; single images are first frames.

    Everything but the memory sees all frames of a clip at once, so that training costs little more than on as many
    single images. See `models.recurrent` for how it is run frame by frame.

    Args:
        memory: channels of the state at 1/2, 1/4, 1/8, ... of the grid, 0 for none. Fine levels see small movements,
            coarse ones wide ones.
        unet: settings of `HalfResUNet`.
    """

    def __init__(self, memory: Sequence[int] = (0, 12, 24), **unet: Any) -> None:
        super().__init__(**unet)
        self.memories = nn.ModuleDict(
            {str(level): ConvMemory(self.widths[level], width) for level, width in enumerate(memory) if width}
        )

    def state_shapes(self, grid_size: int) -> dict[str, tuple[int, int, int]]:
        """As `Recurrent`: "memory_4" is that at 1/4 of the grid."""
        shapes = {}
        for level, memory in self._memories():
            side = grid_size // 2 ** (level + 1)
            shapes[f"memory_{2 ** (level + 1)}"] = (memory.width, side, side)
        return shapes

    def run(self, clip_NT1SS: Tensor, state: State) -> tuple[Tensor, State]:
        """As `Recurrent`."""
        features, skips = clip_NT1SS.flatten(0, 1), []
        memories, before, after = dict(self._memories()), iter(state), []
        for number, level in enumerate(self.encoder):
            features = level(features)
            if number in memories:
                remembered, last = memories[number](in_clips(features, clip_NT1SS), next(before))
                features = remembered.flatten(0, 1)
                after.append(last)
            skips.append(features)
        return in_clips(self.decode(skips), clip_NT1SS), tuple(after)

    def forward(self, image: Tensor) -> Tensor:
        """The logits of images [N, 1, S, S], each as a first frame, or of the frames of clips [N, T, 1, S, S]."""
        if image.ndim == 5:
            return run_clip(self, image)
        channels, _ = self.run(image[:, None], first_state(self, image))
        return channels[:, 0]

    def _memories(self) -> Iterator[tuple[int, ConvMemory]]:
        """With their levels, finest first."""
        for level, memory in self.memories.items():
            assert isinstance(memory, ConvMemory)
            yield int(level), memory
