"""What is asked of an inference run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hipseg.cli.settings import Settings
from hipseg.io import SourceOptions


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What is asked of a live run besides.

    Attributes:
        view_port: where a browser can look on; 0 takes a free port, None none.
        igtl_port: where OpenIGTLink clients can receive what was found; likewise.
        duration_s: end after so many seconds.
        save_profile: file that remembers how the source is set up.
    """

    view_port: int | None = None
    igtl_port: int | None = None
    duration_s: float | None = None
    save_profile: Path | None = None


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """One call of `hipseg infer` or `hipseg serve`.

    Attributes:
        spec: the source.
        out: folder for the results; None records nothing, which only a live run may.
        model: name or path, None for the released one.
        provider: of onnxruntime.
        threads: of the model, None for the physical cores.
        source: what the user says of the source.
        settings: of guidance.
        overlay, masks, dicom_seg: results wanted besides records and alerts.
        overwrite: replace results that are there.
        resume: keep those that are complete, and do the others.
        live: for live sources.
    """

    spec: str
    out: Path | None
    model: str | None = None
    provider: str = "cpu"
    threads: int | None = None
    source: SourceOptions = field(default_factory=SourceOptions)
    settings: Settings = field(default_factory=Settings)
    overlay: bool = True
    masks: bool = False
    dicom_seg: bool = False
    overwrite: bool = False
    resume: bool = False
    live: LiveOptions = field(default_factory=LiveOptions)

    @property
    def folder(self) -> Path:
        """For the results of a run that must have one."""
        assert self.out is not None
        return self.out

    @property
    def outputs(self) -> list[str]:
        """The results wanted besides records and alerts, by name."""
        wanted = {"overlay": self.overlay, "masks": self.masks, "dicom_seg": self.dicom_seg}
        return [name for name, is_wanted in wanted.items() if is_wanted]
