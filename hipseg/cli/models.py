"""`hipseg models`: what is on the shelf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hipseg.runtime.models import ShelfModel

_MEGA = 1e6


def models(json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """List the models on the shelf, and whether their files are as they were released."""
    from json import dumps

    from hipseg.runtime.models import DEFAULT_MODEL, list_models, shelves

    found = list_models()
    if json:
        content = {"default": DEFAULT_MODEL, "shelves": list(map(str, shelves())), "models": list(map(describe, found))}
        typer.echo(dumps(content, indent=2))
        return
    for model in found:
        typer.echo(_line(model))
        typer.echo(f"    {model.manifest.get('description') or 'no description'}")
    if not found:
        typer.echo("The shelf is empty. Make a model by 'hipseg export', or name a model file.")


def describe(model: ShelfModel) -> dict[str, Any]:
    """A model as JSON tells of it; null is what its manifest does not say."""
    manifest = model.manifest
    return {
        "name": model.name,
        "version": manifest.get("model_version"),
        "state": model.state,
        "files": {name: state.value for name, state in model.files.items()},
        "bytes": model.size_bytes,
        "classes": manifest.get("classes"),
        "description": manifest.get("description"),
        "created": manifest.get("created"),
        "licence": manifest.get("licence"),
        "folder": str(model.folder),
    }


def _line(model: ShelfModel) -> str:
    size = "no model file" if model.size_bytes is None else f"{model.size_bytes / _MEGA:.1f} MB"
    num_classes = len(model.manifest.get("classes") or ())
    version = model.manifest.get("model_version") or "?"
    return f"{model.name:<20} {version:<8} {size:>8}  {num_classes} classes  checksums: {model.state}"
