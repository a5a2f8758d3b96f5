"""nnU-Net's side of the comparison. Run by the Python of an environment that has nnunetv2, not by hipseg's.

    python nnunet_worker.py FOLDER SECONDS

FOLDER holds the raw data set and splits.json; left in it are answer.json and predicted/, a label image a case.
"""

import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

os.environ["nnUNet_compile"] = "false"  # noqa: SIM112 - nnU-Net spells it so
os.environ["MKL_THREADING_LAYER"] = "GNU"
_DATASET, _NUM_EPOCHS, _PROBE_STEPS = "Dataset001_hip", 8, 3
_KIB_A_MIB = 1024


def main(folder: Path, budget_s: float) -> None:
    """Plans, trains for the seconds given, predicts the validation cases."""
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )

    extract_fingerprints([1], num_processes=1)
    plan_experiments([1])
    preprocess([1], configurations=["2d"], num_processes=[1])
    preprocessed = folder / "preprocessed" / _DATASET
    shutil.copyfile(folder / "splits.json", preprocessed / "splits_final.json")
    trainer = make_trainer(preprocessed, budget_s)
    trainer.run_training()
    predict(trainer, folder)
    answer = {
        "num_parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "num_images": trainer.num_images,
        "seconds": trainer.seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_A_MIB,
    }
    (folder / "answer.json").write_text(json.dumps(answer))


def make_trainer(preprocessed: Path, budget_s: float) -> Any:
    """nnU-Net's trainer, whose epochs are as long as fits the budget; nothing else of it is changed."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    class InBudget(nnUNetTrainer):  # type: ignore[misc]
        seconds, num_images = 0.0, 0

        def on_train_start(self) -> None:
            super().on_train_start()
            self.num_epochs = _NUM_EPOCHS
            self.num_val_iterations_per_epoch = 1
            began = time.perf_counter()
            for _ in range(_PROBE_STEPS):
                super().train_step(next(self.dataloader_train))
            seconds_a_step = (time.perf_counter() - began) / _PROBE_STEPS
            steps = (budget_s / seconds_a_step - _PROBE_STEPS) / _NUM_EPOCHS
            self.num_iterations_per_epoch = max(round(steps), 1)
            self.seconds, self.num_images = time.perf_counter() - began, _PROBE_STEPS * self.batch_size
            self.optimizer, self.lr_scheduler = self.configure_optimizers()

        def on_train_epoch_start(self) -> None:
            super().on_train_epoch_start()
            self._began = time.perf_counter()

        def on_train_epoch_end(self, outputs: Any) -> None:
            self.seconds += time.perf_counter() - self._began
            self.num_images += self.num_iterations_per_epoch * self.batch_size
            super().on_train_epoch_end(outputs)

    plans = json.loads((preprocessed / "nnUNetPlans.json").read_text())
    description = json.loads((preprocessed / "dataset.json").read_text())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return InBudget(plans, "2d", 0, description, device=device)


def predict(trainer: Any, folder: Path) -> None:
    """One label image a validation case, by nnU-Net's own predictor."""
    import cv2
    from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(use_mirroring=False, device=trainer.device, allow_tqdm=False)
    trainer.set_deep_supervision_enabled(False)
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        None,
        trainer.dataset_json,
        type(trainer).__name__,
        None,
    )
    predictor.list_of_parameters = [trainer.network.state_dict()]
    (folder / "predicted").mkdir()
    for path in sorted((folder / "raw" / _DATASET / "imagesTr").glob("val_*_0000.png")):
        image, properties = NaturalImage2DIO().read_images([str(path)])
        labels = predictor.predict_single_npy_array(image, properties)
        cv2.imwrite(str(folder / "predicted" / path.name), labels.squeeze().astype("uint8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
