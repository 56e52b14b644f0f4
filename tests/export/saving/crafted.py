"""Files as an attacker would write them: with hashes that fit, and anything in their parts."""

import io
import json
import zipfile
from unittest import mock

from stackens.export.saving import _save
from stackens.export.saving._archive import write_archive


class Canary:
    """Runs when it is unpickled, and leaves a sign."""

    def __init__(self, sign):
        self.sign = sign

    def __reduce__(self):
        return open, (str(self.sign), "w")


def read_parts(path):
    """The parts of a file by name, and its manifest."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return parts, json.loads(parts.pop("manifest.json"))


def write_parts(path, parts, manifest):
    """Write a file whose hashes and sizes fit its parts."""
    files = [(name, lambda file, content=content: file.write(content)) for name, content in parts]
    manifest = {name: value for name, value in manifest.items() if name != "parts"}
    with write_archive(path, files, manifest):
        pass
    return path


def edited(path, out, edit):
    """Write a file with other parts: ``edit`` changes a dict of them and the manifest."""
    parts, manifest = read_parts(path)
    edit(parts, manifest)
    return write_parts(out, list(parts.items()), manifest)


def edited_graph(path, out, edit):
    """Write a file with another graph: ``edit`` gets its nodes and its other entries."""

    def change(parts, manifest):
        with zipfile.ZipFile(io.BytesIO(parts["graph.skops"])) as graph:
            entries = {name: graph.read(name) for name in graph.namelist()}
        schema = json.loads(entries.pop("schema.json"))
        schema = edit(schema, entries) or schema
        changed = io.BytesIO()
        with zipfile.ZipFile(changed, "w") as graph:
            for name, content in entries.items():
                graph.writestr(name, content)
            graph.writestr("schema.json", json.dumps(schema))
        parts["graph.skops"] = changed.getvalue()

    return edited(path, out, change)


def node(kind, name, content=None, **fields):
    """A node of skops' graph."""
    module, _, cls = name.rpartition(".")
    content = {} if content is None else {"content": content}
    return {"__class__": cls, "__module__": module, "__loader__": kind, **content, **fields}


def json_node(value):
    """A node of a plain value."""
    return node("JsonNode", "builtins.str", json.dumps(value), is_json=True)


def form_node(*payload):
    """A node of one of our forms, of plain values."""
    items = node(
        "TupleNode", "builtins.tuple", [v if isinstance(v, dict) else json_node(v) for v in payload]
    )
    return node("ConstructorFromReduceNode", "stackens.export.saving.Form", items)


def in_place_of_object(new):
    """An edit of a graph that puts a node in the place of the saved object."""

    def edit(schema, entries):
        schema["content"]["object"] = new

    return edit


def saved_unchecked(model, path, probe=None):
    """Save as someone does who changed our code: any probe, and the file is not read again."""
    with (
        mock.patch.object(_save, "_read_back"),
        mock.patch.object(_save, "probe_of", return_value=probe),
    ):
        _save.save(model, path)
    return path
