"""What is asked of an inference run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hipseg.cli.settings import Settings
from hipseg.io import SourceOptions


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """One call of `hipseg infer`.

    Attributes:
        spec: the source.
        out: folder for the results.
        model: name or path, None for the released one.
        threads: of the model, None for the physical cores.
        source: what the user says of the source.
        settings: of guidance.
        overlay, masks, dicom_seg: results wanted besides records and alerts.
        overwrite: replace results that are there.
    """

    spec: str
    out: Path
    model: str | None = None
    threads: int | None = None
    source: SourceOptions = field(default_factory=SourceOptions)
    settings: Settings = field(default_factory=Settings)
    overlay: bool = True
    masks: bool = False
    dicom_seg: bool = False
    overwrite: bool = False
