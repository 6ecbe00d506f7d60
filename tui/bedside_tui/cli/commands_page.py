"""The page of commands for scripts and the schema files, made of what the verbs declare.

`python -m bedside_tui.cli.commands_page docs` writes them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bedside_protocol.codec import BODIES
from bedside_tui.cli.schema_words import Schema
from bedside_tui.cli.schemas import LIFECYCLES, SCHEMAS

PAGE: Final = "commands.md"
FOLDER: Final = "schema"

_INTRODUCTION: Final = """# Commands for scripts

`bedside --help` lists the verbs, `bedside VERB --help` what each takes. What a verb prints goes to stdout; what went wrong goes to stderr,
in lines that begin with `bedside:`. No terminal obeys what a run calls itself: texts pass a filter, and those of `watch` are escaped.
Fields may be added in later versions; none is taken away.
"""

_EXIT_CODES: Final = """## Exit codes

| code | says | of |
|---|---|---|
| 0 | done; of `check`: ok; of `wait`: it held | every verb |
| 1 | amber | `check` |
| 1 | the run refused, or it failed there | `ctl` |
| 1 | not written: the run refused, another process writes, or one may not write there | `note` `verdict` `tag` |
| 1 | the answer was no | `rm` |
| 1 | a test of the file fails | `rules test` |
| 1 | a checkpoint could not be measured; 3 where none could | `probe` |
| 1 | the run ended and it never held | `wait` |
| 2 | red | `check` |
| 2 | the expression is not understood; a caret stands under the slip | `wait` |
| 2 | the file is refused, or tests nothing | `rules test` |
| 3 | not understood, not found, not readable; of `check` also: no rule could judge; of `ctl` also: no outcome in time | every verb |
| 124 | the time was up | `wait` |
| 130 | interrupted by ctrl-c | every verb |
| 141 | the reader of the output has left | every verb |

`watch` ends with 0 whatever the run came to: `bedside check` judges.
"""

_EXAMPLES: Final = r"""## A look, a stream, a wait

```sh
bedside once                                      # the screen as text, 80 by 24, as `bedside attach` shows it
bedside once RUN --screen chart --of val/loss     # the chart of one metric
bedside once RUN --screen alerts --size 200x50    # any screen, any size: vitals chart codebook model samples alerts log help
bedside once RUN --at 5000 --svg --out step.svg   # as it was known at step 5000, as `bedside replay` shows it

bedside watch RUN --kinds alert | jq 'select(.body.state == "firing") | .body.message'
bedside watch RUN --kinds metrics --from now | jq '.body.values.loss[-1]'
bedside watch RUN --no-follow | gzip > run.jsonl.gz

bedside compare A B --metric loss 'val/*' --by time  # curves over each other, what differs, the best at each checkpoint; --md for a page
bedside compare A B C --json | jq '.checkpoints.quantities[] | select(.best != []) | {name, best}'

bedside wait RUN --until 'alert>=red or step>=5000' --timeout 8h && sbatch next.sh
bedside wait RUN --until 'state=over'; bedside check RUN
```

`once` needs the extra `tui`; all other verbs here do without.

## What `wait` understands

| term | holds while |
|---|---|
| `alert>=amber` `alert>=red` | an alarm as bad fires |
| `step>=5000` | the run has reached the step |
| `state=finished` … `state=over` | the run is in this state; `over`: in any that ends it |
| `loss<0.1` `val/acc>=0.9` | the newest value of the metric is such; `<` `<=` `>` `>=` |

Terms are joined by `and`, which binds more tightly, and `or`; parentheses group. A name with blanks, quotes, parentheses or signs stands in
quotes, and so does a metric called `step`, `state`, `alert`, `and` or `or`: `'"top 5">0.9'`. A metric is judged at every value that was
logged. The log is judged from its beginning, so that what held before the question came is found; a run that goes on in the same log after
an ending is judged from where it went on.
"""

_BOOK: Final = r"""## The lab book

