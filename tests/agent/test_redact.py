"""What is recorded of a config and a command line: the settings, never the secrets."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import enum
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside_protocol.redact import MAX_ENTRIES, MAX_TEXT, REDACTED, flat_config, is_secret_name, redacted_argv, redacted_text

SECRET = "sEcReT-valu3-9f2c"
KEYS = [
    "sk-abcdefghijklmnopqrstuvwx", "sk_live_abcdefghijklmnop", "hf_abcdefghijklmnopqrst", "ghp_abcdefghijklmnopqrstuvwxyz",
    "github_pat_abcdefghijklmnopqrstuvwxyz", "glpat-abcdefghijklmnopqrst", "xoxb-1234567890-abc", "AKIAABCDEFGHIJKLMNOP",
    "AIzaSyabcdefghijklmnopqrstuvwxyz0123456", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
]  # fmt: skip
SECRET_NAMES = [
    "password", "passwd", "pass", "pwd", "db_password", "DB_PASSWORD", "dbPassword", "passphrase", "secret", "secrets", "clientSecret",
    "AWS_SECRET_ACCESS_KEY", "token", "tokens", "hf_token", "HFToken", "HF_TOKEN", "hub-token", "authToken", "accesstoken", "api_key",
    "apikey",
    "API_KEY", "OPENAI_API_KEY", "wandb.api_key", "apiKey", "api-keys", "private_key", "privateKey", "ssh_key", "wandb_key", "auth",
    "Authorization", "credentials", "creds", "cookie", "session_cookies", "+trainer.token", "--hub_token", "per_token_password",
]  # fmt: skip
PLAIN_NAMES = [
    "tokenizer", "tokenizer_name", "max_tokens", "maxTokens", "num_tokens", "n_tokens", "tokens_per_second", "vocab_tokens", "token_count",
    "max_new_tokens", "pad_token_id", "token_dropout", "special_tokens", "lr", "author", "authors", "key", "keys", "num_keys", "key_dim",
    "sort_key", "monkey", "turkey_passes", "compass", "passthrough", "bypass", "secretary", "path", "accesses", "n_heads",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_tells_of_a_secret_has_its_value_taken_out(name: str) -> None:
    assert is_secret_name(name)
    assert flat_config({name: SECRET, "lr": 0.1}) == {name: REDACTED, "lr": 0.1}


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_a_name_that_only_resembles_one_keeps_its_value(name: str) -> None:
    assert not is_secret_name(name)
    assert flat_config({name: 512}) == {name: 512}


LEAVES = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.just(SECRET))
PLAIN = st.one_of(st.sampled_from(PLAIN_NAMES), st.integers(0, 5))


KINDS = ["leaf", "secret", "dict", "list", "long list", "set", "namespace", "object", "tuple"]


@st.composite
def _configs(draw: st.DrawFn, depth: int = 12) -> Any:
    """Nestings of every kind a config comes in, with the secret only where its name or its holder's name tells of it, or out of sight."""
    kind = (
        draw(st.sampled_from(["leaf", "secret", "dict", "list", "long list", "set", "namespace", "object", "tuple"])) if depth else "leaf"
    )
    inner = _configs(depth=depth - 1)
    match kind:
        case "secret":
            return {draw(st.sampled_from(SECRET_NAMES)): draw(st.one_of(st.just(SECRET), st.just([SECRET]), st.just({"a": SECRET})))}
        case "dict":
            return draw(st.dictionaries(PLAIN, inner, max_size=3))
        case "list" | "tuple":
            return (list if kind == "list" else tuple)(draw(st.lists(inner, max_size=3)))
        case "long list":
            return [{"password": SECRET}] * 40
        case "set":
            return {SECRET}
        case "namespace":
            return SimpleNamespace(password=SECRET, inner=draw(inner))
        case "object":
            return Settings(SECRET)
        case _:
            return draw(st.one_of(st.none(), st.integers(), st.text(max_size=5)))


class Settings:
    """As validated settings classes are: all of it in its text."""

    def __init__(self, password: str) -> None:
        self.password = password

    def __repr__(self) -> str:
        return f"Settings(password={self.password!r})"


@settings(max_examples=200, deadline=None)
@given(_configs())
def test_no_nesting_brings_a_secret_out(config: Any) -> None:
    flat = flat_config(config)
    assert SECRET not in repr(flat)
    assert all(type(name) is str and isinstance(value, (str, int, float, bool, type(None))) for name, value in flat.items())


@dataclasses.dataclass
class Optimizer:
    name: str = "adam"
    betas: tuple[float, float] = (0.9, 0.95)
    api_key: str = SECRET


class Size(enum.Enum):
    SMALL = 1


