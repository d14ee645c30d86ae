"""A whole cluster under load, of which one part after the other is killed."""

import time

import pytest

from deploy.local.aws import MiniStack, SeaweedFS
from deploy.local.cluster import ROLES, Cluster, Stores
from tests.cluster.load import Load, all_there
from tests.e2e.service import IMPATIENT, ROOT

STEADY_SECONDS = 3
GAP_SECONDS = 3  # that a process is away
BACK_SECONDS = 6  # after which all must be as before


@pytest.mark.timeout(400)
def test_parts_may_die_one_after_the_other(tmp_path):
    with (
        SeaweedFS(tmp_path / "seaweedfs") as seaweedfs,
        MiniStack(tmp_path / "ministack") as ministack,
        Cluster(
            tmp_path / "cluster",
            Stores(seaweedfs, ministack).variables("one") | {"PYTHONPATH": str(ROOT)},
            module=IMPATIENT,
        ) as cluster,
        cluster.client() as http,
    ):
        parts = {role: cluster.roles[role][0] for role in ROLES}
        with Load(cluster.url) as load:
            time.sleep(STEADY_SECONDS)
            begun = time.monotonic()
            before = load.percentile("upload", 0.99, 0.0, begun)
            for name, part in {**parts, "S3": seaweedfs, "DynamoDB and SQS": ministack}.items():
                fell = time.monotonic()
                if name in parts:
                    part.kill()
                else:
                    part.stop()  # what MiniStack knows outlives no kill, unlike AWS's
                time.sleep(GAP_SECONDS)
                part.start()
                time.sleep(BACK_SECONDS)
                back = time.monotonic()
                time.sleep(STEADY_SECONDS)
                now = time.monotonic()
                gap, after = load.statuses(fell) - load.statuses(back), load.statuses(back)
                took = load.percentile("upload", 0.99, back, now)
                print(f"{name}: {gap} in the gap, {after} after; p99 {before:.2f} s, {took:.2f} s")
                assert set(gap) <= {200, 201, 202, 409, 502, 503}, name
                # A request under a key whose first attempt broke off may have to wait for its lock.
                assert set(after) <= {200, 201, 202, 409}, name
        assert load.wrong == []
        all_there(http, load.kept)
