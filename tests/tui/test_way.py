"""How long a viewer keeps one way to a hub before it looks for another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bedside_tui.places import Door
from bedside_tui.sources.way import LONGEST_PATIENCE, PATIENCE, Way


@pytest.fixture
def doors(tmp_path: Path) -> list[Door | None]:
    """What is found, the last of them now: at first a hub where nobody listens."""
    server, _ = zmq.curve_keypair()
    public, secret = zmq.curve_keypair()
    return [Door(f"ipc://{tmp_path}/hub", server.decode(), public.decode(), secret.decode())]


@pytest.fixture
def way(doors: list[Door | None]) -> Iterator[Way]:
    way = Way(lambda: doors[-1])
    yield way
    way.close()


def test_a_way_on_which_nobody_speaks_is_made_anew_later_and_later(way: Way) -> None:
    made, patience = 0.0, PATIENCE
    assert way.knock(made)
    for _ in range(5):
        assert not way.knock(made + patience - 0.1)
        assert f"patience {patience:g} s" in repr(way)
        made += patience + 0.1
        assert not way.knock(made)  # another way, to the same hub: it is not waited for
        patience = min(2 * patience, LONGEST_PATIENCE)
        assert f"patience {patience:g} s" in repr(way)


def test_another_hub_is_gone_to_at_once_and_none_is_no_way(way: Way, doors: list[Door | None]) -> None:
    assert way.knock(0.0)
    assert not way.knock(2 * PATIENCE)
    first = doors[0]
    assert first is not None
    doors.append(Door(first.endpoint + "2", first.server_public, first.public, first.secret))
    assert way.knock(2 * PATIENCE)
    assert f"hub2>, patience {PATIENCE:g} s" in repr(way)
    doors.append(None)
    assert not way.knock(2 * PATIENCE)
    assert not way.speaks()
    way.leave()
    doors.append(first)
    assert way.knock(2 * PATIENCE)


def test_keys_that_no_socket_takes_are_said_once_until_there_is_another_way(way: Way, doors: list[Door | None]) -> None:
    first = doors[0]
    assert first is not None
    doors.append(Door(first.endpoint, "no key", first.public, first.secret))
    with pytest.raises(zmq.ZMQError):
        way.knock(0.0)
    assert not way.knock(PATIENCE)
    doors.append(first)
    assert way.knock(PATIENCE)
