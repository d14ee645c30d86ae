"""Servers in processes of their own, on free ports of the loopback address."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.missing import Wrong, tool
from deploy.local.process import free_port

_START_SECONDS = 30
_STOP_SECONDS = 60

_NGINX = """
worker_processes {workers};
user {user};
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
  include /etc/nginx/mime.types;
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {http}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    pids: tuple[int, ...]  # of all processes that it was started as

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running(
    command: Sequence[str], port: int, log: Path, environment: dict[str, str] | None = None
) -> Iterator[Server]:
    """Start a server, wait until it takes connections, and stop it in the end."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=os.environ | (environment or {}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(process, port, log)
        yield Server(port, (process.pid,))
    finally:
        process.send_signal(signal.SIGTERM)  # nothing happens to one that was killed
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def filmroll(folder: Path, **stores: str) -> Iterator[Server]:
    """Run ``filmroll serve`` as it is out of the box, its data in ``folder/data`` or elsewhere."""
    port = free_port()
    settings = {"FILMROLL_DATA": str(folder / "data"), "FILMROLL_PORT": str(port), **stores}
    command = [sys.executable, "-m", "filmroll", "serve"]
    with running(command, port, folder / "filmroll.log", settings) as server:
        yield server


@contextmanager
def nginx(folder: Path, port: int, http: str, workers: int) -> Iterator[Server]:
    """Run nginx with a given ``http`` block that listens on ``port``."""
    binary = tool("nginx", "nginx-light")
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nginx.conf"
    user = pwd.getpwuid(os.geteuid()).pw_name
    configuration.write_text(_NGINX.format(folder=folder, http=http, user=user, workers=workers))
    command = [
        binary,
        "-p",
        f"{folder}",
        "-e",
        "error.log",
        "-c",
        "nginx.conf",
        "-g",
        "daemon off;",
    ]
    with running([*command, "-g", "daemon off;"], port, folder / "nginx.log") as server:
        yield server


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Wrong(f"{process.args!r} did not start:\n{log.read_text()[-2000:]}")
