"""Signatures as the documentations and the test suites of both projects have them."""

import base64
import hashlib
import hmac

import pytest

from filmroll.errors import InvalidSignature
from filmroll.migration import imgproxy_keys, verify_thumbor

# Of the specification that all of thumbor's client libraries are held against.
THUMBOR_KEY = "my-security-key"
THUMBOR = ("8ammJH8D-7tXy6kU3lTvoXlhu4o=", "300x200/my.server.com/some/path/to/image.jpg")

# imgproxy: the example in its documentation (key "secret", salt "hello"), and that of its examples.
DOCUMENTED = ("736563726574", "68656C6C6F")
EXAMPLE = (
    "943b421c9eb07c830af81030552c86009268de4e532ba2ee2eab8247c6da0881",
    "520f986b998545b4785e0defbc4f3c1203f22de2374a3d53cb7a7fe9fea309c5",
)
IMGPROXY = [
    (
        DOCUMENTED,
        "oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8",
        "rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png",
    ),
    (
        EXAMPLE,
        "_PQ4ytCQMMp-1w1m_vP6g8Qb-Q7yF9mwghf6PddqxLw",
        "fill/300/300/no/1/aHR0cDovL2ltZy5leGFtcGxlLmNvbS9wcmV0dHkvaW1hZ2UuanBn.png",
    ),
    (
        EXAMPLE,
        "m3k5QADfcKPDj-SDI2AIogZbC3FlAXszuwhtWXYqavc",
        "rs:fit:300:300/plain/http://img.example.com/pretty/image.jpg",
    ),
]


def test_thumbor_takes_what_its_libraries_sign() -> None:
    verify_thumbor(THUMBOR_KEY, *THUMBOR)
    verify_thumbor(THUMBOR_KEY, THUMBOR[0].rstrip("="), THUMBOR[1])
    mac = hmac.new(b"MY_SECURE_KEY", b"300x200/smart/path/to/image.jpg", hashlib.sha1).digest()
    signature = base64.urlsafe_b64encode(mac).decode()
    verify_thumbor("MY_SECURE_KEY", signature, "300x200/smart/path/to/image.jpg")


@pytest.mark.parametrize(
    ("key", "signature", "path"),
    [
        ("another-key", *THUMBOR),
        (THUMBOR_KEY, THUMBOR[0], THUMBOR[1].replace("300", "301")),
        (THUMBOR_KEY, "", THUMBOR[1]),
        (THUMBOR_KEY, "8amm", THUMBOR[1]),
        (THUMBOR_KEY, "8", THUMBOR[1]),
        (THUMBOR_KEY, "unsafe", THUMBOR[1]),
        (THUMBOR_KEY, "é" + THUMBOR[0], THUMBOR[1]),
        (THUMBOR_KEY, THUMBOR[0] + "A" * 500, THUMBOR[1]),
    ],
)
def test_thumbor_refuses_others(key: str, signature: str, path: str) -> None:
    with pytest.raises(InvalidSignature):
        verify_thumbor(key, signature, path)


@pytest.mark.parametrize(("pair", "signature", "path"), IMGPROXY)
def test_imgproxy_takes_what_its_documentation_signs(
    pair: tuple[str, str], signature: str, path: str
) -> None:
    keys = imgproxy_keys(*pair, 32)
    keys.verify(signature, path)
    for wrong in (signature[:-2] + "AA", signature[:20], "", "unsafe", "_"):
        with pytest.raises(InvalidSignature):
            keys.verify(wrong, path)
    with pytest.raises(InvalidSignature):
        keys.verify(signature, path + "x")


def test_imgproxy_takes_signatures_of_the_size_that_is_set_and_no_other() -> None:
    _, signature, path = IMGPROXY[2]
    whole = base64.urlsafe_b64decode(signature + "=")
    cut = base64.urlsafe_b64encode(whole[:16]).decode()
    imgproxy_keys(*EXAMPLE, 16).verify(cut, path)
    with pytest.raises(InvalidSignature):
        imgproxy_keys(*EXAMPLE, 32).verify(cut, path)
    with pytest.raises(InvalidSignature):
        imgproxy_keys(*EXAMPLE, 16).verify(signature, path)


def test_imgproxy_knows_several_keys() -> None:
    both = imgproxy_keys(*(f"{a},{b}" for a, b in zip(DOCUMENTED, EXAMPLE, strict=True)), 32)
    for _, signature, path in IMGPROXY:
        both.verify(signature, path)


@pytest.mark.parametrize(
    ("keys", "salts"), [("", ""), ("ab", ""), ("xy", "ab"), ("ab,cd", "ab"), ("ab,", "ab,")]
)
def test_keys_out_of_form_are_refused(keys: str, salts: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        imgproxy_keys(keys, salts, 32)
