"""The user's config as flat scalars, with what looks like a secret taken out before it is recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from bedside_protocol.records import Scalar

MAX_ENTRIES: Final = 1000
MAX_TEXT: Final = 500
REDACTED: Final = "[redacted]"

_SECRET_NAME: Final = re.compile(
    r"(?:^|[^a-z])(?:pass(?:word|wd|phrase)?|secret|tokens?|api_?key|apikey|access_?key|private_?key|auth|credentials?|cookie)(?:$|[^a-z])",
    re.I,
)
_SECRET_VALUE: Final = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[A-Z0-9]{12,}|eyJ[\w-]{10,}\.[\w.-]+)"
)
_URL_PASSWORD: Final = re.compile(r"(?P<scheme>\w+://[^/\s:@]+:)[^/\s@]+@")


def flat_config(config: Any) -> dict[str, Scalar]:
    """Nested mappings, dataclasses, namespaces and sequences as `a.b.0` → scalar; objects by their class name. Never raises."""
    flat: dict[str, Scalar] = {}
    try:
        _flatten("", config, flat, 0)
    except Exception as error:  # a config may be any object with any __getattr__
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
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    if re.search(r"(?:max|num|n|vocab|per|special)_?tokens?|tokens?_?(?:per|count|id|limit|budget)", snake, re.I):
        return False
    return _SECRET_NAME.search(snake.replace("_", "-").replace("api-key", "api_key").replace("access-key", "access_key")) is not None


def redacted_text(text: str) -> str:
    """Text without the keys and URL passwords that show in it, cut to a sane length."""
    return _URL_PASSWORD.sub(rf"\g<scheme>{REDACTED}@", _SECRET_VALUE.sub(REDACTED, text[:MAX_TEXT]))


def _flatten(prefix: str, value: Any, flat: dict[str, Scalar], depth: int) -> None:
    if len(flat) >= MAX_ENTRIES:
        return
    children = _children(value) if depth < 8 else None
    if children is None:
        flat[prefix or "config"] = REDACTED if prefix and is_secret_name(prefix.rsplit(".", 1)[-1]) else _scalar(value)
        return
    for key, child in children.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if is_secret_name(str(key)):
            flat[name[:200]] = REDACTED
        else:
            _flatten(name[:200], child, flat, depth + 1)


def _children(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (list, tuple)):
        return dict(enumerate(value)) if len(value) <= 32 else None
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None and not isinstance(value, type):
        return {name: getattr(value, name, None) for name in fields}
    if type(value).__name__ in ("Namespace", "SimpleNamespace"):
        return dict(vars(value))
    return None


def _scalar(value: Any) -> Scalar:
    if value is None or type(value) in (bool, float):
        return value  # type: ignore[no-any-return]
    if type(value) is int:
        return value if -(2**63) <= value < 2**64 else str(value)[:MAX_TEXT]
    if isinstance(value, str):
        return redacted_text(value)
    if callable(getattr(value, "item", None)) and getattr(value, "shape", None) == ():
        return _scalar(value.item())
    try:
        return redacted_text(str(value))
    except Exception:  # any object's __str__ may raise
        return f"<{type(value).__name__}>"
