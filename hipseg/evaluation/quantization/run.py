"""Makes a released model smaller in several ways, judges each, and keeps the best one if it is worth it here."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hipseg.data.records import SPLITS
from hipseg.errors import ModelError, OutputError, SourceError, UsageError
from hipseg.evaluation.examination import ExaminationSettings
from hipseg.evaluation.inputs.item import Collection
from hipseg.evaluation.latency.machine import machine
from hipseg.evaluation.latency.pairing import interleaved_times, ratio_of, spread_of
from hipseg.evaluation.predictors.choice import PredictorChoice
from hipseg.evaluation.quantization.candidates import Candidate, agreement_of, choose, images_of
from hipseg.evaluation.quantization.gate import judge
from hipseg.evaluation.quantization.page import quantization_page
from hipseg.evaluation.quantization.papers import smaller_card, smaller_manifest
from hipseg.evaluation.results import Results
from hipseg.evaluation.run import examine, open_data
from hipseg.export.quantize import Kind, quantize
from hipseg.frame import ImageHW
from hipseg.io import write_json
from hipseg.io.writing import output_errors, write_atomically
from hipseg.runtime.models import CARD_FILE, CHECKPOINT_FILE, MANIFEST_FILE, MODEL_FILE, ModelFile, read_model
from hipseg.runtime.providers import CPU
from hipseg.runtime.session import Session
from hipseg.training.run_folder import versions

PAGE = "quantization.html"
_TRAIN = SPLITS[0]
_NUM_COMPARED = 16
_ORIGINAL = "original"


@dataclass(frozen=True)
class QuantizationRequest:
    """One run of `hipseg quantize`.

    Attributes:
        model: name on the shelf, or path of a model.
        data: that gate and calibration take images from.
        out: folder of the smaller model; its name is the new model's.
        kinds: to try.
        split: that the gate judges on; calibration uses "train" where it has cases.
        num_calibration: images for the ranges of activations.
        num_frames: to time each on.
        num_threads, provider: of the timed models.
        num_workers: processes of the evaluations.
        even_if_slower: keep what passes although it gains nothing here.
        overwrite: replace a model that is there.
        command: as it was typed.
    """

    model: str
    data: Path
    out: Path
    kinds: Sequence[Kind] = tuple(Kind)
    split: str = "val"
    num_calibration: int = 100
    num_frames: int = 60
    num_threads: int | None = None
    provider: str = CPU
    num_workers: int | None = None
    even_if_slower: bool = False
    overwrite: bool = False
    command: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a quantization.

    Attributes:
        candidates: all that were tried.
        kept: the one that was written, None when the original stays.
        page: the report.
    """

    candidates: Sequence[Candidate]
    kept: Candidate | None
    page: Path


def run_quantization(request: QuantizationRequest) -> Outcome:
    """Makes, judges, times, and writes the model that is kept and a report of all.

    Raises:
        UsageError, SourceError: the data cannot be used.
        ModelError: the model cannot be made smaller, or nothing that was made passes the gate; the report is written.
        OutputError: there is a model already, or the folder cannot be written.
    """
    model = read_model(request.model)
    _refuse_existing(request)
    collection = open_data(request.data, request.split)
    calibration, calibration_split = _calibration_images(request, collection)
    with tempfile.TemporaryDirectory(prefix="hipseg-quantize-") as temporary:
        made = [_make(kind, model, calibration, request, Path(temporary)) for kind in request.kinds]
        judged = _judge_all(made, model, collection, request)
        candidates, original_ms = _time_all(judged, model, images_of(collection, _NUM_COMPARED), request)
        kept = choose(candidates, even_if_slower=request.even_if_slower)
        record = {
            "command": request.command,
            "model": {"name": _name_of(model), "sha256": model.sha256, "bytes": len(model.content)},
            "data": collection.record,
            "calibration": {"split": calibration_split, "num_images": len(calibration)},
            "machine": machine(),
            "provider": request.provider,
            "original": {"latency_ms": original_ms},
            "candidates": [each.to_dict() for each in candidates],
            "kept": None if kept is None else kept.kind.value,
            "versions": versions(("onnx", "onnxruntime", "numpy")),
        }
        if kept is not None:
            _write_model(kept, model, record, request.out)
    page = request.out / PAGE
    quantization_page(record).write(page, record)
    _refuse_all(candidates, page)
    return Outcome(candidates, kept, page)


def _refuse_existing(request: QuantizationRequest) -> None:
    out = request.out
    is_there = any((out / name).exists() for name in (MODEL_FILE, MANIFEST_FILE))
    if is_there and not request.overwrite:
        raise OutputError("is there already", where=out, mend="choose another name, or give --overwrite")
    if is_there and out.resolve() == read_model(request.model).path.parent.resolve():
        raise UsageError("the smaller model would replace its original", where=out, mend="choose another name")
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)


