"""The number format a training computes in: as short as its device is faster with, and never in the loss."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig

# Where a CPU multiplies bfloat16 in hardware: x86 server cores from 2020 on (Intel Cooper Lake, AMD Zen 4).
_NATIVE_BF16 = ("avx512_bf16", "amx_bf16")


def choose_precision(settings: DictConfig) -> Any:
    """Lightning's name of the precision a run computes in.

    Args:
        settings: as `TrainerConfig`. "auto" is mixed precision where the device computes faster with it: bfloat16 (else
            float16) on an NVIDIA GPU, bfloat16 on a CPU that multiplies it in hardware; float32 anywhere else.
    """
    if settings.precision != "auto":
        return settings.precision
    if settings.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    is_on_cpu = settings.accelerator == "cpu" or (settings.accelerator == "auto" and not _has_mps())
    return "bf16-mixed" if is_on_cpu and multiplies_bf16() else "32-true"


def multiplies_bf16() -> bool:
    """Whether this machine's CPU has instructions for bfloat16; emulated, it is slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in _NATIVE_BF16)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
