"""The door of the hub: one socket, CURVE only, and who may come in with which key.

The ZAP handler is polled in the hub's own loop and `ZAP_ENFORCE_DOMAIN` is set: if it does not answer, nobody comes in. The role that a key
stands for travels with each message as its user id.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final, Literal, cast

import zmq
from zmq.utils import z85

from bedside.runtime import Keys, endpoint
from bedside_protocol.codec import MAX_FRAME
from bedside_protocol.places import SOCKET_NAME

Role = Literal["agent", "operator", "viewer"]
DOMAIN: Final = "bedside"
_ZAP: Final = "inproc://zeromq.zap.01"


class Gate:
    """The hub's listening socket and its authentication. One thread owns both."""

    def __init__(self, keys: Keys, runtime: Path) -> None:
        self._roles: dict[bytes, Role] = {
            z85.decode(keys.agent_public): "agent",
            z85.decode(keys.operator_public): "operator",
            z85.decode(keys.viewer_public): "viewer",
        }
        self._context = zmq.Context()
        self.zap = self._context.socket(zmq.REP)
        self.zap.bind(_ZAP)
        self.socket = self._context.socket(zmq.ROUTER)
        self.socket.curve_server = True
        self.socket.curve_secretkey = keys.server_secret.encode()
        self.socket.zap_domain = DOMAIN.encode()
        self.socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.MAXMSGSIZE, 2 * MAX_FRAME)
        self.socket.setsockopt(zmq.LINGER, 200)
        self.socket.setsockopt(zmq.SNDHWM, 64)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, 500)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 2000)
        (runtime / SOCKET_NAME).unlink(missing_ok=True)  # a killed hub's socket file; the writer lock is ours by now
        self._endpoint = endpoint(runtime)
        self.socket.bind(self._endpoint)

    def __repr__(self) -> str:
        return f"<Gate for {len(self._roles)} keys>"

    def listen_again(self) -> None:
        """Listen on a new socket file in the old place; who is connected stays so. Raises `zmq.ZMQError`."""
        with contextlib.suppress(zmq.ZMQError):  # it did not listen: an earlier attempt failed
            self.socket.unbind(self._endpoint)
        self.socket.bind(self._endpoint)

    def answer_zap(self) -> bool:
        """Answer one authentication request; False where none waits."""
        try:
            version, request, domain, _address, _identity, mechanism, *credentials = self.zap.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return False
        known = mechanism == b"CURVE" and domain == DOMAIN.encode() and len(credentials) == 1 and credentials[0] in self._roles
        role = self._roles[credentials[0]].encode() if known else b""
        self.zap.send_multipart([version, request, b"200" if known else b"400", b"" if known else b"unknown key", role, b""])
        return True

    def receive(self) -> tuple[bytes, Role, bytes] | None:
        """One message: peer, role, frame; None when none waits. Messages of more than one frame are dropped."""
        try:
            parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        if len(parts) != 2:
            return b"", "viewer", b""
        return parts[0].bytes, cast("Role", parts[1].get("User-Id")), parts[1].bytes

    def send(self, peer: bytes, frame: bytes) -> bool:
        """Send without waiting; False where the peer is gone or takes nothing any more."""
        try:
            self.socket.send_multipart([peer, frame], zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def close(self) -> None:
        self.socket.close()
        self.zap.close(linger=0)
        self._context.term()
