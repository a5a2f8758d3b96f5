"""Figures as words: a number with its interval, a share in percent, a name without underscores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Figure = Mapping[str, Any]

_SPELLINGS = {"dice": "Dice", "iou": "IoU", "cldice": "clDice", "nsd": "NSD", "hd95": "HD95", "assd": "ASSD"}


def title_of(name: str) -> str:
    """A structure's or metric's name as a person reads it."""
    return " ".join(_SPELLINGS.get(word, word) for word in name.replace("+", "_or_").split("_"))


def with_interval(value: float | None, interval: Sequence[float] | None, *, decimals: int = 3) -> str | None:
    """ "0.812 [0.750, 0.861]"; None where there is no value."""
    if value is None:
        return None
    bounds = "" if interval is None else f" [{interval[0]:.{decimals}f}, {interval[1]:.{decimals}f}]"
    return f"{value:.{decimals}f}{bounds}"


def mean_of(figure: Figure | None, *, decimals: int = 3) -> str | None:
    """Of `figures.mean_figure`."""
    return None if figure is None else with_interval(figure["mean"], figure["interval"], decimals=decimals)


def share_of(figure: Figure | None) -> str | None:
    """Of `figures.share_figure`, in percent with the number of frames: "93 % [88, 97] of 120"."""
    if figure is None or figure["share"] is None:
        return None
    interval = figure["interval"]
    bounds = "" if interval is None else f" [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]"
    return f"{100 * figure['share']:.0f} %{bounds} of {figure['num']}"


def numbers_of(figure: Figure | None) -> str | None:
    """How many frames and patients are behind a mean: "120 (9)"."""
    return None if figure is None else f"{figure['num_frames']} ({figure['num_patients']})"
