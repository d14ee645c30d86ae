"""Certificates are verified, for the name in the URL, over the address that was checked."""

import shutil
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from filmroll.errors import FetchFailed, FetchUnavailable
from filmroll.usecases.spool import Spool
from tests.unit.fetch.conftest import MakeClient
from tests.unit.fetch.servers import answer, serving

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for images.example that nobody has signed, with its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    path = folder / "both.pem"
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=images.example"]
    command += ["-addext", "subjectAltName=DNS:images.example", "-newkey", "rsa:2048"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(key.read_bytes() + cert.read_bytes())
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def _here(_: str) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_a_self_signed_server(
    make_client: MakeClient, spool: Spool, tls: ssl.SSLContext
) -> None:
    async with serving(answer(body=b"x"), tls) as server:
        url = server.url(host="images.example", scheme="https")
        with pytest.raises(FetchFailed, match="self-signed"):
            await make_client(server.allow, resolve=_here).fetch(url, spool)
    assert not server.calls


async def test_the_name_in_the_url_is_verified(
    make_client: MakeClient,
    spool: Spool,
    tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is right for images.example, and for no other name of the same address."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    names: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    async with serving(answer(body=b"x"), tls) as server:
        client = make_client(server.allow, resolve=_here)
        await client.fetch(server.url(host="images.example", scheme="https"), spool)
        for host in ("other.example", "127.0.0.1"):
            with pytest.raises(FetchFailed, match="not trusted"):
                await client.fetch(server.url(host=host, scheme="https"), spool)
    assert spool.bytes == 1
    assert names == ["images.example", "other.example", None]


async def test_a_server_without_tls(make_client: MakeClient, spool: Spool) -> None:
    async with serving(answer(body=b"x")) as server:
        client = make_client(server.allow, connect_seconds=0.3)
        with pytest.raises(FetchUnavailable):
            await client.fetch(server.url(scheme="https"), spool)
