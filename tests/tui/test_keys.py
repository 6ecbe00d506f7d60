"""The table of keys: complete, without contradiction, and the one source of footer, help and README."""

from __future__ import annotations

from itertools import combinations

import pytest

from bedside_tui.app import BedsideApp
from bedside_tui.keys import KEYS, Key, Where, keys_of, markdown, presses
from bedside_tui.screens.help import help_lines
from bedside_tui.widgets.foot import footer
from bedside_tui.widgets.lines import plain, width_of

SCREENS = BedsideApp.SCREEN_TYPES

EXPECTED = set("q?jkgG/nNaAym:;vhbolrPCS,.[]{}0123456789w") | {"esc", "tab", "enter", "space", "←", "→", "end"}


def overlap(one: Where, other: Where) -> bool:
    """Whether keys of both places hold at the same time."""
    shared = {"everywhere", "lists", "time", "cursor"}
    return one == other or one in shared or other in shared


def test_every_key_of_the_design_is_in_the_table() -> None:
    assert {press for key in KEYS for press in key.keys} >= EXPECTED


def test_no_press_means_two_things_in_one_place() -> None:
    doubles = [
        (one.shown, other.shown)
        for one, other in combinations(KEYS, 2)
        if overlap(one.where, other.where) and set(one.keys) & set(other.keys)
    ]
    assert doubles == []


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.where}:{key.shown}")
def test_every_key_has_something_that_does_it(key: Key) -> None:
    method = f"action_{key.action.partition('(')[0]}"
    doers = [screen for screen in SCREENS.values() if key.where in screen.where]
    on_app = key.where in ("everywhere", "time")
    assert hasattr(BedsideApp, method) if on_app else doers and all(hasattr(screen, method) for screen in doers)


def test_control_is_capitals_and_space_is_not_among_them() -> None:
    assert [key.keys for key in KEYS if key.control] == [("P",), ("C",), ("S",), ("W",), ("M",), ("D",), ("H",)]


def test_control_of_probes_is_offered_on_their_screens_alone() -> None:
    assert "M measure" in plain([footer(("lists", "probes", "model"), 120)])
    assert "M measure" not in plain([footer(("lists", "vitals"), 120)])
    assert "M measure" not in plain([footer(("lists", "probes", "model"), 120, control=False)])


def test_presses_are_named_as_the_terminal_library_names_them() -> None:
    assert {name for key in keys_of("time") for name in presses(key)} >= {"comma", "full_stop", "left", "left_curly_bracket", "end"}


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_help_names_every_key_at_any_width(width: int) -> None:
    text = plain(help_lines(width))
    missing = [key.shown for key in KEYS if key.shown not in text and not key.shown.isdigit()]
    assert missing == []
    assert "0 … 9" in text


def test_help_can_be_filtered() -> None:
    assert "save a checkpoint" in plain(help_lines(80, "save a ch"))
    assert "leave" not in plain(help_lines(80, "save a ch"))


def test_the_readme_section_has_every_key_once() -> None:
    text = markdown()
    assert text.count("| `P` |") == 1
    assert "| `←` |" in text
    assert all(line.count("|") == 3 for line in text.splitlines() if line.startswith("|"))


@pytest.mark.parametrize("where", [screen.where for screen in SCREENS.values()])
@pytest.mark.parametrize("in_time", [False, True])
def test_the_footer_fits_any_width(where: tuple[Where, ...], in_time: bool) -> None:
    assert [width_of(footer(where, width, in_time=in_time)) for width in range(1, 201)] == list(range(1, 201))


def test_a_narrow_footer_keeps_control_longest_and_says_nothing_of_it_where_there_is_none() -> None:
    assert plain([footer(("lists", "vitals"), 28)]) == " P pause C ckpt S stop"
    assert "pause" not in plain([footer(("lists", "vitals"), 80, control=False)])


def test_what_left_a_narrow_footer_for_a_longer_key_comes_back_where_it_fits() -> None:
    assert plain([footer(("lists", "cursor", "vitals"), 80)]).endswith("a ack ⏎ open")
    assert "W where" in plain([footer(("lists", "cursor", "vitals"), 80)])
    assert "a ack" in plain([footer(("lists", "cursor", "alerts"), 80)])
