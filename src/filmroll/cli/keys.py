"""``filmroll keys``: make, list and revoke keys; sign a delivery URL. Works on the data folder."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from filmroll.cli.console import fail, faults_in_one_line, load_settings, out, show
from filmroll.model import Scope, now, timestamp
from filmroll.signing import signed
from filmroll.usecases.keys import Keys

app = typer.Typer(help="Access keys and signing keys.", no_args_is_help=True)
_T = TypeVar("_T")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whom or what the key is for.")],
    scope: Annotated[list[Scope], typer.Option(help="upload, read, admin; repeatable.")] = [  # noqa: B006 -- typer copies it
        Scope.UPLOAD,
        Scope.READ,
    ],
) -> None:
    """Make an access key. It is printed once, and kept only as a hash."""
    key, secret = _with_keys(lambda keys: keys.create(name, scope))
    out.print(f"id     {key.id}\nscopes {', '.join(key.scopes)}\nkey    {secret}", soft_wrap=True)


@app.command("create-signing")
def create_signing() -> None:
    """Make a key that signs delivery URLs; those of older keys stay good until revoked."""
    key = _with_keys(lambda keys: keys.create_signing())
    out.print(f"kid    {key.id}\nsecret {key.secret}", soft_wrap=True)


@app.command("list")
def list_keys() -> None:
    """List all keys."""
    access, signing = _with_keys(lambda keys: keys.list())
    table = Table("id", "kind", "name", "scopes", "created", "revoked")
    for key in access:
        scopes = ", ".join(key.scopes)
        table.add_row(
            key.id, "access", key.name, scopes, timestamp(key.created_at), timestamp(key.revoked_at)
        )
    for sign in signing:
        table.add_row(
            sign.id, "signing", "", "", timestamp(sign.created_at), timestamp(sign.revoked_at)
        )
    show(table)


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The id of the key.")]) -> None:
    """Revoke a key of either kind; it opens nothing from now on."""
    _with_keys(lambda keys: keys.revoke(key))
    out.print(f"revoked {key}")


@app.command()
def sign(
    path: Annotated[str, typer.Argument(help="Such as /i/<id>/resize:width=800.")],
    seconds: Annotated[int, typer.Option(help="How long the URL is good.", min=1)] = 86_400,
) -> None:
    """Sign the path of a delivery URL with the newest signing key."""
    if not path.startswith("/i/"):
        fail(f"{path} is not the path of a delivery URL: /i/<id> or /i/<id>/<instructions>")
    keys = _with_keys(lambda keys: keys.signing())
    if not keys:
        fail("there is no signing key: make one with `filmroll keys create-signing`")
    out.print(signed(path, int(now()) + seconds, keys[-1]), soft_wrap=True, markup=False)


def _with_keys(work: Callable[[Keys], Awaitable[_T]]) -> _T:
    from filmroll.wiring import open_stores

    async def run() -> _T:
        async with open_stores(settings) as stores:
            return await work(Keys(stores.catalog))

    settings = load_settings()
    with faults_in_one_line():
        return asyncio.run(run())
