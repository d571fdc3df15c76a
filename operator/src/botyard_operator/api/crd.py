"""The CRDs of the three kinds, generated from the models; also the command that writes and checks them.

python -m botyard_operator.api.crd --write   # crds/ and charts/botyard-crds/templates/
python -m botyard_operator.api.crd --check   # exit code 1 and a diff where they differ from the models
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from botyard.contract.names import GROUP, VERSION
from botyard_operator.api import reference
from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Bundle
from botyard_operator.api.persona import Persona
from botyard_operator.api.resource import Definition, Resource
from botyard_operator.api.structural import Schema, structural

KINDS: tuple[type[Resource], ...] = (Bundle, Bot, Persona)
CATEGORIES = ("all", "botyard")

_CRDS = Path("crds")
_DOCS = Path("docs")
_TEMPLATES = Path("charts/botyard-crds/templates")
_HEADER = (
    "# Generated from the models in operator/src/botyard_operator/api; do not edit.\n"
    "# After a change of the models: python -m botyard_operator.api.crd --write\n"
)
_CHART_METADATA = """\
  annotations:
    {{- if .Values.keep }}
    helm.sh/resource-policy: keep
    {{- end }}
    {{- with .Values.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    app.kubernetes.io/name: botyard
    app.kubernetes.io/component: crds
    app.kubernetes.io/managed-by: {{ .Release.Service }}
    helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
    {{- with .Values.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
"""


def build_crd(kind: type[Resource]) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    definition = kind.definition
    names: dict[str, Any] = {
        "kind": definition.kind,
        "listKind": f"{definition.kind}List",
        "plural": definition.plural,
        "singular": definition.singular,
        "categories": list(CATEGORIES),
    }
    if definition.short_names:
        names["shortNames"] = list(definition.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{definition.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": names,
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": _columns(definition),
                    "subresources": _subresources(definition),
                    "schema": {"openAPIV3Schema": build_schema(kind)},
                }
            ],
        },
    }


def build_schema(kind: type[Resource]) -> Schema:
    """Return the structural schema of a kind's objects."""
    schema = structural(kind.model_json_schema(by_alias=True, mode="validation"))
    properties = schema["properties"]
    status = properties["status"]
    _drop_defaults(status)
    # kstatus then reads a new object as InProgress, before any operator has seen it.
    status = {"description": status["description"], "type": "object", "default": {"observedGeneration": -1}, **status}
    schema["properties"] = {
        "apiVersion": {
            "description": f"Version of the API: {GROUP}/{VERSION}.",
            "type": "string",
        },
        "kind": {"description": f"The kind: {kind.definition.kind}.", "type": "string"},
        "metadata": {"type": "object"},
        "spec": properties["spec"],
        "status": status,
    }
    return schema


def render(kind: type[Resource]) -> str:
    """Return the manifest for `crds/`."""
    return _HEADER + _dump(build_crd(kind))


def render_template(kind: type[Resource]) -> str:
    """Return the template for the chart `botyard-crds`."""
    crd = build_crd(kind)
    head = f"apiVersion: {crd['apiVersion']}\nkind: {crd['kind']}\nmetadata:\n  name: {crd['metadata']['name']}\n"
    # Text of ours that looks like a template (none today) must reach the API server as it is.
    body = _dump({"spec": crd["spec"]}).replace("{{", '{{ "{{" }}')
    return _HEADER + head + _CHART_METADATA + body


def rendered_files() -> dict[Path, str]:
    """Return the content of every wholly generated file, by its path below the repository's root."""
    files = {}
    for kind in KINDS:
        name = f"{GROUP}_{kind.definition.plural}.yaml"
        files[_CRDS / name] = render(kind)
        files[_TEMPLATES / name] = render_template(kind)
    return files


def rendered_pages(root: Path) -> dict[Path, str]:
    """Return the pages of the documentation with their generated parts, by their path below `root`.

    Raises:
        OSError: A page cannot be read.
        ValueError: A page lacks one of the marks; see `reference`.
    """
    pages = {}
    for kind in KINDS:
        path = _DOCS / f"{kind.definition.singular}.md"
        text = (root / path).read_text(encoding="utf-8")
        pages[path] = reference.refresh(text, kind.definition.kind, build_schema(kind))
    return pages


def _columns(definition: Definition) -> list[dict[str, Any]]:
    columns = []
    for column in definition.columns:
        entry: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
        if column.priority:
            entry["priority"] = column.priority
        columns.append(entry)
    return columns


def _subresources(definition: Definition) -> dict[str, Any]:
    subresources: dict[str, Any] = {"status": {}}
    if definition.scale:
        subresources["scale"] = {
            "specReplicasPath": definition.scale.spec_path,
            "statusReplicasPath": definition.scale.status_path,
            "labelSelectorPath": definition.scale.selector_path,
        }
    return subresources


def _drop_defaults(schema: Schema) -> None:
    """Remove all defaults below: a status says only what the operator wrote."""
    schema.pop("default", None)
    for child in schema.get("properties", {}).values():
        _drop_defaults(child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            _drop_defaults(schema[key])


class _Dumper(yaml.SafeDumper):
    """YAML without anchors and with lists indented, as Kubernetes manifests are written."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _dump(document: Any) -> str:
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the generated files; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m botyard_operator.api.crd", description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write manifests, chart templates and tables")
    action.add_argument("--check", action="store_true", help="show how they differ from the models; exit code 1 then")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository's root (default: this folder)")
    options = parser.parse_args(arguments)
    if not (options.root / _CRDS).is_dir():
        parser.error(f"{options.root.resolve()} has no folder {_CRDS}; run from the repository's root or give --root")
    if options.write:
        for path, content in {**rendered_files(), **rendered_pages(options.root)}.items():
            (options.root / path).parent.mkdir(parents=True, exist_ok=True)
            (options.root / path).write_text(content, encoding="utf-8")
        return 0
    return _report_drift(options.root)


def _report_drift(root: Path) -> int:
    drift = False
    for path, expected in {**rendered_files(), **rendered_pages(root)}.items():
        file = root / path
        actual = file.read_text(encoding="utf-8") if file.exists() else ""
        if actual != expected:
            drift = True
            sys.stdout.writelines(
                difflib.unified_diff(
                    actual.splitlines(keepends=True),
                    expected.splitlines(keepends=True),
                    fromfile=str(path),
                    tofile=f"{path} (from the models)",
                )
            )
    if drift:
        print("these files differ from the models: run python -m botyard_operator.api.crd --write", file=sys.stderr)
    return 1 if drift else 0


if __name__ == "__main__":
    sys.exit(main())
