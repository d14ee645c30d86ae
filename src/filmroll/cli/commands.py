"""The commands, put together."""

import typer

from filmroll import __version__
from filmroll.cli import (
    batch,
    check,
    dead,
    images,
    init,
    keys,
    push,
    roles,
    settings,
    sweep,
    translate,
)

app = typer.Typer(
    help="Filmroll: an imaging service, from upload to delivery.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Filmroll: an imaging service, from upload to delivery."""


roles.register(app)
images.register(app)
push.register(app)
init.register(app)
check.register(app)
sweep.register(app)
settings.register(app)
translate.register(app)
app.add_typer(batch.app, name="batch")
app.add_typer(dead.app, name="dead")
app.add_typer(keys.app, name="keys")
