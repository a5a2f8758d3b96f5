"""Weights, gradients and optimizer state in parts, one in each process (PyTorch's `fully_shard`, called FSDP2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from omegaconf import DictConfig
from torch import nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

from hipseg.training.module import SegmentationTask

SHARDED = "fsdp"
"""The name of the strategy in `TrainerConfig`. Lightning's own of this name is PyTorch's first one, for GPUs alone."""


def make_strategy(settings: DictConfig) -> Any:
    """What Lightning's trainer is told of `settings.strategy`: a name it knows, or a strategy."""
    if settings.strategy != SHARDED:
        return settings.strategy
    return Sharding(
        data_parallel_size=settings.devices * settings.num_nodes,
        tensor_parallel_size=1,
        save_distributed_checkpoint=False,  # a checkpoint is one file of whole weights, whoever wrote it
    )


class Sharding(ModelParallelStrategy):
    """Lightning's strategy, whose checkpoint before the first step leaves the optimizer as it was."""

    def optimizer_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """The whole state. PyTorch fills an empty one by a step of zero gradients, which would count as the first."""
        bare = getattr(optimizer, "_optimizer", optimizer)
        is_new = not bare.state
        state = super().optimizer_state(optimizer)
        if is_new:
            for values in state.get("state", {}).values():
                values["step"].zero_()
            bare.state.clear()
            bare.zero_grad()
        return state


class ShardedTask(SegmentationTask):
    """A task whose network each process holds a part of; a block's weights come together while it computes."""

    def configure_model(self) -> None:
        """Cuts the network up, once the processes know of each other."""
        if isinstance(self.network, FSDPModule):
            return
        assert self.device_mesh is not None
        mesh = self.device_mesh["data_parallel"]
        network: Any = self.network
        network.to(memory_format=torch.contiguous_format)  # others cannot be cut along their first axis
        for block in _blocks(self.network):
            fully_shard(block, mesh=mesh)
        fully_shard(self.network, mesh=mesh)
        if hasattr(self.network, "run"):  # how clips are sent through a network that remembers
            register_fsdp_forward_method(self.network, "run")


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The outermost parts that compute and have weights."""
    for part in network.children():
        if isinstance(part, nn.ModuleList | nn.ModuleDict):
            yield from _blocks(part)
        elif any(True for _ in part.parameters()):
            yield part
