"""What an image costs in requests to the stores, counted on the line."""

from collections import Counter
from collections.abc import Sequence

from tests.e2e.bulk import new_batch, seal, wait_until_final
from tests.e2e.service import Service, until
from tests.faults.wire import Request
from tests.samples import jpeg, tiny_jpeg
from tests.unit.archives.making import tar

THUMB = "resize:width=70/output:format=webp"
ITEMS = 1000


def of(requests: Sequence[Request], image: str) -> Counter[str]:
    return Counter(one.operation for one in requests if one.names(image))


def test_an_upload_with_one_variant_takes_three_requests_of_each_store(data, lines):
    with Service(data, **lines.variables) as service, service.client() as http:
        http.post("/v1/images", content=tiny_jpeg(1))  # what a start costs, once
        with lines.s3.counting() as blobs, lines.aws.counting() as records:
            answer = http.post(
                "/v1/images",
                params={"variant": THUMB},
                content=jpeg(400, 300, seed=2),
                headers={"Prefer": "respond-async"},
            )
            assert answer.status_code == 202, answer.text
            image = answer.json()["id"]
            until(lambda: f'"job":"{image}","state":"succeeded"' in service.log.read_text(), 20)
            until(lambda: any(one.operation == "DeleteMessageBatch" for one in records), 20)
        assert of(blobs, image) == {"PUT": 2, "GET": 1}
        assert of(records, image) == {"PutItem": 1, "UpdateItem": 2, "SendMessageBatch": 1}
        never_looked_through(blobs, records)


def test_a_thousand_items_cost_their_ledger_few_writes(data, lines):
    files = {f"{number}.jpg": tiny_jpeg(number) for number in range(ITEMS)}
    with Service(data, **lines.variables) as service, service.client() as http:
        with lines.s3.counting() as blobs, lines.aws.counting() as records:
            batch = new_batch(http, variants=[THUMB])
            answer = http.post(f"/v1/batches/{batch}/archive", content=tar(files))
            assert answer.text.count('"state":"stored"') == ITEMS
            seal(http, batch)
            ended = wait_until_final(http, batch, seconds=150)
        assert ended["counts"]["succeeded"] == ITEMS
        originals = [one for one in blobs if one.method == "PUT" and "/o/" in one.target]
        assert len(originals) == ITEMS
        ledger = Counter(
            one.operation
            for one in records
            if one.operation in {"PutItem", "UpdateItem"}
            and (b'"log#' in one.body or b'"head"' in one.body)
            and one.names(batch)
        )
        print("writes of the ledger:", ledger)
        assert ledger.total() <= 60
        written = Counter(one.operation for one in records)
        print("all requests:", written)
        assert written["SendMessageBatch"] <= ITEMS / 10 + 20
        never_looked_through(blobs, records)


def test_what_is_kept_is_served_without_a_listing(data, lines):
    with Service(data, **lines.variables) as service, service.client() as http:
        made = http.post(
            "/v1/images", params={"variant": THUMB}, content=jpeg(400, 300, seed=3)
        ).json()
        with lines.s3.counting() as blobs, lines.aws.counting() as records:
            assert http.get(made["variants"][0]["url"]).status_code == 200
            assert http.get(made["url"]).status_code == 200
            assert http.get("/v1/images").status_code == 200
        assert of(blobs, made["id"]) == {"GET": 2}
        never_looked_through(blobs, records)


def never_looked_through(blobs: Sequence[Request], records: Sequence[Request]) -> None:
    """Hold that nothing was listed in S3, and no table was read from end to end."""
    assert not [one.target for one in blobs if "list-type" in one.target]
    assert not [one for one in records if one.operation == "Scan"]
