"""Who may speak to the served page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bedside_tui.web.gate import Asked, Gate

GATE = Gate("secret")
PAGE = Asked("/secret/", "127.0.0.1:8000", None)
SOCKET = Asked("/secret/ws", "127.0.0.1:8000", "http://127.0.0.1:8000", is_socket=True)
WHOLE = "this is not the whole address: `bedside serve` printed it"
LOOPBACK = "this page is served on loopback only: open it as 127.0.0.1 or localhost"
OTHER = "another page may not speak to this one"


@pytest.mark.parametrize(
    ("host", "origin"),
    [("127.0.0.1:8000", "http://127.0.0.1:8000"), ("localhost:9", "http://localhost:9"), ("[::1]:80", "http://[::1]:80")],
)
def test_the_page_and_its_socket_are_served_whatever_the_port_at_the_other_end_of_a_tunnel(host: str, origin: str) -> None:
    assert GATE.refusal(replace(PAGE, host=host)) == ""
    assert GATE.refusal(replace(SOCKET, host=host, origin=origin)) == ""


@pytest.mark.parametrize(
    "path", ["", "/", "/ws", "/secre/", "/secrets/", "//secret/", "secret/", "/SECRET/", "/static/js/textual.js", "/é/"]
)
def test_without_the_secret_nothing_is_served(path: str) -> None:
    assert GATE.refusal(replace(PAGE, path=path)) == WHOLE
    assert GATE.refusal(replace(SOCKET, path=path)) == WHOLE


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::2]:1"]
)
def test_a_foreign_name_for_this_machine_is_refused_even_with_the_secret(host: str) -> None:
    assert GATE.refusal(replace(PAGE, host=host)) == LOOPBACK
    assert GATE.refusal(replace(SOCKET, host=host, origin=f"http://{host}")) == LOOPBACK


@pytest.mark.parametrize(
    "origin", [None, "null", "", "http://evil.example", "http://127.0.0.1:8001", "http://localhost:8000", "https://127.0.0.1:8000"]
)
def test_a_socket_is_opened_by_the_page_itself_and_by_no_other(origin: str | None) -> None:
    assert GATE.refusal(replace(SOCKET, origin=origin)) == OTHER


def test_every_page_has_a_secret_of_its_own_which_is_not_told() -> None:
    first, second = Gate(), Gate()
    assert first.secret != second.secret
    assert len(first.secret) >= 32
    assert first.secret not in repr(first)
