"""What loading the runtime loads with it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"torch", "scipy", "monai", "lightning", "albumentations", "onnx", "pandas", "sympy", "cv2"}
MODULES = ("session", "models", "stream", "latency", "threads", "contract", "grid", "segmentation")


def test_the_runtime_loads_nothing_heavy() -> None:
    code = "; ".join(f"import hipseg.runtime.{name}" for name in MODULES) + "; import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)
