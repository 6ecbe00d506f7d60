"""The door of the hub when somebody tries it: with wrong keys, with no one to check them, with another hub behind it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from bedside.hub.desk import Desk
from bedside.hub.gate import Gate
from bedside.runtime import Keys, endpoint, make_keys
from bedside_protocol.codec import encode_message
from bedside_protocol.messages import Answer, Ask

STOP = encode_message(Ask("run-1", "c1", "stop", "somebody"))
SEEN = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_CONNECTED


class Caller:
    """Somebody's socket at the door, and how its handshakes go."""

    def __init__(self, runtime: Path, server: str, public: str, secret: str, *, keep: bool = False) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.curve_serverkey = server.encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = public.encode(), secret.encode()
        self.socket.setsockopt(zmq.IMMEDIATE, 0 if keep else 1)
        self.socket.linger = 0
        self.socket.setsockopt(zmq.RECONNECT_IVL, 10)
        self.monitor = self.socket.get_monitor_socket(SEEN, addr=f"inproc://seen-{id(self)}")
        self.socket.connect(endpoint(runtime))

    def seen(self) -> list[int]:
        """What happened since last asked."""
        events = []
        while self.monitor.poll(0):
            events.append(int(recv_monitor_message(self.monitor)["event"]))
        return events

    def close(self) -> None:
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        self.context.destroy(linger=0)


class Told(NamedTuple):
    """What came of somebody at the door."""

    events: list[int]
    received: list[bytes]


def attend(gate: Gate, caller: Caller, until: Callable[[Told], bool], rounds: int = 2000) -> Told:
    """Serve the gate as the hub does until something is seen; fails when it is not."""
    told = Told([], [])
    for _ in range(rounds):
        while not gate.zap.closed and gate.answer_zap():
            pass
        while (message := gate.receive()) is not None:
            told.received.append(message[2])
        told.events.extend(caller.seen())
        if until(told):
            return told
        gate.socket.poll(2)
    raise AssertionError(f"not seen within {rounds} rounds: {told}")


def turned_away(told: Told) -> bool:
    """Told so, or let go without a word and come again."""
    return zmq.EVENT_HANDSHAKE_FAILED_AUTH in told.events or told.events.count(zmq.EVENT_CONNECTED) > 1


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bs-") as directory:
        yield Path(directory)


@pytest.fixture
def closing() -> Iterator[list[Gate | Caller]]:
    """What is put in here is closed at the end, the last first."""
    opened: list[Gate | Caller] = []
    yield opened
    for one in reversed(opened):
        one.close()


def operator(keys: Keys) -> tuple[str, str, str]:
    return keys.server_public, keys.operator_public, keys.operator_secret


def test_the_operators_key_opens_the_door(runtime: Path, closing: list[Gate | Caller]) -> None:
    keys = make_keys()
    gate = Gate(keys, runtime)
    caller = Caller(runtime, *operator(keys), keep=True)
    closing += [gate, caller]
    caller.socket.send(STOP)
    told = attend(gate, caller, lambda told: bool(told.received))
    assert told.received == [STOP]


def test_with_nobody_to_check_keys_the_door_is_shut_to_the_right_ones_too(runtime: Path, closing: list[Gate | Caller]) -> None:
    """Without `ZAP_ENFORCE_DOMAIN` a missing authenticator lets everybody in."""
    keys = make_keys()
    gate = Gate(keys, runtime)
    gate.zap.close(linger=0)
    public, secret = (half.decode() for half in zmq.curve_keypair())
    for name in ((public, secret), (keys.operator_public, keys.operator_secret)):
        caller = Caller(runtime, keys.server_public, *name, keep=True)
        caller.socket.send(STOP)
        told = attend(gate, caller, turned_away)
        caller.close()
        assert zmq.EVENT_HANDSHAKE_SUCCEEDED not in told.events
        assert told.received == []
    closing.append(gate)


@pytest.mark.parametrize("wrong", ["the hub's key", "both of one's own", "the secret half"])
def test_wrong_keys_open_nothing(runtime: Path, closing: list[Gate | Caller], wrong: str) -> None:
    keys, others = make_keys(), make_keys()
    given = {
        "the hub's key": (others.server_public, keys.operator_public, keys.operator_secret),
        "both of one's own": (keys.server_public, others.operator_public, others.operator_secret),
        "the secret half": (keys.server_public, keys.operator_public, others.operator_secret),
    }[wrong]
    gate = Gate(keys, runtime)
    caller = Caller(runtime, *given, keep=True)
    closing += [gate, caller]
    caller.socket.send(STOP)
    told = attend(gate, caller, turned_away)
    assert zmq.EVENT_HANDSHAKE_SUCCEEDED not in told.events
    assert told.received == []


def test_a_command_typed_at_a_dead_run_is_not_delivered_to_the_next_one_at_its_place(runtime: Path, closing: list[Gate | Caller]) -> None:
    """The worst that can be: a viewer that keeps what it could not send, and a new run behind the same path."""
    first, second = make_keys(), make_keys()
    gate = Gate(first, runtime)
    caller = Caller(runtime, *operator(first), keep=True)
    caller.socket.send(b"hello")
    attend(gate, caller, lambda told: bool(told.received))
    gate.close()
    caller.socket.send(STOP)
    next_one = Gate(second, runtime)
    closing += [next_one, caller]
    told = attend(next_one, caller, turned_away)
    assert zmq.EVENT_HANDSHAKE_SUCCEEDED not in told.events
    assert told.received == []


def test_viewers_keep_nothing_for_a_run_that_is_not_there(runtime: Path, closing: list[Gate | Caller]) -> None:
    """`IMMEDIATE`, as the viewer's own socket has it: what cannot be sent now is not sent later."""
    keys = make_keys()
    caller = Caller(runtime, *operator(keys))
    closing.append(caller)
    with pytest.raises(zmq.Again):
        caller.socket.send(STOP, zmq.NOBLOCK)
    gate = Gate(keys, runtime)
    closing.append(gate)
    told = attend(gate, caller, lambda told: zmq.EVENT_HANDSHAKE_SUCCEEDED in told.events)
    assert told.received == []


def test_whoever_takes_the_place_of_the_hub_hears_nothing_from_those_who_know_its_key(runtime: Path, closing: list[Gate | Caller]) -> None:
    keys, thief = make_keys(), make_keys()
    squatter = Gate(thief, runtime)
    agent = Caller(runtime, keys.server_public, keys.agent_public, keys.agent_secret, keep=True)
    closing += [squatter, agent]
    agent.socket.send(STOP)
    told = attend(squatter, agent, turned_away)
    assert told.received == []
    assert zmq.EVENT_HANDSHAKE_SUCCEEDED not in told.events


@pytest.mark.parametrize("role", ["viewer", "agent"])
def test_no_key_but_the_operators_commands(role: str) -> None:
    desk = Desk("run-1")
    for verb in ("pause", "stop", "checkpoint", "note", "acknowledge", "shelve", "notify", "rate"):
        answer, said = desk.ask(Ask("run-1", f"c-{verb}", verb, "me"), role, 0.0, 5, is_over=False)  # type: ignore[arg-type]
        assert (answer, said) == (Answer(f"c-{verb}", False, "this key may look, not command"), [])
    assert desk.due(10.0) == []
