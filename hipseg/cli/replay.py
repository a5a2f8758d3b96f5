"""`hipseg replay`: guidance once more over a recorded session, with other settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hipseg.cli import options as given


def replay(
    session: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `hipseg infer ... --masks` wrote.")],
    settings: given.KeyValues = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the results.", show_default="DIR/replayed")
    ] = None,
    config: given.Config = None,
    overwrite: given.Overwrite = False,
) -> None:
    """Run guidance and alerts again over what a session saw, with other settings.

    The session's own settings hold where nothing else is said: without any, frames.jsonl and alerts.jsonl come out
    the same, byte for byte. Neither the model nor the recording is needed.
    """
    from hipseg.cli.replaying import ReplayRequest, run_replay

    for done in run_replay(ReplayRequest(session, out, config, list(settings or []), overwrite)):
        typer.echo(f"{done.folder}: {done.frame_count} frames")
        for alert_id in sorted(done.before | done.after):
            before, after = done.before.get(alert_id, 0), done.after.get(alert_id, 0)
            typer.echo(f"  {alert_id}: {before}x" + ("" if before == after else f" -> {after}x"))
