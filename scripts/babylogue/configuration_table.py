"""Every key of the configuration as a page: `python -m babylogue.configuration_table < config.yaml`.

Names, types, ranges and meanings are those of the settings; a default is what the given config.yaml says, and
where it says nothing the settings' own. tests/workflow/test_docs.py keeps docs/configuration.md in step.
"""

import sys
from collections.abc import Iterator
from typing import Any

import yaml

from .configuration import NAME, schema
from .model_rows import ROWS

HEAD = """\
# Every key of the configuration

Made from the settings by `python -m babylogue.configuration_table < config.yaml`; not to be edited. A default is
the value in `config.yaml` and, where that is silent, the settings' own; `must be given` means that there is none.
What stands in braces is a name of yours.
"""
COLUMNS = "| key | type | default | meaning |\n|---|---|---|---|\n"
ABSENT = object()


def page(default: dict[str, Any]) -> str:
    """The page, in Markdown; `default` is the content of config.yaml."""
    whole = schema()
    sections = whole["properties"]
    single = {key: sections[key] for key in ("results", "seeds")}
    parts = [HEAD, "## At the top", _table("", single, default, whole)]
    for key, node in sections.items():
        if key in single:
            continue
        parts += [f"## {key}", _meaning(node, whole)]
        if key == "evaluate":
            evaluation = _properties(node, whole)
            parts.append(_table("evaluate.", {"reference": evaluation["reference"]}, default["evaluate"], whole))
            parts.append(
                _table("evaluate.scores[].", _properties(evaluation["scores"]["items"], whole), {}, whole)
            )
        elif key == "models":
            methods = ", ".join(f"[{method}](#{method})" for method in ROWS)
            parts.append(f"A row has a `method` ({methods}) and any key of its section, over the value there.")
        elif "patternProperties" in node:
            for kind in node["patternProperties"][NAME]["anyOf"][:-1]:
                properties = _properties(kind, whole)
                if "kind" in properties:
                    parts += [f"### {properties['kind']['const']}", _meaning(kind, whole)]
                parts.append(_table(f"{key}.{{name}}.", properties, {}, whole))
        else:
            parts.append(_table(f"{key}.", _properties(node, whole), default.get(key) or {}, whole))
    schedule = whole["$defs"]["Schedule"]
    parts += ["## Schedules", schedule["description"], _table("", schedule["properties"], {}, whole)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _table(prefix: str, properties: dict[str, dict], default: dict, whole: dict) -> str:
    return COLUMNS + "".join(_rows(prefix, properties, default, whole))


def _resolved(node: dict, whole: dict) -> dict:
    return whole["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def _properties(node: dict, whole: dict) -> dict[str, dict]:
    """Keys of a section, of one that may be null too; {} of a value."""
    forms = [_resolved(form, whole) for form in node.get("anyOf", [node])]
    return next((form["properties"] for form in forms if "properties" in form), {})


def _meaning(node: dict, whole: dict) -> str:
    """A section that is described as its class is has the text there alone."""
    return " ".join((node.get("description") or _resolved(node, whole)["description"]).split())


def _rows(prefix: str, properties: dict[str, dict], default: dict, whole: dict) -> Iterator[str]:
    """Lines of the table, a section's own keys below it."""
    for key, node in properties.items():
        own = default.get(key, node.get("default", ABSENT))
        below = _properties(node, whole)
        shown = "" if below and own is not None else _yaml(own)
        cells = [f"`{prefix}{key}`", _type(node, whole), shown, _meaning(node, whole)]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
        if below:
            yield from _rows(f"{prefix}{key}.", below, own if isinstance(own, dict) else {}, whole)


def _yaml(value: Any) -> str:
    if value is ABSENT:
        return "must be given"
    written = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).strip()
    return f"`{written.removesuffix('...').strip()}`"


def _type(node: dict, whole: dict) -> str:
    """What may stand there, in words."""
    forms = node.get("anyOf") or node.get("oneOf")
    if forms:
        return " or ".join(_type(form, whole) for form in forms)
    if "$ref" in node:
        resolved = _resolved(node, whole)
        return "[schedule](#schedules)" if resolved["title"] == "Schedule" else "table"
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    if node["type"] == "array":
        return f"list of {_type(node['items'], whole)}"
    if node["type"] == "object":
        return f"table of {_type(node['additionalProperties'], whole)}"
    return node["type"] + _range(node)


def _range(node: dict) -> str:
    bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    said = [f"{sign} {node[bound]}" for bound, sign in bounds.items() if bound in node]
    return f" ({', '.join(said)})" if said else ""


if __name__ == "__main__":
    print(page(yaml.safe_load(sys.stdin)), end="")
