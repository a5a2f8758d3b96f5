"""Who computes: onnxruntime's execution providers by the names hipseg gives them.

The provider a user asks for is the one that runs, or the run is refused: onnxruntime itself goes on with the CPU in
silence when a GPU library is missing (onnxruntime issue 23372).
"""

from __future__ import annotations

from typing import Any

import onnxruntime

from hipseg.errors import UsageError, nearest_name

CPU, AUTO = "cpu", "auto"
PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    CPU: "CPUExecutionProvider",
}
"""By name, in the order in which "auto" tries them."""

_PACKAGES = {
    "tensorrt": "onnxruntime-gpu with TensorRT",
    "cuda": "onnxruntime-gpu",
    "coreml": "onnxruntime on macOS",
    "openvino": "onnxruntime-openvino",
    "directml": "onnxruntime-directml on Windows",
    CPU: "onnxruntime",
}


def candidates(wanted: str) -> list[str]:
    """The providers to try, in order: one, or for "auto" all that this onnxruntime was built with.

    Raises:
        UsageError: no such provider, or this onnxruntime was built without it.
    """
    built_in = available_providers()
    if wanted == AUTO:
        return built_in
    if wanted not in PROVIDERS:
        known = (*PROVIDERS, AUTO)
        raise UsageError(f"unknown provider '{wanted}'", where="provider", mend=nearest_name(wanted, known))
    if wanted not in built_in:
        raise UsageError(
            f"provider '{wanted}' is not part of the installed onnxruntime",
            where="provider",
            expected=f"one of {', '.join(built_in)}",
            mend=f"install {_PACKAGES[wanted]} in its place, or use --provider auto",
        )
    return [wanted]


def available_providers() -> list[str]:
    """Names of the providers that the installed onnxruntime was built with, best first; "cpu" is always there."""
    built_in = set(onnxruntime.get_available_providers())
    return [name for name, provider in PROVIDERS.items() if provider in built_in]


def check_in_use(session: Any, wanted: str) -> None:
    """Raises UsageError when a session came up with another provider than the one it was made for."""
    in_use = session.get_providers()
    if not in_use or in_use[0] != PROVIDERS[wanted]:
        raise UsageError(
            f"provider '{wanted}' cannot be started on this machine",
            where="provider",
            expected="its driver and libraries",
            mend="check them, or use --provider cpu",
        )
