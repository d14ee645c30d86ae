"""The peers: installed into this folder on first use, then run so that they use all cores."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.missing import Missing, tool
from benchmarks.servers import Server, free_port, nginx, running

_HERE = Path(__file__).parent
_MODULES = _HERE / "node_modules"


@contextmanager
def ipx(folder: Path, photographs: Path, processes: int) -> Iterator[Server]:
    """Run ipx over a folder of photographs, as a Node cluster."""
    with _node("ipx.mjs", folder, processes, str(photographs)) as server:
        yield server


@contextmanager
def tus(folder: Path, processes: int) -> Iterator[Server]:
    """Run @tus/server with its file store, as a Node cluster. It does not sync its files."""
    store = folder / "tus"
    store.mkdir()
    with _node("tus.mjs", folder, processes, str(store)) as server:
        yield server


@contextmanager
def thumbor(folder: Path, photographs: Path, processes: int) -> Iterator[Server]:
    """Run several thumbors over a folder of photographs, behind nginx that shares the work out."""
    environment = _environment("thumbor")
    # Not --processes: connections that stay open would then fall on its processes by chance.
    ports = [free_port() for _ in range(processes)]
    configuration = folder / "thumbor.conf"
    template = (_HERE / "thumbor.conf").read_text()
    configuration.write_text(f"{template}FILE_LOADER_ROOT_PATH = {str(photographs)!r}\n")
    program = [f"{environment}/bin/thumbor", "-i", "127.0.0.1", "-c", f"{configuration}"]
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                running([*program, "-p", str(port)], port, folder / f"thumbor-{port}.log")
            )
            for port in ports
        ]
        servers.append(stack.enter_context(_balanced(folder, ports)))
        pids = tuple(pid for server in servers for pid in server.pids)
        yield Server(servers[-1].port, pids)


@contextmanager
def tuspyserver(folder: Path, processes: int) -> Iterator[Server]:
    """Run tuspyserver under uvicorn. It does not sync its files."""
    environment = _environment("tuspyserver")
    store = folder / "tuspyserver"
    store.mkdir()
    port = free_port()
    command = [f"{environment}/bin/uvicorn", "tuspyserver_app:app", "--app-dir", f"{_HERE}"]
    command += ["--port", str(port), "--workers", str(processes), "--log-level", "warning"]
    with running(command, port, folder / "tuspyserver.log", {"STORE": f"{store}"}) as server:
        yield server


def npm_version(package: str) -> str:
    """Return a package with the version that is measured."""
    versions = json.loads((_HERE / "package-lock.json").read_text())["packages"]
    return f"{package} {versions[f'node_modules/{package}']['version']}"


def pip_version(package: str) -> str:
    """Return a package with the version that is measured."""
    return next(
        line.replace("==", " ")
        for line in _requirements(package).read_text().splitlines()
        if line.startswith(f"{package}==")
    )


@contextmanager
def _node(script: str, folder: Path, processes: int, *arguments: str) -> Iterator[Server]:
    _install_modules()
    port = free_port()
    command = [tool("node", "nodejs"), f"{_HERE / script}", str(port), str(processes), *arguments]
    with running(command, port, folder / f"{script}.log") as server:
        yield server


@contextmanager
def _balanced(folder: Path, ports: Sequence[int]) -> Iterator[Server]:
    port = free_port()
    servers = " ".join(f"server 127.0.0.1:{each};" for each in ports)
    http = (
        f"upstream all {{ least_conn; {servers} keepalive 16; }}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://all; "
        'proxy_http_version 1.1; proxy_set_header Connection ""; } }'
    )
    with nginx(folder / "balancer", port, http, workers=1) as server:
        yield server


def _install_modules() -> None:
    wanted, ready = _HERE / "package-lock.json", _MODULES / ".package-lock.json"
    if not ready.exists() or ready.stat().st_mtime < wanted.stat().st_mtime:
        npm = tool("npm", "npm")
        _install("the npm packages", [npm, "ci", "--no-audit", "--no-fund", "--prefix", _HERE])
        ready.touch()


def _requirements(package: str) -> Path:
    return _HERE / f"requirements-{package}.txt"


def _environment(package: str) -> Path:
    """Return the virtual environment of a peer, made if need be."""
    environment, wanted = _HERE / f"{package}-venv", _requirements(package)
    ready = environment / "ready"
    if not ready.exists() or ready.stat().st_mtime < wanted.stat().st_mtime:
        _install(f"{package}'s environment", [sys.executable, "-m", "venv", "--clear", environment])
        _install(package, [environment / "bin/pip", "install", "--quiet", "-r", wanted])
        ready.touch()
    return environment


def _install(what: str, command: Sequence[str | Path]) -> None:
    print(f"  installing {what}", flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"{what} could not be installed: {done.stderr.strip()[-300:]}")
