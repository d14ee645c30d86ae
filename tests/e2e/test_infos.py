"""Information about images, and the search for those that look alike."""

import json
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import pyvips

from filmroll import Client
from filmroll.model import new_id
from tests import samples
from tests.e2e.bulk import check_sums, new_batch, wait_until_final
from tests.e2e.service import Service, filmroll, free_port
from tests.e2e.test_access import bearer, make_key
from tests.e2e.test_upload import upload

STORM = (samples.FIXTURES / "storm.jpg").read_bytes()
DUNE = (samples.FIXTURES / "dune.jpg").read_bytes()


def kept(http: httpx.Client, data: bytes, **fields: str) -> str:
    answer = http.post("/v1/images", content=data, params=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def info(http: httpx.Client, image: str, **query: object) -> dict:
    answer = http.get(f"/v1/images/{image}/info", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def storm(service) -> str:
    with service.client() as http:
        return kept(http, STORM)


@pytest.fixture(scope="module")
def located(service) -> str:
    with service.client() as http:
        return kept(http, samples.located_jpeg())


def test_what_is_told_of_a_photograph(http: httpx.Client, storm: str) -> None:
    told = info(http, storm)
    palette, dominant = told.pop("palette"), told.pop("dominant_color")
    assert len(told.pop("perceptual_hash")) == 16
    assert told.pop("blurhash").startswith("LWAA|8D#")
    assert told.pop("thumbhash").startswith("F+cNFYKC")
    assert told == {
        "image": storm,
        "format": "jpeg",
        "content_type": "image/jpeg",
        "width": 1100,
        "height": 733,
        "bytes": len(STORM),
        "frames": 1,
        "orientation": 1,
        "color_space": "rgb",
        "bit_depth": 8,
        "alpha": False,
        "icc_profile": None,
        "exif": {},
    }
    assert dominant == palette[0]["color"]
    assert sum(each["share"] for each in palette) == pytest.approx(1, abs=0.001)


def test_it_is_described_as_it_is_documented(http: httpx.Client, storm: str) -> None:
    shapes = http.get("/openapi.json").json()["components"]["schemas"]
    assert set(shapes["Info"]["required"]) == set(info(http, storm))


def test_where_it_was_taken_is_told_only_if_asked_for(http: httpx.Client, located: str) -> None:
    assert info(http, located)["exif"] == {}
    most = info(http, located, exif="all")["exif"]
    assert (most["Make"], most["LensModel"]) == ("Acme (Ltd)", "A lens")
    told = json.dumps([most, info(http, located), http.get(f"/v1/images/{located}").json()])
    for secret in ("GPS", "WGS-84", "SN-123456", "An owner"):
        assert secret not in told
    assert info(http, located, exif="gps")["exif"]["GPSMapDatum"] == "WGS-84 place"
    both = info(http, located, exif=["all", "gps"])["exif"]
    assert both.keys() == most.keys() | info(http, located, exif="gps")["exif"].keys()
    named = info(http, located, exif="Make,Nothing,GPSLatitudeRef,BodySerialNumber")["exif"]
    assert named == {
        "Make": "Acme (Ltd)",
        "Nothing": None,
        "GPSLatitudeRef": "N",
        "BodySerialNumber": "SN-123456",
    }


@pytest.mark.parametrize("exif", ["", ",", "Make,,Model", "a b", "ä", "x" * 65, "A," * 50 + "A"])
def test_what_is_no_tag_is_refused(http: httpx.Client, storm: str, exif: str) -> None:
    answer = http.get(f"/v1/images/{storm}/info", params={"exif": exif})
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/exif")


def test_a_copy_of_the_answer_can_be_kept(http: httpx.Client, storm: str) -> None:
    path = f"/v1/images/{storm}/info"
    first = http.get(path)
    assert first.headers["cache-control"].startswith("private")
    tag = first.headers["etag"]
    again = http.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = http.get(path, params={"exif": "Make"}, headers={"If-None-Match": tag})
    assert (other.status_code, other.json()["exif"]) == (200, {"Make": "Canon"})
    assert http.head(path).headers["etag"] == tag


def test_many_at_once_get_the_same(service: Service, http: httpx.Client) -> None:
    image = kept(http, samples.jpeg(2000, 1500, seed=901))

    def ask(_: int) -> bytes:
        with service.client() as one:
            answer = one.get(f"/v1/images/{image}/info")
            assert answer.status_code == 200, answer.text
            return answer.content

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(ask, range(16)))) == 1


