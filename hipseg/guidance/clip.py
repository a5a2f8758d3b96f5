"""Guidance over frames that may change their geometry, or begin anew."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.alerts import ActiveAlert, AlertEvent
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.guidance.flow import FlowPicture
from hipseg.guidance.fluid import Echo
from hipseg.runtime.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What guidance has to know of a clip.

    Attributes:
        view_thresholds: of the model, see `ModelContract.view_thresholds`.
        still: the source is a single image.
    """

    view_thresholds: tuple[float, float]
    still: bool


class ClipGuidance:
    """An engine that begins anew when source, scan region or scale change: what was known is of another picture.

    Alerts that stood are cleared then.

    Args:
        config: validated.
        facts: of the clip.
    """

    def __init__(self, config: GuidanceConfig, facts: ClipFacts) -> None:
        self._config, self._facts = config, facts
        self._picture: tuple[str, ScanRegion, Spacing | None] | None = None
        self._engine = self._new_engine()
        self._standing: tuple[ActiveAlert, ...] = ()

    def step(
        self,
        segmentation: Segmentation,
        *,
        frame: int,
        time_s: float,
        spacing: Spacing | None,
        region: ScanRegion,
        source_id: str = "",
        echo: Echo | None = None,
        flow: FlowPicture | None = None,
    ) -> Guidance:
        """See `GuidanceEngine.step`; `source_id` as of the `Frame`."""
        picture = (source_id, region, spacing)
        begins_anew = self._picture is not None and picture != self._picture
        if begins_anew:
            self._engine = self._new_engine()
        guidance = self._engine.step(
            segmentation, frame=frame, time_s=time_s, spacing=spacing, region=region, echo=echo, flow=flow
        )
        if begins_anew:
            guidance = _without_the_old(guidance, self._standing)
        self._picture, self._standing = picture, guidance.alerts
        return guidance

    def _new_engine(self) -> GuidanceEngine:
        return GuidanceEngine(self._config, view_thresholds=self._facts.view_thresholds, still=self._facts.still)


def _without_the_old(guidance: Guidance, standing: tuple[ActiveAlert, ...]) -> Guidance:
    """Tells that alerts of the picture before no longer stand, before it tells what this one raises."""
    cleared = tuple(AlertEvent(dataclasses.replace(alert, value=None), "cleared") for alert in standing)
    return dataclasses.replace(guidance, events=(*cleared, *guidance.events))
