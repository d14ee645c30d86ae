"""Which addresses and ports may be connected to."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from filmroll.errors import ForbiddenAddress
from filmroll.fetch.guard import Guard, is_public

LOCAL = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",  # metadata
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # metadata
    "169.254.0.1",
    "169.254.169.254",  # metadata
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.192",  # metadata
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata
    "fdff::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00::1",
]


@pytest.mark.parametrize("address", LOCAL)
def test_local(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(ForbiddenAddress):
        Guard([]).check("example.com", 80, [address])


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(ip_address(address))
    Guard([]).check("example.com", 80, [address])


def test_one_local_address_among_public_ones_is_one_too_many() -> None:
    with pytest.raises(ForbiddenAddress):
        Guard([]).check("example.com", 80, ["8.8.8.8", "2606:4700::1111", "127.0.0.1"])


@pytest.mark.parametrize("port", [80, 443, 1024, 3000, 8000, 8080, 8443, 9000, 65535])
def test_ports_for_web_servers(port: int) -> None:
    Guard([]).check("example.com", port, ["8.8.8.8"])


@pytest.mark.parametrize("port", [1, 21, 22, 25, 53, 110, 465, 587, 1023, 6000, 6379, 6667, 11211])
def test_ports_of_others(port: int) -> None:
    with pytest.raises(ForbiddenAddress):
        Guard([]).check("example.com", port, ["8.8.8.8"])


@pytest.mark.parametrize(
    ("allow", "host", "port", "addresses"),
    [
        (["images.internal"], "images.internal", 8000, ["10.1.2.3"]),
        (["Images.Internal."], "images.internal", 25, ["10.1.2.3", "fd00::1"]),
        (["minio:9000"], "minio", 9000, ["172.18.0.2"]),
        (["10.0.0.0/8"], "anything.example", 80, ["10.1.2.3"]),
        (["10.0.0.0/8"], "anything.example", 80, ["10.1.2.3", "8.8.8.8"]),
        (["127.0.0.1"], "127.0.0.1", 5000, ["127.0.0.1"]),
        (["127.0.0.1:5000"], "localhost", 5000, ["127.0.0.1"]),
        (["10.0.0.0/8:5000"], "a.example", 5000, ["10.1.2.3"]),
        (["fd00::/8"], "fd12::1", 5000, ["fd12::1"]),
        (["::1"], "::1", 5000, ["::1"]),
        (["[::1]:5000"], "::1", 5000, ["::1"]),
        (["[fd00::/8]:5000"], "a.example", 5000, ["fd12::1"]),
        (["a.example", "10.0.0.0/8"], "b.example", 80, ["10.1.2.3"]),
    ],
)
def test_allowed(allow: Sequence[str], host: str, port: int, addresses: Sequence[str]) -> None:
    Guard(allow).check(host, port, addresses)


@pytest.mark.parametrize(
    ("allow", "host", "port", "addresses"),
    [
        (["images.internal"], "other.internal", 80, ["10.1.2.3"]),
        (["images.internal"], "images.internal.example", 80, ["10.1.2.3"]),
        (["minio:9000"], "minio", 9001, ["172.18.0.2"]),
        (["10.0.0.0/8"], "a.example", 80, ["11.0.0.1", "127.0.0.1"]),
        (["10.0.0.0/8"], "a.example", 80, ["10.0.0.1", "192.168.0.1"]),
        (["10.0.0.0/8"], "a.example", 22, ["8.8.8.8"]),
        (["127.0.0.1:5000"], "127.0.0.1", 5001, ["127.0.0.1"]),
        (["127.0.0.1:5000"], "::ffff:7f00:1", 5000, ["::ffff:7f00:1"]),
        (["[::1]:5000"], "::1", 5001, ["::1"]),
    ],
)
def test_not_allowed(allow: Sequence[str], host: str, port: int, addresses: Sequence[str]) -> None:
    with pytest.raises(ForbiddenAddress):
        Guard(allow).check(host, port, addresses)


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.1/8", "10.0.0.0/33", "http://a.example", "a b", "*.internal", "127.1", ":80"],
)
def test_an_exemption_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no host name"):
        Guard([text])
