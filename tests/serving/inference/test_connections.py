"""Connections that hold nothing but a place are closed; others are not."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.support.servers.bounded import GIVE_UP, HEAD, ends, listening, until

pytestmark = pytest.mark.verifies("SU-43", "REQ-461", "RC-191")


@pytest.mark.parametrize("sent", [b"", b"POST / HT", HEAD[:-2], HEAD.replace(b"\r\n\r\n", b"\r\nx: " + b"y" * 4000)])
def test_a_head_that_does_not_come_ends_the_connection(sent: bytes) -> None:
    with listening() as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(sent)
        assert ends(client) == b""


def test_a_head_without_an_end_is_refused() -> None:
    with listening(head=GIVE_UP) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(HEAD[:-2] + b"x: " + b"y" * 200_000)
        assert ends(client).startswith(b"HTTP/1.1 400")


def test_a_second_head_that_does_not_come_ends_the_connection() -> None:
    with listening() as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(HEAD + b"1234")
        until(client, b"answered 1234")
        client.sendall(HEAD[:20])
        assert ends(client) == b""


def test_the_rest_of_a_body_after_its_answer_ends_the_connection() -> None:
    with listening() as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(HEAD.replace(b"POST /", b"POST /early").replace(b"4", b"99999") + b"1")
        until(client, b"answered ")
        client.sendall(b"2")
        assert ends(client) == b""


def test_a_client_that_does_not_read_ends_the_connection() -> None:
    with listening(head=GIVE_UP) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(HEAD.replace(b"POST /", b"POST /large") + b"1234")
        threading.Event().wait(2)  # the server fills the buffers and gives up
        assert len(ends(client)) < 64 << 20


def test_a_body_may_take_longer_than_a_head() -> None:
    with listening() as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(GIVE_UP)
        client.sendall(HEAD + b"1")
        threading.Event().wait(0.8)
        client.sendall(b"234")
        until(client, b"answered 1234")