def _calibration_images(request: QuantizationRequest, judged: Collection) -> tuple[list[ImageHW], str]:
    """From the training split, so that the gate judges on images that set no range; else from the same split."""
    if Kind.INT8 not in request.kinds:
        return [], "none"
    try:
        images, split = images_of(open_data(request.data, _TRAIN), request.num_calibration), _TRAIN
    except UsageError:
        images, split = images_of(judged, request.num_calibration), request.split
    if not images:
        raise SourceError("holds no image that can be read", where=request.data)
    return images, split


def _make(
    kind: Kind, model: ModelFile, images: Sequence[ImageHW], request: QuantizationRequest, folder: Path
) -> Candidate:
    print(f"hipseg: making {kind.value}", file=sys.stderr)
    path = folder / f"{kind.value}.onnx"
    try:
        content = quantize(model, kind, request.out.name, images)
        write_atomically(path, content)
        with Session(path, num_threads=request.num_threads, provider=request.provider):
            return Candidate(kind, path, len(content))
    except ModelError as error:
        return Candidate(kind, fault=error.what)


def _judge_all(
    made: Sequence[Candidate], model: ModelFile, collection: Collection, request: QuantizationRequest
) -> list[Candidate]:
    sound = [each for each in made if each.path is not None]
    if not sound:
        raise ModelError(f"cannot be made smaller ({made[0].fault})", where=model.path)
    original = _results(model.path, collection, request)
    if original.measured.empty:
        raise SourceError(f"none of {len(original.cases)} cases can be judged", where=request.data)
    return [
        each if each.path is None else replace(each, verdict=judge(original, _results(each.path, collection, request)))
        for each in made
    ]


def _results(path: Path, collection: Collection, request: QuantizationRequest) -> Results:
    rows = examine(collection, PredictorChoice(str(path)), ExaminationSettings(), num_workers=request.num_workers)
    return Results.of_rows(rows.cases, rows.measures)


def _time_all(
    judged: Sequence[Candidate], model: ModelFile, images: Sequence[ImageHW], request: QuantizationRequest
) -> tuple[list[Candidate], dict[str, Any]]:
    """Times those that pass in turn with the original, which also tells how far their answers lie apart."""
    with ExitStack() as stack:

        def open_(path: Path) -> Session:
            session = Session(path, num_threads=request.num_threads, provider=request.provider)
            return stack.enter_context(session)

        original = open_(model.path)
        smaller = {each.kind.value: open_(each.path) for each in judged if each.passes and each.path is not None}
        work = {_ORIGINAL: original.segment, **{name: session.segment for name, session in smaller.items()}}
        times_ms = interleaved_times(work, images, num_frames=request.num_frames)
        agreements = {name: agreement_of(original, session, images) for name, session in smaller.items()}
    timed = [
        replace(
            each,
            agreement=agreements[each.kind.value],
            latency_ms=spread_of(times_ms[each.kind.value]),
            time_ratio=ratio_of(times_ms[each.kind.value], times_ms[_ORIGINAL]),
        )
        if each.kind.value in smaller
        else each
        for each in judged
    ]
    return timed, spread_of(times_ms[_ORIGINAL])


def _write_model(kept: Candidate, model: ModelFile, record: dict[str, Any], out: Path) -> None:
    """The manifest comes last: a folder that was left half-way is refused for its checksums, not used."""
    assert kept.path is not None
    original = _original_manifest(model)
    write_atomically(out / MODEL_FILE, kept.path.read_bytes())
    _bring_checkpoint(model.path.parent, out)
    card = model.path.parent / CARD_FILE
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    write_atomically(out / CARD_FILE, smaller_card(kept, record, out.name, text).encode())
    write_json(out / MANIFEST_FILE, smaller_manifest(original, kept, record, out))


def _bring_checkpoint(original: Path, out: Path) -> None:
    """The weights to train on from come along; those of another model, replaced here, must not stay."""
    if (original / CHECKPOINT_FILE).is_file():
        write_atomically(out / CHECKPOINT_FILE, (original / CHECKPOINT_FILE).read_bytes())
    else:
        (out / CHECKPOINT_FILE).unlink(missing_ok=True)


def _original_manifest(model: ModelFile) -> dict[str, Any]:
    path = model.path.parent / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _name_of(model: ModelFile) -> str:
    with Session(model.path, num_threads=1) as session:
        return session.contract.name


def _refuse_all(candidates: Sequence[Candidate], page: Path) -> None:
    if not any(each.passes for each in candidates):
        reasons = "; ".join(map(str, candidates))
        raise ModelError(f"nothing that was made passes the gate: {reasons}", where=page, mend="keep the original")
