"""The socket that a role listens on."""

import socket

import pytest

from filmroll.settings import CannotStart, Settings
from filmroll.web.server import reserve


def test_nobody_is_let_in_before_it_serves(tmp_path):
    settings = Settings(data=tmp_path, port=0)
    with reserve(settings) as listener, pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.getsockname())


def test_what_it_sends_in_pieces_leaves_at_once(tmp_path):
    with reserve(Settings(data=tmp_path, port=0)) as listener:
        listener.listen()
        listener.settimeout(10)
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as taken:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_somebody_listens_on_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"cannot listen on 127.0.0.1:{port}"):
            reserve(Settings(data=tmp_path, port=port))
