"""Which run of which machine is meant, the words that start ssh to it, and what its failures are called."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from bedside_tui.places import NoSuchRun
from bedside_tui.remote.link import why_left
from bedside_tui.remote.place import Reach, RemotePlace, remote_place


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("box:digits", RemotePlace("box", "digits")),
        ("box:", RemotePlace("box", "")),
        ("me@box.example:/scratch/runs/a b", RemotePlace("me@box.example", "/scratch/runs/a b")),
        ("box:a:b", RemotePlace("box", "a:b")),
        ("[fe80::1%eth0]:run", RemotePlace("fe80::1%eth0", "run")),
        (None, None),
        ("digits-1", None),
        ("./a:b", None),
        ("/runs/a:b", None),
    ],
)
def test_a_colon_before_any_slash_names_a_machine(word: str | None, place: RemotePlace | None) -> None:
    assert remote_place(word) == place


def test_a_file_that_is_here_is_meant_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "box:digits").touch()
    assert remote_place("box:digits") is None


@pytest.mark.parametrize("word", ["-oProxyCommand=x:run", "a b:run", "$(x):run", "box;x:run", "\x1b[2J:run", "[:]:run", "-:run"])
def test_what_is_no_name_of_a_machine_starts_nothing(word: str) -> None:
    with pytest.raises(NoSuchRun, match="is no name of a machine"):
        remote_place(word)


def test_ssh_is_started_from_a_list_of_words_and_its_shell_gives_each_back() -> None:
    run = "it's; $(touch x) `y`\n--read-only"
    argv = Reach(("ssh", "-p", "2222"), ("~/my env/bin/bedside",)).argv(RemotePlace("box", run), read_only=True, may_ask=False)
    assert argv[:3] == ["ssh", "-p", "2222"]
    assert argv[-3:-1] == ["--", "box"]
    assert "BatchMode=yes" in argv
    assert argv[-1].startswith("~/'my env/bin/bedside' ")  # the tilde is for that shell to read
    assert shlex.split(argv[-1]) == ["~/my env/bin/bedside", "proxy", "--read-only", "--", run]


def test_only_a_first_link_may_ask_for_a_password() -> None:
    assert "BatchMode=no" in Reach().argv(RemotePlace("box", "run"), read_only=False, may_ask=True)


@pytest.mark.parametrize(
    ("code", "said", "sentence"),
    [
        (255, "ssh: Could not resolve hostname box: x", "no machine is known as box: check the name, or your ssh config (ssh said: "),
        (255, "me@box: Permission denied (publickey).", "box lets nobody in with these keys, and nobody was there to type a password"),
        (255, "Host key verification failed.", "the key of box is not the known one: see whether `ssh box` trusts it"),
        (255, "", "box cannot be reached"),
        (
            127,
            "sh: 1: bedside: not found",
            "bedside is not on the path of box's shell: install it there, or say where with --remote-bedside",
        ),
        (126, "bedside: Permission denied", "bedside is not on the path of box's shell"),
        (3, "bedside: there is no verb proxy", "the bedside of box is too old to be attached from elsewhere: upgrade it there"),
        (1, "one\n\x1b]0;owned\x07\x9b2J\n\n", "the link to box ended with 1 (ssh said: ␛]0;owned␇�2J)"),
        (-9, "", "ssh was killed (9)"),
        (None, "", "the link to box ended"),
    ],
)
def test_what_ended_a_link_is_one_sentence_and_none_of_it_is_obeyed(code: int | None, said: str, sentence: str) -> None:
    told = why_left("box", code, said)
    assert told.startswith(sentence)
    assert told.isprintable()


def test_what_a_shell_printed_instead_of_bedside_is_told_where_ssh_says_nothing() -> None:
    assert (
        why_left("box", 1, "", "This account is not available.")
        == "the link to box ended with 1 (it printed: This account is not available.)"
    )
