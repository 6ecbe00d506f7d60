"""The user's config as flat scalars, with what looks like a secret taken out before it is recorded."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Final

from bedside_protocol.records import Scalar

MAX_ENTRIES: Final = 1000
MAX_TEXT: Final = 500
REDACTED: Final = "[redacted]"

_MAX_NAME: Final = 200
_SECRET_NAME: Final = re.compile(
    r"(?:^|[^a-z])(?:pass|passw(?:or)?ds?|pwd|passphrases?|secrets?|tokens?|(?:auth|access|refresh|bearer|api|hf)tokens?|apikeys?|auth|"
    r"authorization|bearer|creds?|credentials?|cookies?|(?:api|access|private|secret|ssh|signing|encryption|master|account|auth|license|wandb|"
    r"openai|hf)-?keys?)(?:$|[^a-z])"
)
_HARMLESS_NAME: Final = re.compile(
    r"(?:max|min|num|n|vocab|per|special|pad|eos|bos|unk|mask|total|new)-?tokens?(?=$|[^a-z])"
    r"|(?<![a-z])tokens?-?(?:per|count|id|ids|limit|budget|length|dim|dropout|embedding|mask|type)(?=$|[^a-z])"
)
_SECRET_VALUE: Final = re.compile(
    r"\b(?:sk[-_][A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}"
    r"|AKIA[A-Z0-9]{12,}|AIza[\w-]{30,}|ya29\.[\w-]{20,}|eyJ[\w-]{10,}\.[\w.-]+)|-----BEGIN [A-Z ]*PRIVATE KEY-----.*",
    re.S,
)
_SAID_VALUE: Final = re.compile(
    r"""(?P<name>(?:\b[\w-]{0,40}(?:password|passwd|passphrase|secret|(?:api|access|private)[_-]?key|(?:auth|access|hf)[_-]?token)["']?\s*[:=]\s*"""
    r"""|\btoken=|["']token["']\s*:\s*|\bauthorization["']?\s*[:=]\s*)["']?(?:bearer |basic )?)[^\s"',;)}\]]+""",
    re.I,
)
_BEARER: Final = re.compile(r"\b(?P<scheme>bearer )[\w.~+/=-]{8,}", re.I)
_URL_PASSWORD: Final = re.compile(r"(?P<scheme>\b\w[\w+.-]{0,20}://[^/\s:@]{0,200}:)[^/\s]+@")


def flat_config(config: Any) -> dict[str, Scalar]:
    """Nested mappings, dataclasses, namespaces and sequences as `a.b.0` → scalar; objects by their class name. Never raises."""
    flat: dict[str, Scalar] = {}
    try:
        _flatten("", config, flat, 0)
    except Exception as error:  # noqa: BLE001 - a config may be any object with any __getattr__
        flat["(config)"] = f"could not be read: {type(error).__name__}"
    return flat


def redacted_argv(argv: list[str]) -> tuple[str, ...]:
    """A command line whose secrets are gone: the value after `--token`, in `--token=…`, and whatever looks like a key."""
    clean: list[str] = []
    hide_next = False
    for word in argv[:200]:
        name, equals, _ = word.partition("=")
        if hide_next and not word.startswith("-"):
            clean.append(REDACTED)
        elif equals and is_secret_name(name):
            clean.append(f"{name}={REDACTED}")
        else:
            clean.append(redacted_text(word))
        hide_next = word.startswith("-") and not equals and is_secret_name(word)
    return tuple(clean)


def is_secret_name(name: str) -> bool:
    """Whether a key called this should not have its value recorded. `tokenizer` and `max_tokens` are no secrets, `hf_token` is."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name[:_MAX_NAME])
    plain = re.sub(r"[^a-z0-9]+", "-", words.lower())
    return _SECRET_NAME.search(_HARMLESS_NAME.sub("", plain)) is not None


def redacted_text(text: str) -> str:
    """Text without the keys, said passwords and URL passwords that show in it, cut to a sane length."""
    text = text[: 20 * MAX_TEXT]  # cut again below: a key must not lose its mark by being cut in half
    text = _URL_PASSWORD.sub(rf"\g<scheme>{REDACTED}@", _SECRET_VALUE.sub(REDACTED, text))
    return _BEARER.sub(rf"\g<scheme>{REDACTED}", _SAID_VALUE.sub(rf"\g<name>{REDACTED}", text))[:MAX_TEXT]


def _flatten(prefix: str, value: Any, flat: dict[str, Scalar], depth: int) -> None:
    if len(flat) >= MAX_ENTRIES:
        return
    children = _children(value) if depth < 8 else None
    if not children:
        flat[prefix or "config"] = _scalar(value)
        return
    for key, child in children.items():
        if len(flat) >= MAX_ENTRIES:
            return
        word = str(key)[:_MAX_NAME]
        name = (f"{prefix}.{word}" if prefix else word)[:_MAX_NAME]
        if is_secret_name(word):
            flat[name] = REDACTED
        else:
            _flatten(name, child, flat, depth + 1)


def _children(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        return dict(enumerate(value)) if len(value) <= 32 else None
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None and not isinstance(value, type):
        return {name: getattr(value, name, None) for name in fields}
    if type(value).__name__ in ("Namespace", "SimpleNamespace"):
        return dict(vars(value))
    return None


def _scalar(value: Any) -> Scalar:
    """A scalar as it is; of anything else what cannot hold a secret: the text of plain values, the name of a type, how many there are."""
    if value is None or type(value) in (bool, float):
        return value  # type: ignore[no-any-return]
    if type(value) is int:
        return value if -(2**63) <= value < 2**64 else str(value)[:MAX_TEXT]
    if isinstance(value, (str, os.PathLike)):
        return redacted_text(str(value))
    if isinstance(value, (Mapping, Sequence, Set)):
        return f"<{type(value).__name__} of {len(value)}>"
    if callable(getattr(value, "item", None)) and getattr(value, "shape", None) == ():
        return _scalar(value.item())
    if isinstance(value, type) or callable(value):
        return str(getattr(value, "__qualname__", f"<{type(value).__name__}>"))
    if isinstance(value, (int, float, complex, Enum, datetime.date, datetime.timedelta, Decimal, Fraction)) or _is_of_torch(value):
        return redacted_text(str(value))
    return f"<{type(value).__name__}>"


def _is_of_torch(value: Any) -> bool:
    return type(value).__module__ == "torch" and type(value).__name__ in ("dtype", "device", "Size")