def test_a_config_becomes_flat_names_and_scalars() -> None:
    config = {
        "optimizer": Optimizer(),
        "args": argparse.Namespace(lr=0.1, token=SECRET),
        "path": Path("/data/digits"),
        "size": Size.SMALL,
        "dtype": torch.bfloat16,
        "device": torch.device("cpu"),
        "np": np.float32(0.5),
        "tensor": torch.tensor(3),
        "when": datetime.date(2026, 1, 2),
        "big": 2**70,
        "class": Optimizer,
        "function": len,
        "empty": {},
        "nothing": None,
        "yes": True,
        3: "three",
    }
    assert flat_config(config) == {
        "optimizer.name": "adam", "optimizer.betas.0": 0.9, "optimizer.betas.1": 0.95, "optimizer.api_key": REDACTED,
        "args.lr": 0.1, "args.token": REDACTED, "path": "/data/digits", "size": "Size.SMALL", "dtype": "torch.bfloat16", "device": "cpu",
        "np": 0.5, "tensor": 3, "when": "2026-01-02", "big": str(2**70), "class": "Optimizer", "function": "len", "empty": "<dict of 0>",
        "nothing": None, "yes": True, "3": "three",
    }  # fmt: skip


class Raises:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "config", [None, 5, "text", [1, 2], Raises(), {"a": Raises()}, {Raises(): 1}, object(), lambda: 0], ids=lambda c: type(c).__name__
)
def test_no_config_raises(config: Any) -> None:
    assert isinstance(flat_config(config), dict)


def test_a_config_that_holds_itself_ends() -> None:
    config: dict[str, Any] = {"lr": 0.1}
    config["again"] = config
    fan: list[Any] = []
    fan += [fan] * 32
    began = time.process_time()
    flat = flat_config({"config": config, "fan": fan, "empty": [[[[[[[]] * 32] * 32] * 32] * 32] * 32] * 32})
    assert flat["config.lr"] == 0.1
    assert len(flat) <= MAX_ENTRIES
    assert time.process_time() - began < 2


def test_a_huge_config_is_cut_at_once() -> None:
    began = time.process_time()
    flat = flat_config({f"{number}" + "x" * 1000: "y" * 10_000 for number in range(5000)} | {"z" * 10_000_000: "z" * 10_000_000})
    assert len(flat) == MAX_ENTRIES
    assert all(len(name) <= 200 and len(str(value)) <= MAX_TEXT for name, value in flat.items())
    assert time.process_time() - began < 2


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_known_by_its_look_wherever_it_stands(key: str) -> None:
    for text in (key, f"use {key} here", f"x={key}", f'{{"k": "{key}"}}', "a" * (MAX_TEXT - 8) + " " + key):
        assert key[:12] not in redacted_text(text)
    assert key not in repr(flat_config({"lr": [0.1, key]}))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://me:hunter2@db/runs", f"postgres://me:{REDACTED}@db/runs"),
        ("https://:hunter2@host", f"https://:{REDACTED}@host"),
        ("s3+http://me:p@ss:w@host/x me@home", f"s3+http://me:{REDACTED}@host/x me@home"),
        ("http://host:8080/path", "http://host:8080/path"),
        ("Authorization: Bearer abc.def-123", f"Authorization: Bearer {REDACTED}"),
        ("{'password': 'hunter2', 'lr': 1}", f"{{'password': '{REDACTED}', 'lr': 1}}"),
        ("db_password=hunter2 lr=0.1", f"db_password={REDACTED} lr=0.1"),
        ("max_tokens=12 tokenizer: bpe", "max_tokens=12 tokenizer: bpe"),
        ("expected a token: got EOF", "expected a token: got EOF"),
        ("?token=hunter2&lr=1", f"?token={REDACTED}"),
        ('{"token": "hunter2"}', f'{{"token": "{REDACTED}"}}'),
        ("KeyError: 'kv_cache'", "KeyError: 'kv_cache'"),
    ],
)
def test_text_loses_the_passwords_it_says(text: str, shown: str) -> None:
    assert redacted_text(text) == shown


@pytest.mark.parametrize("piece", ["a-", "a.", "x://", "a://b:", "eyJaaaaaaaaaa-", "secret=", "token:", "bearer ", "@", ":"])
def test_no_text_takes_long(piece: str) -> None:
    began = time.process_time()
    redacted_text(piece * (10_000_000 // len(piece)))
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["train.py", "--lr", "0.1"], ("train.py", "--lr", "0.1")),
        (["--token", SECRET, "--lr", "0.1"], ("--token", REDACTED, "--lr", "0.1")),
        ([f"--api-key={SECRET}"], (f"--api-key={REDACTED}",)),
        ([f"--API_KEY={SECRET}"], (f"--API_KEY={REDACTED}",)),
        ([f"trainer.hub_token={SECRET}"], (f"trainer.hub_token={REDACTED}",)),
        ([f"+wandb.api_key={SECRET}"], (f"+wandb.api_key={REDACTED}",)),
        (["--token", "--lr", "0.1"], ("--token", "--lr", "0.1")),
        (["--max-tokens", "512", "--tokenizer=bpe"], ("--max-tokens", "512", "--tokenizer=bpe")),
        (["--config", f'{{"password": "{SECRET}"}}'], ("--config", f'{{"password": "{REDACTED}"}}')),
        (["--url", "https://u:p@h/"], ("--url", f"https://u:{REDACTED}@h/")),
        ([], ()),
    ],
)
def test_a_command_line_loses_its_secrets_and_nothing_else(argv: list[str], shown: tuple[str, ...]) -> None:
    assert redacted_argv(argv) == shown


def test_a_command_line_is_cut() -> None:
    shown = redacted_argv(["x" * 10_000] * 1000)
    assert (len(shown), len(shown[0])) == (200, MAX_TEXT)