def test_of_what_is_not_there_nothing_is_told(http: httpx.Client) -> None:
    image = kept(http, samples.tiny_jpeg(902))
    before = info(http, image)
    assert http.delete(f"/v1/images/{image}").status_code == 204
    for id_, status, code in (
        (image, 410, "deleted"),
        ("0" * 26, 404, "not-found"),
        ("nonsense", 404, "not-found"),
    ):
        answer = http.get(f"/v1/images/{id_}/info")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert image not in similar(http, before["perceptual_hash"])


def undecodable() -> bytes:
    """Return a PNG whose structure is whole, and whose pixels are not."""
    noise = zlib.compress(bytes(range(256)) * 40)[:-200] + bytes(200)
    data = samples.png_header(64, 48) + samples.png_chunk(b"IDAT", noise)
    return data + samples.png_chunk(b"IEND")


def test_a_picture_that_cannot_be_decoded_says_so(http: httpx.Client) -> None:
    image = kept(http, undecodable())
    for _ in range(2):
        answer = http.get(f"/v1/images/{image}/info")
        assert (answer.status_code, answer.json()["code"]) == (422, "corrupt-image")
    answer = http.get("/v1/images", params={"similar": image})
    assert (answer.status_code, answer.json()["code"]) == (422, "corrupt-image")


@pytest.mark.parametrize(("query", "pointer"), [("exiv=all", "/exiv"), ("exif=all&x=", "/x")])
def test_what_is_not_known_is_refused(
    http: httpx.Client, storm: str, query: str, pointer: str
) -> None:
    answer = http.get(f"/v1/images/{storm}/info?{query}")
    assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)


# ------------------------------------------------------------------------------ looking alike


def similar(http: httpx.Client, like: str, **query: object) -> list[str]:
    answer = http.get("/v1/images", params={"similar": like, **query})
    assert answer.status_code == 200, answer.text
    return [image["id"] for image in answer.json()["items"]]


def test_copies_are_found_and_others_are_not(http: httpx.Client) -> None:
    photo = pyvips.Image.new_from_buffer(DUNE, "")
    copies = [
        photo.jpegsave_buffer(Q=50),
        photo.thumbnail_image(300).webpsave_buffer(),
        (photo * 1.1).cast("uchar").jpegsave_buffer(),
    ]
    ids = [kept(http, data, tag="dunes") for data in (DUNE, *copies)]
    other = kept(http, samples.jpeg(400, 300, seed=903), tag="dunes")
    for image in (*ids, other):
        info(http, image)
    assert similar(http, ids[0], tag="dunes") == ids[::-1]
    assert similar(http, info(http, ids[0])["perceptual_hash"], tag="dunes") == ids[::-1]
    assert similar(http, ids[0], distance=7, tag="dunes") == ids[::-1]
    assert ids[0] in similar(http, ids[0], distance=0)
    assert similar(http, other, distance=7, tag="dunes") == [other]
    page = http.get("/v1/images", params={"similar": ids[0], "tag": "dunes", "limit": 2}).json()
    assert [image["id"] for image in page["items"]] == ids[:1:-1]
    assert similar(http, ids[0], tag="dunes", limit=2, cursor=page["next_cursor"]) == ids[1::-1]
    assert http.delete(f"/v1/images/{ids[3]}").status_code == 204
    assert similar(http, ids[0], tag="dunes") == ids[2::-1]


def test_an_image_that_was_not_looked_at_yet_is_looked_at(http: httpx.Client) -> None:
    image = kept(http, samples.jpeg(400, 300, seed=904))
    assert similar(http, image) == [image]


