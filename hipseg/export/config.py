"""The schema of `hipseg export`."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class ExportConfig:
    """What to export and what to say of it.

    Attributes:
        run: run folder or checkpoint of a training.
        name: of the model, and of its folder.
        out: folder of models, e.g. the shelf.
        model_version: of the model.
        description: what the model is for, one line.
        licence: of the model file.
        view_thresholds: view scores below the first are unrecognised, from the second on recognised.
        metrics: JSON files of `hipseg evaluate`; their figures go into metadata, manifest and card.
        notes: Markdown file for the card: intended use, what was measured, known failures.
        allow_unknown_data: export although a training data set, which knows its licence, is not where it was.
        overwrite: replace a model of this name.
    """

    run: str = MISSING
    name: str = MISSING
    out: str = "models"
    model_version: str = "0.1.0"
    description: str = "Hip injection: anatomy, needle and landmarks in B-mode."
    licence: str = "Apache-2.0"
    view_thresholds: list[float] = field(default_factory=lambda: [0.3, 0.5])
    metrics: list[str] = field(default_factory=list)
    notes: str | None = None
    allow_unknown_data: bool = False
    overwrite: bool = False
