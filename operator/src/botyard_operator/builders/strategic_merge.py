"""Strategic merge of a patch into a pod template, as the API server does it.

The rules are those of `k8s.io/apimachinery/pkg/util/strategicpatch`: maps are merged field by field, null removes a
field, lists that have a merge key are merged entry by entry, all others are replaced. `$patch: delete`,
`$patch: replace`, `$retainKeys` and `$deleteFromPrimitiveList/…` have their meaning; `$setElementOrder/…`, which
kubectl writes to undo its own reordering, is refused. A test compares the results with the API server's own.
"""

from __future__ import annotations

import copy
from typing import Any

from botyard_operator.reconcile.base import JsonObject

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "schedulingGates": "name",
    "resourceClaims": "name",
    "ownerReferences": "uid",
}
"""`patchMergeKey` of the lists of a pod template (Kubernetes 1.34); lists that are not here are replaced."""
_PRIMITIVES = frozenset({"finalizers"})
"""Lists of plain values that are merged."""


class BadPatch(ValueError):
    """A patch that cannot be read; the message names the place."""


def strategic_merge(original: JsonObject, patch: JsonObject, path: str = "") -> JsonObject:
    """Return `original` with `patch` merged into it; neither is changed.

    Args:
        original: A pod template, or a part of one.
        patch: What to change.
        path: Where the patch is, for messages.

    Raises:
        BadPatch: The patch holds a directive that does not exist, or an entry without its merge key.
    """
    return _map(copy.deepcopy(original), copy.deepcopy(patch), path)


def _map(original: JsonObject, patch: JsonObject, path: str) -> JsonObject:
    if _DIRECTIVE in patch:
        return _directed(patch, path)
    _retain(original, patch, path)
    for field, value in patch.items():
        place = f"{path}.{field}" if path else field
        if field.startswith("$"):
            _delete_primitives(original, field, value, place)
            continue
        if value is None:
            original.pop(field, None)
            continue
        current = original.get(field)
        if isinstance(current, dict) and isinstance(value, dict):
            original[field] = _map(current, value, place)
        elif isinstance(current, list) and isinstance(value, list):
            original[field] = _list(field, current, value, place)
        elif isinstance(current, dict | list):
            raise BadPatch(f"{place} must be {'a map' if isinstance(current, dict) else 'a list'}")
        else:
            original[field] = _plain(value, place)
    return original


def _directed(patch: JsonObject, path: str) -> JsonObject:
    directive = patch.pop(_DIRECTIVE)
    if directive == "replace":
        return patch
    if directive == "delete":
        return {}
    raise BadPatch(f"{path}.{_DIRECTIVE} is {directive!r}: write replace or delete")


def _retain(original: JsonObject, patch: JsonObject, path: str) -> None:
    kept = patch.pop(_RETAIN, None)
    if kept is None:
        return
    missing = [field for field in patch if not field.startswith("$") and field not in kept]
    if not isinstance(kept, list) or missing:
        raise BadPatch(f"{path}.{_RETAIN} must be the list of the fields to keep, those of the patch among them")
    for field in [field for field in original if field not in kept]:
        del original[field]


def _delete_primitives(original: JsonObject, field: str, value: Any, place: str) -> None:
    if not field.startswith(_DELETE_FROM) or not isinstance(value, list):
        raise BadPatch(f"{place} is no directive: there are $patch, $retainKeys and {_DELETE_FROM}<list>")
    name = field.removeprefix(_DELETE_FROM)
    if isinstance(original.get(name), list):
        original[name] = [entry for entry in original[name] if entry not in value]


def _list(field: str, original: list[Any], patch: list[Any], path: str) -> list[Any]:
    if field in _PRIMITIVES:
        merged = [*original, *(entry for entry in patch if entry not in original)]
        return _ordered(merged, original, patch, None)
    key = MERGE_KEYS.get(field)
    if key is None:
        return [_plain(entry, f"{path}[{number}]") for number, entry in enumerate(patch)]
    original, patch = _special(original, patch, key, path)
    merged = list(original)
    for number, entry in enumerate(patch):
        place = f"{path}[{number}]"
        found = _find(merged, entry[key], key)
        if found is None:
            merged.append(_plain(entry, place))
        else:
            merged[found] = _map(merged[found], entry, f"{path}[{entry[key]}]")
    return _ordered(merged, original, patch, key)


def _special(original: list[Any], patch: list[Any], key: str, path: str) -> tuple[list[Any], list[Any]]:
    """Carry out the directives among a list's entries; return what is left of both lists."""
    plain = []
    replaced = False
    for number, entry in enumerate(patch):
        directive = entry.get(_DIRECTIVE) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or (key not in entry and directive != "replace"):
            raise BadPatch(f"{path}[{number}] needs {key}, by which entries of this list are told apart")
        if directive is None:
            plain.append(entry)
        elif directive == "delete":
            original = [each for each in original if each.get(key) != entry[key]]
        elif directive == "replace":
            replaced = True
        else:
            raise BadPatch(f"{path}[{number}].{_DIRECTIVE} is {directive!r}: write replace or delete")
    return ([], plain) if replaced else (original, plain)


def _find(entries: list[Any], value: Any, key: str) -> int | None:
    return next((number for number, entry in enumerate(entries) if entry.get(key) == value), None)


def _ordered(merged: list[Any], original: list[Any], patch: list[Any], key: str | None) -> list[Any]:
    """Order a merged list: entries of the patch in the patch's order, before what the original has behind them."""

    def identity(entry: Any) -> Any:
        return entry if key is None else entry.get(key)

    before = [identity(entry) for entry in original]
    wanted = [identity(entry) for entry in patch]
    left = [entry for entry in merged if identity(entry) not in wanted]
    right = sorted(
        (entry for entry in merged if identity(entry) in wanted), key=lambda each: wanted.index(identity(each))
    )
    result = []
    while left and right:
        first, second = identity(left[0]), identity(right[0])
        earlier = second in before and before.index(first) < before.index(second)
        result.append((left if earlier else right).pop(0))
    return [*result, *left, *right]


def _plain(value: Any, path: str) -> Any:
    """Return a value that has no counterpart in the original: without its nulls, its directives carried out."""
    if isinstance(value, dict):
        return _map({}, value, path)
    if isinstance(value, list):
        field = path.rpartition(".")[2]
        return _list(field, [], value, path)
    return value
