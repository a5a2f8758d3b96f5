"""`hipseg data`: one module a verb, heavy imports inside its function."""

from __future__ import annotations

import typer

from hipseg.cli.data.checking import check
from hipseg.cli.data.deidentifying import deidentify
from hipseg.cli.data.importing import import_, list_
from hipseg.cli.data.previewing import preview
from hipseg.cli.data.pseudo_labelling import pseudo_label
from hipseg.cli.data.reporting import report
from hipseg.cli.data.splitting import split

data = typer.Typer(add_completion=False, no_args_is_help=True, help="Import, check and describe data sets.")

data.command("import")(import_)
data.command("list")(list_)
data.command("check")(check)
data.command("deidentify")(deidentify)
data.command("split")(split)
data.command("preview")(preview)
data.command("report")(report)
data.command("pseudo-label")(pseudo_label)
