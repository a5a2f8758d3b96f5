"""Compares evaluations: reads those that are there, makes those that are not, and writes the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hipseg.display.drawing import Canvas
from hipseg.errors import HipsegError, UsageError, nearest_name
from hipseg.evaluation.compare.page import Comparison, comparison_page, comparison_record, most_changed
from hipseg.evaluation.compare.pairing import Pairs, named_sides, pair
from hipseg.evaluation.compare.scores import DIRECTIONS
from hipseg.evaluation.compare.statistics import differences
from hipseg.evaluation.predictors.choice import PredictorChoice
from hipseg.evaluation.report.pictures import Viewer
from hipseg.evaluation.results import RECORD, Results
from hipseg.evaluation.run import EvaluationRequest, evaluate, open_data

PAGE = "compare.html"


@dataclass(frozen=True)
class CompareRequest:
    """One run of `hipseg compare`.

    Attributes:
        entries: folders of results, models or folders of predicted masks; the first is the baseline.
        out: folder of the page and its JSON.
        data, split: what models and masks are evaluated on, and where pictures come from.
        mapping: of foreign models and masks among the entries.
        metric: that plots and the choice of cases go by.
        num_workers: processes of an evaluation.
        command: as it was typed.
    """

    entries: Sequence[str]
    out: Path
    data: Path | None = None
    split: str | None = None
    mapping: Path | None = None
    metric: str = "dice"
    num_workers: int | None = None
    command: str = ""


@dataclass(frozen=True)
class Contender:
    """One entry: its results, and who made them where that is known."""

    results: Results
    predictor: PredictorChoice | None
    name: str


def compare(request: CompareRequest) -> Path:
    """Compares the first entry with every other one and writes `compare.html` and `compare.json`.

    Returns:
        The page.

    Raises:
        UsageError: fewer than two entries, an unknown metric, a model without data, or evaluations that cannot be
            compared (see `pairing.pair`).
        SourceError: a folder of results or the data cannot be read.
        ModelError: a model cannot be loaded.
        OutputError: the page cannot be written.
    """
    _check(request)
    contenders = [_contender(entry, request) for entry in request.entries]
    sides = named_sides(_names(contenders, request.entries), [each.results for each in contenders])
    pairs = [pair(sides[0], side) for side in sides[1:]]
    comparison = Comparison(sides, pairs, differences(pairs), request.metric, _pictures(request, contenders, pairs))
    path = request.out / PAGE
    comparison_page(comparison, request.command).write(path, comparison_record(comparison, request.command))
    return path


def _check(request: CompareRequest) -> None:
    if len(request.entries) < 2:
        raise UsageError("one entry", expected="two or more: the baseline first", mend="see 'hipseg compare --help'")
    if request.metric not in DIRECTIONS:
        mend = nearest_name(request.metric, DIRECTIONS)
        raise UsageError(f"unknown metric '{request.metric}'", where="--metric", mend=mend)


def _contender(entry: str, request: CompareRequest) -> Contender:
    if (Path(entry) / RECORD).is_file():
        results = Results.read(entry)
        return Contender(results, _recorded_predictor(results), _name(results, entry))
    if request.data is None:
        raise UsageError(
            "no folder of results", where=entry, expected=RECORD, mend="name the data with --data to evaluate a model"
        )
    choice = PredictorChoice(entry, None, request.mapping if _is_foreign(entry) else None)
    results = evaluate(EvaluationRequest(request.data, choice, request.split, num_workers=request.num_workers))
    return Contender(results, choice, _name(results, entry))


def _recorded_predictor(results: Results) -> PredictorChoice | None:
    """Who made these results, if it is still there and the same; else None, and only the pictures are missing."""
    request = results.record.get("request") or {}
    if not request:
        return None
    predictions, mapping = (
        None if request.get(key) is None else Path(request[key]) for key in ("predictions", "mapping")
    )
    choice = PredictorChoice(request.get("model"), predictions, mapping)
    try:
        info = choice.open().info
    except HipsegError:
        return None
    return choice if info.sha256 == (results.record.get("model") or {}).get("sha256") else None


def _is_foreign(entry: str) -> bool:
    """The mapping is for those that do not follow the label scheme: a name on the shelf always does."""
    return Path(entry).exists()


def _names(contenders: Sequence[Contender], entries: Sequence[str]) -> list[str]:
    """Models by name and version; where two have the same, their folders tell them apart."""
    names = [each.name for each in contenders]
    return [
        f"{name} ({Path(entry).name})" if names.count(name) > 1 else name
        for name, entry in zip(names, entries, strict=True)
    ]


def _name(results: Results, entry: str) -> str:
    model = results.record.get("model") or {}
    return " ".join(str(part) for part in (model.get("name"), model.get("version")) if part) or Path(entry).name


def _pictures(
    request: CompareRequest, contenders: Sequence[Contender], all_pairs: Sequence[Pairs]
) -> dict[str, dict[str, Canvas]]:
    """Of the cases that changed most, by side; empty where the data are not at hand."""
    data, split = _data(request, contenders[0].results)
    if data is None:
        return {}
    wanted: dict[str, set[str]] = {}
    for pairs in all_pairs:
        for name in (pairs.baseline, pairs.candidate):
            wanted.setdefault(name, set()).update(most_changed(pairs, request.metric))
    names = [all_pairs[0].baseline, *(pairs.candidate for pairs in all_pairs)]
    batches = open_data(data, split).batches
    return {
        name: Viewer(batches, contender.predictor.open()).pictures(wanted[name])
        for name, contender in zip(names, contenders, strict=True)
        if contender.predictor is not None
    }


def _data(request: CompareRequest, baseline: Results) -> tuple[Path | None, str | None]:
    if request.data is not None:
        return request.data, request.split
    recorded = baseline.record.get("request") or {}
    known = recorded.get("data") is not None and Path(recorded["data"]).is_dir()
    return (Path(recorded["data"]), recorded.get("split")) if known else (None, None)
