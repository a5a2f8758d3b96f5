"""One contestant in a process of its own, so that its memory is its own: python -m hipseg.evaluation.training.worker.

Reads the setting as JSON from its input; leaves NAME.json, and NAME.onnx where it exports, in the folder.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hipseg.anatomy import CLASS_NAMES, LANDMARKS
from hipseg.errors import HipsegError
from hipseg.evaluation.training.hipseg_side import measure_pace, train_hipseg
from hipseg.evaluation.training.others import train_monai, train_nnunet_shaped
from hipseg.evaluation.training.setting import Outcome, Setting
from hipseg.export.onnx import export_model
from hipseg.runtime.contract import ModelContract
from hipseg.runtime.threads import usable_cores

PACE = "pace"
CONTESTANTS: dict[str, Callable[[Setting, Path], tuple[Outcome, nn.Module]]] = {
    "hipseg": train_hipseg,
    "MONAI UNet": train_monai,
    "nnU-Net-shaped": train_nnunet_shaped,
}
_KIB_A_MIB = 1024


def main(name: str, folder: Path, setting: Setting) -> dict[str, Any]:
    """Trains, exports, and tells."""
    torch.manual_seed(setting.seed)
    torch.set_num_threads(setting.num_threads or usable_cores())
    if name == PACE:
        return {"pace": measure_pace(setting), "peak_mib": _peak_mib()}
    outcome, network = CONTESTANTS[name](setting, folder / "run")
    outcome.peak_mib = _peak_mib()
    if setting.exported:
        contract = ModelContract(
            name="trained", model_version="0", classes=CLASS_NAMES, landmarks=LANDMARKS, grid_size=setting.grid_size
        )
        export_model(network.cpu().eval(), contract, folder / f"{name}.onnx")
    return outcome.to_dict(setting.target_dice)


def _peak_mib() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / _KIB_A_MIB**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_A_MIB


if __name__ == "__main__":
    values = json.load(sys.stdin)
    values["overrides"] = tuple(values["overrides"])
    try:
        found = main(sys.argv[1], Path(sys.argv[2]), Setting(**values))
    except HipsegError as error:
        found = {"absent": str(error)}
    (Path(sys.argv[2]) / f"{sys.argv[1]}.json").write_text(json.dumps(found))
