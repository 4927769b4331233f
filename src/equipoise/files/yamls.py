"""Reading a user's YAML: recipes, trainers and spaces, whatever stands in them."""

from pathlib import Path
from typing import Any

import yaml

from equipoise.errors import InputError, printable, reason

__all__ = ["read_yaml"]

_MOST_BYTES = 2**20
# Aliases name a part again and again: a file of a few lines can stand for any number of values.
_MOST_VALUES = 100_000
_DEEPEST = 50

_TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE = f"{_TAG}str", f"{_TAG}merge"
_KINDS = ("str", "int", "float", "bool", "null", "map", "seq", "merge")
_KNOWN = {f"{_TAG}{kind}" for kind in _KINDS}


class _Loader(yaml.SafeLoader):
    """YAML's values as far as JSON has them; what looks like a date is text."""

    def fetch_flow_collection_start(self, token: Any) -> None:
        # The scanner looks at every bracket that is open for each token that follows.
        if self.flow_level >= _DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(token)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag in _KNOWN]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path, like: str, section: str | None = None) -> dict[str, Any]:
    """Return the mapping that a YAML file of a user's holds; its keys, at any depth, are text.

    Parameters
    ----------
    path : Path
    like : str
        What it should hold, for the refusal.
    section : str, optional
        The key of the mapping that is meant, where the file has it; otherwise the whole file is.

    Raises
    ------
    InputError
        If it cannot be read or holds no mapping, or too much.
    """
    try:
        found = _value(_text(path))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {reason(error)}.") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deep: {_DEEPEST} levels at most.") from None
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        raise InputError(f"{path} is not YAML: {line}{printable(error.problem)}.") from None
    # A number or truth value that is none makes ValueError or KeyError.
    except (yaml.YAMLError, ValueError, KeyError) as error:
        raise InputError(f"{path} is not YAML: {reason(error)}.") from None
    if isinstance(found, dict) and section is not None:
        found = found.get(section, found)
    if not isinstance(found, dict):
        raise InputError(f"{path} must hold {like}.")
    return found


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise InputError(f"{path} is no file.")
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise InputError(f"{path} is too large: {_MOST_BYTES} bytes at most.")
    return data.decode("utf-8")


def _value(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {}, 0)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, int | None], depth: int) -> int:
    """Return how many values a node stands for, its aliases written out, and check each of them.

    `known` has those that were counted; None for one that is being counted.
    """
    if id(node) in known:
        size = known[id(node)]
        if size is None:
            raise _wrong(node, "a part holds itself")
        return size
    if depth > _DEEPEST:
        raise RecursionError
    if node.tag not in _KNOWN:
        raise _wrong(node, f"{node.tag.replace(_TAG, '!!')} has no place here")
    known[id(node)] = None
    if isinstance(node, yaml.MappingNode):
        _name_keys(node)
    size = 1 + sum(_size(part, known, depth + 1) for part in _parts(node))
    if size > _MOST_VALUES:
        raise _wrong(node, f"more than {_MOST_VALUES} values, its aliases written out")
    known[id(node)] = size
    return size


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _name_keys(node: yaml.MappingNode) -> None:
    """Take keys as they are written, `0` and `no` too: they name fields and classes."""
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        if key.value in seen:
            raise _wrong(key, f"{key.value!r} stands there twice")
        seen.add(key.value)
        key.tag = _TEXT


def _wrong(node: yaml.Node, what: str) -> yaml.YAMLError:
    line = node.start_mark.line + 1
    return yaml.YAMLError(f"line {line}: {printable(what)}")
