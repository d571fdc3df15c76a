"""JSON schema as pydantic writes it, made into the structural schema that a CRD must have.

Kubernetes wants every schema inline, one type for each value, and knows keywords that JSON schema lacks; see
"Specifying a structural schema" in its documentation of CustomResourceDefinitions.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from botyard_operator.api.rules import VALIDATIONS

Schema = dict[str, Any]

_INT32_MAX = 2**31 - 1
_ORDER = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "anyOf",
    "required",
    "properties",
    "additionalProperties",
    "items",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    VALIDATIONS,
)
"""Keywords that are allowed, in the order in which they are written."""
_RULE_ORDER = ("rule", "message", "fieldPath", "optionalOldSelf")


class InexpressibleSchema(Exception):
    """A model uses something that a structural schema cannot say; the message names where."""


def structural(schema: Mapping[str, Any]) -> Schema:
    """Return the structural schema for a JSON schema with `$defs`.

    Raises:
        InexpressibleSchema: The schema has a union or a keyword that a CRD cannot express.
    """
    definitions = schema.get("$defs", {})
    return _convert({key: value for key, value in schema.items() if key != "$defs"}, definitions, "")


def _convert(schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Schema:
    node = _inline(schema, definitions, path)
    node.pop("title", None)
    if node.get("x-kubernetes-int-or-string"):
        node.pop("type", None)
    if "const" in node:
        node["enum"] = [node.pop("const")]
        node.setdefault("type", "string")
    if node.get("type") == "integer" and "format" not in node:
        node["format"] = "int32" if node.get("maximum", _INT32_MAX + 1) <= _INT32_MAX else "int64"
    if node.get("additionalProperties") is True:
        del node["additionalProperties"]
        node["x-kubernetes-preserve-unknown-fields"] = True
    if isinstance(node.get("additionalProperties"), Mapping):
        node["additionalProperties"] = _convert(node["additionalProperties"], definitions, f"{path}.*")
    if "items" in node:
        node["items"] = _convert(node["items"], definitions, f"{path}[]")
        node.setdefault("x-kubernetes-list-type", "atomic")
    if "properties" in node:
        node["properties"] = {
            name: _convert(child, definitions, f"{path}.{name}") for name, child in node["properties"].items()
        }
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    if VALIDATIONS in node:
        node[VALIDATIONS] = [{key: rule[key] for key in _RULE_ORDER if key in rule} for rule in node[VALIDATIONS]]
    _settle_default(node)
    unknown = set(node) - set(_ORDER)
    if unknown:
        raise InexpressibleSchema(f"{path or '.'}: a structural schema has no {', '.join(sorted(unknown))}")
    return {key: node[key] for key in _ORDER if key in node}


def _inline(schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Schema:
    """Return `schema` without `$ref` and without null as an alternative; what stands beside them wins."""
    node = deepcopy(dict(schema))
    while True:
        if "$ref" in node:
            target = definitions[node.pop("$ref").removeprefix("#/$defs/")]
        elif "anyOf" in node and not node.get("x-kubernetes-int-or-string"):
            alternatives = [entry for entry in node.pop("anyOf") if entry != {"type": "null"}]
            if len(alternatives) != 1:
                raise InexpressibleSchema(f"{path}: a union of types; declare one type, or a Quantity")
            (target,) = alternatives
        else:
            return node
        rules = [*target.get(VALIDATIONS, []), *node.get(VALIDATIONS, [])]
        node = {**deepcopy(dict(target)), **node}
        if rules:
            node[VALIDATIONS] = rules


def _settle_default(node: Schema) -> None:
    """Keep a default only where it says something.

    An object's default becomes `{}`, so that the API server fills in the defaults of its fields; it goes where they
    have none.
    """
    default = node.get("default")
    if default is None or default is False or default in ("", [], {}):
        node.pop("default", None)
    elif isinstance(default, Mapping):
        if any("default" in child for child in node.get("properties", {}).values()):
            node["default"] = {}
        else:
            del node["default"]
