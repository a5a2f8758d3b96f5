"""The card and the manifest of a model with smaller numbers: those of its original, and what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hipseg import DISCLAIMER, __version__
from hipseg.evaluation.quantization.candidates import Candidate
from hipseg.export.quantize import Kind
from hipseg.runtime.models import CARD_FILE, CHECKPOINT_FILE, MODEL_FILE, sha256_of

_WORDS = {
    Kind.INT8: "8-bit integers in the network (QDQ, one scale a channel for weights; the last layer stays in single "
    "precision)",
    Kind.FP16: "half precision in the network, for providers that compute so",
    Kind.WEIGHTS16: "weights stored in half precision and computed with in single",
}


def smaller_manifest(
    original: Mapping[str, Any], kept: Candidate, record: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """The content of manifest.json.

    Args:
        original: manifest of the original; empty where it has none.
        kept: the model that was written.
        record: of the whole comparison.
        folder: with model and card, and the checkpoint where the original has one.
    """
    present = [name for name in (MODEL_FILE, CARD_FILE, CHECKPOINT_FILE) if (folder / name).is_file()]
    files = {name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size} for name in present}
    quantization = {"kind": kept.kind.value, "original": record["model"], "data": record["data"], **kept.to_dict()}
    return {**original, "name": folder.name, "hipseg_version": __version__, "files": files, "parity": [],
            "quantization": quantization}  # fmt: skip


def smaller_card(kept: Candidate, record: Mapping[str, Any], name: str, original: str) -> str:
    """The card, Markdown.

    Args:
        kept: the model that was written.
        record: of the whole comparison.
        name: of the smaller model.
        original: the original's card, which follows.
    """
    assert kept.verdict is not None
    assert kept.time_ratio is not None
    model, data = record["model"], record["data"]
    rows = "\n".join(
        f"| {loss.figure} | {loss.original:.4f} | {loss.smaller:.4f} | {loss.lost:+.4f} | {loss.limit:g} | "
        f"{loss.num_cases} |"
        for loss in kept.verdict.losses
    )
    unmeasured = ", ".join(kept.verdict.unmeasured) or "none"
    return (
        f"# {name}\n\n**{DISCLAIMER}**\n\n"
        f"{model['name']} (sha256 {model['sha256'][:12]}...) with {_WORDS[kept.kind]}. "
        f"{(kept.size_bytes or 0) / 1e6:.1f} MB instead of {model['bytes'] / 1e6:.1f} MB, "
        f"{kept.time_ratio.inverted()} times as fast where it was made.\n\n"
        f"## What it loses against its original, on {data['name']} ({data.get('split') or 'clips'})\n\n"
        "| figure | original | smaller | lost | at most | cases |\n| --- | --- | --- | --- | --- | --- |\n"
        f"{rows}\n\nNot measured there: {unmeasured}.\n\n"
        f"To train on: `{CHECKPOINT_FILE}` where there is one holds the original's weights, in single precision.\n\n"
        f"# The original's card\n\n{original.strip() or 'The original has none.'}\n"
    )