def test_a_batch_has_all_looked_at_that_are_there(http: httpx.Client) -> None:
    tag = new_id()
    ids = [kept(http, samples.jpeg(200, 150, seed=920 + n), tag=tag) for n in range(12)]
    bad = kept(http, undecodable(), tag=tag)
    assert similar(http, "0" * 16, tag=tag) == []
    batch = new_batch(http, action="info", where={"tag": tag})
    done = wait_until_final(http, batch, 60)
    assert (done["state"], done["action"]) == ("completed_with_errors", "info")
    lines = check_sums(http, batch)
    assert {lines[image]["state"] for image in ids} == {"succeeded"}
    assert (lines[bad]["state"], lines[bad]["problem"]["code"]) == ("failed", "corrupt-image")
    for image in ids:
        assert image in similar(http, info(http, image)["perceptual_hash"], tag=tag)
    http.post(f"/v1/batches/{batch}/retry")
    assert wait_until_final(http, batch)["counts"]["failed"] == 1
    assert check_sums(http, batch)[bad]["attempts"] == 1
    again = new_batch(http, action="info", where={"tag": tag})
    assert wait_until_final(http, again)["counts"]["succeeded"] == 12


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"similar": "0" * 26}, "/similar"),
        ({"similar": "nonsense"}, "/similar"),
        ({"similar": "0" * 15}, "/similar"),
        ({"similar": ""}, "/similar"),
        ({"similar": "0" * 16, "distance": 8}, "/distance"),
        ({"similar": "0" * 16, "distance": -1}, "/distance"),
        ({"similar": "0" * 16, "distance": "near"}, "/distance"),
        ({"distance": 2}, "/distance"),
    ],
)
def test_what_makes_no_search_is_refused(http: httpx.Client, query: dict, pointer: str) -> None:
    answer = http.get("/v1/images", params=query)
    assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)


def test_to_a_grey_sheet_nothing_is_alike(http: httpx.Client) -> None:
    sheet = (pyvips.Image.black(64, 48, bands=3) + 90).cast("uchar")
    image = kept(http, sheet.copy(interpretation="srgb").pngsave_buffer())
    assert info(http, image)["perceptual_hash"] is None
    answer = http.get("/v1/images", params={"similar": image})
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/similar")


# --------------------------------------------------------------------- roles, keys, the client


def test_the_upload_role_has_the_processing_role_look(data) -> None:
    port = free_port()
    url = {"FILMROLL_WORKER_URL": f"http://127.0.0.1:{port}"}
    with Service(data, "upload-api", **url) as uploads, uploads.client() as http:
        image = kept(http, samples.tiny_jpeg(905))
        answer = http.get(f"/v1/images/{image}/info")
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        with Service(data, "worker", port=port, **url):
            told = info(http, image)
        assert info(http, image) == told, "kept: nobody has to look again"


def test_it_takes_the_read_scope(data) -> None:
    upload_key, read_key = make_key(data, "up", "upload"), make_key(data, "down", "read")
    with Service(data, FILMROLL_ACCESS="keys") as service, service.client() as http:
        image = upload(http, samples.tiny_jpeg(906), **bearer(upload_key)).json()["id"]
        path = f"/v1/images/{image}/info"
        assert http.get(path).status_code == 401
        assert http.get(path, headers=bearer(upload_key)).status_code == 403
        assert http.get(path, headers=bearer(read_key)).status_code == 200


def test_the_client_and_the_command_line_tell_it(service: Service, storm: str) -> None:
    with Client(service.url) as client:
        told = client.info(storm, exif=["Make"])
        assert (told["width"], told["exif"]) == (1100, {"Make": "Canon"})
        assert storm in [image["id"] for image in client.images(similar=storm, distance=0)]
    done = filmroll("info", storm, "--exif", "Make", FILMROLL_URL=service.url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == told
    done = filmroll("info", "0" * 26, FILMROLL_URL=service.url)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1)
