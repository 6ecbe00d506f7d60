"""Who may speak to the served page: decided here from a request's own words, before anything is served.

Every user of a machine can reach its loopback ports, and so can every page in the user's own browser. Three things keep them out: a secret
in the address; the name it was asked by, which must be loopback's own (a foreign name made to mean 127.0.0.1 is refused); and for a
WebSocket the page it was opened from, which must be this one.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_NAMES: Final = frozenset({LOOPBACK, "localhost", "[::1]"})
"""What a browser may call this machine; the port may be another one, where a tunnel leads here."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of itself; `origin` is the page it comes from, None where it names none."""

    path: str
    host: str
    origin: str | None
    is_socket: bool = False


class Gate:
    """Holds the secret of one served page."""

    def __init__(self, secret: str = "") -> None:
        self.secret = secret or secrets.token_urlsafe(24)

    def __repr__(self) -> str:
        return "<Gate>"

    def refusal(self, asked: Asked) -> str:
        """Why this request is refused, in a sentence; "" where it may pass."""
        if _name_of(asked.host) not in _NAMES:
            return "this page is served on loopback only: open it as 127.0.0.1 or localhost"
        if not compare_digest(asked.path.split("/")[1].encode() if asked.path.startswith("/") else b"", self.secret.encode()):
            return "this is not the whole address: `bedside serve` printed it"
        if asked.origin is None and not asked.is_socket:
            return ""
        return "" if asked.origin == f"http://{asked.host}" else "another page may not speak to this one"


def _name_of(host: str) -> str:
    """The name in a `Host` header, without the port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