```sh
bedside note RUN 'the bad shard' --step 5000      # pinned to a moment; also of a run that is over
bedside verdict RUN good                          # good, bad, broken, unclear, or your own words; '' takes it back
bedside tag RUN +baseline -old                    # options come before the run: bedside tag --json RUN +a
bedside runs --filter 'state=over tag=baseline alert>=amber' --sort=-step,best
bedside runs --md --filter verdict=good > book.md
```

Without words, `note`, `verdict` and `tag` print what is there. A living run's hub writes them down; to the recording of a run that is over
they are appended: what has been recorded stays as it is.

| a word of `--filter` | keeps the runs |
|---|---|
| `text` | that have it in their name, id, state, verdict, tags or newest note |
| `name=` `tag=` `verdict=` | with this in the name, exactly this tag, a verdict that begins so; `tag=` and `verdict=` alone: without any |
| `state=finished` … `state=over` `state=alive` | in this state, in any that ends a run, in any other |
| `alert>=amber` `alert>=red` | of which an alarm as bad has fired |

All words must hold. Here a verdict is the person's; the field `verdict` of the JSON is the monitor's, and the person's is `book.verdict`.
"""

_RECORDS: Final = """The numbers that JSON cannot say are the texts `NaN`, `Infinity` and `-Infinity`. `seq` is the record's place in the
log, `time` its seconds since the run began, `rank` who speaks (-1: the hub), `counter` the speaker's own count.

| kind | what it is | fields of `body` |
|---|---|---|"""


def pages() -> dict[str, str]:
    """Every file, by its path below `docs`."""
    files = {f"{FOLDER}/{name}.json": json.dumps(_file(command, schema), indent=1) + "\n" for name, (command, schema) in SCHEMAS.items()}
    return {PAGE: _page(), **files}


def _file(command: str, schema: Schema) -> Schema:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": command, **schema}


def _page() -> str:
    lifecycles = f"## JSON\n\nA lifecycle is one of {', '.join(f'`{each}`' for each in LIFECYCLES)}.\n"
    parts = [_INTRODUCTION, _EXIT_CODES, _EXAMPLES, _BOOK, lifecycles]
    for name, (command, schema) in SCHEMAS.items():
        rows = [_RECORDS, *_kinds()] if name == "watch" else _table(schema)
        parts.append("\n".join([f"### `{command}`\n\n[Schema]({FOLDER}/{name}.json)\n", *rows, ""]))
    return "\n".join(parts)


def _kinds() -> Iterator[str]:
    for kind, alternative in zip(BODIES, SCHEMAS["watch"][1]["anyOf"], strict=False):
        fields = ", ".join(f"`{name}`" for name in alternative["properties"]["body"]["properties"])
        sentence = (BODIES[kind].__doc__ or "").split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".")
        yield f"| `{kind}` | {' '.join(sentence.split())} | {fields} |"


def _table(schema: Schema) -> Iterator[str]:
    if schema["type"] == "array":
        yield f"A list of objects: {schema['description']}.\n"
        schema = schema["items"]
    yield "| field | is | |\n|---|---|---|"
    yield from _rows(schema, "")


def _rows(schema: Schema, above: str) -> Iterator[str]:
    for name, field in schema["properties"].items():
        yield f"| `{above}{name}` | {_words(field)} | {field.get('description', '')} |"
        inner = field.get("items", field)
        if "properties" in inner:
            yield from _rows(inner, f"{above}{name}{'[]' if 'items' in field else ''}.")


def _words(schema: Schema) -> str:
    """The type in words."""
    if "title" in schema:
        return str(schema["title"])
    if "enum" in schema:
        return " ".join(f"`{json.dumps(word)}`" for word in schema["enum"])
    names: dict[Any, str] = {"string": "text", "integer": "whole number", "number": "number", "null": "null", "object": "object",
                             "boolean": "true or false"}  # fmt: skip
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if kinds == ["array"]:
        return f"list of {_words(schema['items'])}s"
    if "additionalProperties" in schema:
        return f"{_words(schema['additionalProperties'])}, by name"
    return " or ".join(names[kind] for kind in kinds)


if __name__ == "__main__":
    for path, content in pages().items():
        target = Path(sys.argv[1]) / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(content, encoding="utf-8")
