"""URLs of thumbor and imgproxy, and what their answers hold."""

import base64
import hashlib
import hmac
from urllib.parse import quote

import httpx
import pyvips

from tests.e2e.origin import Origin
from tests.samples import encoded, picture

THUMBOR_KEY = "MY_SECURE_KEY"
KEY = "943b421c9eb07c830af81030552c86009268de4e532ba2ee2eab8247c6da0881"
SALT = "520f986b998545b4785e0defbc4f3c1203f22de2374a3d53cb7a7fe9fea309c5"


def thumbor(options: str, source: str) -> str:
    return f"/i/thumbor/unsafe/{options}/{quote(source, safe='')}"


def imgproxy(options: str, source: str) -> str:
    encoded_ = base64.urlsafe_b64encode(source.encode()).decode().rstrip("=")
    return f"/i/imgproxy/_/{options}/{encoded_}"


def turned_photo(origin: Origin) -> str:
    """Show one that stands upright only by its orientation, 640 wide, 480 high; return its URL."""
    body = encoded(picture(480, 640, 71), ".jpg", orientation=6)
    return origin.shows("/photos/a%20b.jpg", body)


def opened(answer: httpx.Response) -> pyvips.Image:
    assert answer.status_code == 200, answer.text
    return pyvips.Image.new_from_buffer(answer.content, "")


def flat(*color: int) -> pyvips.Image:
    """Return a picture of 20 × 20 pixels of one colour."""
    return (
        pyvips.Image.black(20, 20, bands=3)
        .linear(1, color)
        .cast("uchar")
        .copy(interpretation="srgb")
    )


def size(answer: httpx.Response) -> tuple[int, int]:
    image = opened(answer)
    return image.width, image.height


def kept_of(http: httpx.Client, body: bytes) -> dict[str, str]:
    """Return the one image of these bytes."""
    sha256 = hashlib.sha256(body).hexdigest()
    (image,) = http.get("/v1/images", params={"sha256": sha256}).json()["items"]
    return dict(image)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, object] = answer.json()
    assert body["code"] == code
    return body


def signed_thumbor(path: str) -> str:
    mac = hmac.new(THUMBOR_KEY.encode(), path.encode(), hashlib.sha1).digest()
    return f"/i/thumbor/{base64.urlsafe_b64encode(mac).decode()}/{path}"


def signed_imgproxy(path: str) -> str:
    mac = hmac.new(bytes.fromhex(KEY), bytes.fromhex(SALT) + path.encode(), hashlib.sha256).digest()
    return f"/i/imgproxy/{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}{path}"
