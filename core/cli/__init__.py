"""The command line: the same services without a browser.

With --json, standard output carries one JSON object a line and nothing else. Bad input ends with exit code 2 and one
sentence on standard error; a generation that failed with 1; one that was cancelled by Ctrl+C with 130, by SIGTERM
with 143.
"""

from __future__ import annotations

import typer

from core.cli import (
    drafts,
    edit,
    files,
    gallery,
    inpaint,
    machine,
    models,
    presets,
    queue,
    replay,
    select,
    sheet,
    storage,
    upscale,
    verify,
    worker,
)

app = typer.Typer(
    name="python -m core",
    help="Inpaint Studio without a browser.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
gallery_app = typer.Typer(no_args_is_help=True)

# Without a name of their own, commands join those of the application that they are added to.
for commands in (inpaint, select, machine, sheet, upscale, verify, replay, worker):
    app.add_typer(commands.app)
for commands in (gallery, edit, files, storage):
    gallery_app.add_typer(commands.app)

app.add_typer(gallery_app, name="gallery", help="Browse and manage the gallery.")
app.add_typer(models.app, name="models", help="List, add, verify and remove models.")
app.add_typer(drafts.app, name="drafts", help="Manage drafts (unfinished work).")
app.add_typer(presets.app, name="presets", help="Manage presets (saved parameters).")
app.add_typer(queue.app, name="queue", help="View and manage the queue, shared with a dashboard on the same data.")
