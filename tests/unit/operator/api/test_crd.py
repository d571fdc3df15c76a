"""The generated definitions: complete, documented, and equal to what is committed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from botyard_operator.api.crd import KINDS, build_crd, main, rendered_files, rendered_pages
from botyard_operator.api.structural import InexpressibleSchema, structural
from tests.unit.operator.api.schema import schemas, walk

ROOT = Path(__file__).resolve().parents[4]


def version(kind: str) -> dict[str, Any]:
    crd = next(build_crd(each) for each in KINDS if each.definition.kind == kind)
    (only,) = crd["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def test_the_committed_files_are_those_of_the_models() -> None:
    assert main(["--check", "--root", str(ROOT)]) == 0


def test_no_file_lies_beside_the_generated_ones() -> None:
    expected = set(rendered_files())
    for folder in {path.parent for path in expected}:
        assert {path.relative_to(ROOT) for path in (ROOT / folder).iterdir()} == {
            path for path in expected if path.parent == folder
        }


def test_drift_is_shown_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in {*rendered_files(), *rendered_pages(ROOT)}:
        (tmp_path / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    assert main(["--check", "--root", str(tmp_path)]) == 0
    edited = tmp_path / "crds" / "botyard.dev_bots.yaml"
    edited.write_text(edited.read_text().replace("maximum: 1000\n", "maximum: 999\n", 1))
    assert main(["--check", "--root", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "-" in shown.out
    assert "maximum: 999" in shown.out
    assert "--write" in shown.err
    assert main(["--write", "--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0


def test_a_wrong_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--write", "--root", str(tmp_path)])
    assert caught.value.code == 2
    assert "repository's root" in capsys.readouterr().err


def test_every_field_is_described() -> None:
    missing = [
        f"{kind}.{path}"
        for kind, schema in schemas().items()
        for path, node in walk(schema)
        # Items and values of plain lists and maps are described by the field; metadata by Kubernetes.
        if not path.endswith(("[]", ".*")) and path != "metadata" and not node.get("description")
    ]
    assert missing == []


def test_every_list_text_and_map_of_a_spec_is_bounded() -> None:
    unbounded = [
        f"{kind}.{path}"
        for kind, schema in schemas().items()
        for path, node in walk(schema)
        if path.startswith("spec")
        and (
            (node.get("type") == "array" and "maxItems" not in node)
            or (node.get("type") == "string" and "maxLength" not in node and "enum" not in node)
            or ("additionalProperties" in node and "maxProperties" not in node)
        )
    ]
    assert unbounded == []


def test_a_status_has_no_defaults_but_the_generation_that_no_one_observed() -> None:
    for schema in schemas().values():
        status = schema["properties"]["status"]
        assert status["default"] == {"observedGeneration": -1}
        assert [path for path, node in walk(status) if path and "default" in node] == []


def test_the_fields_of_a_union_have_no_defaults() -> None:
    # A defaulted alternative would stay beside the one that somebody applies later.
    bundle = dict(walk(schemas()["Bundle"]))
    for path in ("spec.git", "spec.archive", "spec.inline", "spec.git.ref"):
        assert "default" not in bundle[path]
    for name in ("branch", "tag", "semver", "commit"):
        assert "default" not in bundle[f"spec.git.ref.{name}"]


def test_defaults() -> None:
    def defaults(kind: str) -> dict[str, Any]:
        return {
            path: node["default"]
            for path, node in walk(schemas()[kind])
            if "default" in node and path.startswith("spec") and node["default"] != {}
        }

    assert {
        "spec.interval": "1m",
        "spec.timeout": "60s",
        "spec.limits.size": "100Mi",
        "spec.limits.files": 20000,
        "spec.entrypoint.model": "auto",
    }.items() <= defaults("Bundle").items()
    assert {
        "spec.replicas": 1,
        "spec.limits.turnTimeout": "10m",
        "spec.limits.maxInput": "1Mi",
        "spec.limits.concurrency": 32,
        "spec.limits.workers": 1,
    }.items() <= defaults("Bot").items()


def test_free_form_fields_keep_what_they_are_given() -> None:
    bot, persona = dict(walk(schemas()["Bot"])), dict(walk(schemas()["Persona"]))
    for node in (bot["spec.config"], bot["spec.podTemplate"], persona["spec.setup"]):
        assert node["x-kubernetes-preserve-unknown-fields"] is True


@pytest.mark.parametrize("kind", ["Bundle", "Bot", "Persona"])
def test_conditions_merge_by_type(kind: str) -> None:
    conditions = dict(walk(schemas()[kind]))["status.conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("Bundle", ["Ready", "Status", "Revision", "Age"]),
        ("Bot", ["Ready", "Status", "Revision", "Replicas", "Age"]),
        ("Persona", ["Ready", "Bot", "Spent", "Limit", "Age"]),
    ],
)
def test_columns(kind: str, columns: list[str]) -> None:
    shown = [column["name"] for column in version(kind)["additionalPrinterColumns"] if not column.get("priority")]
    assert shown == columns


def test_the_chart_and_the_plain_manifests_have_the_same_spec() -> None:
    files = rendered_files()
    for path, content in files.items():
        if path.parts[0] != "crds":
            continue
        template = files[Path("charts/botyard-crds/templates") / path.name]
        body = template[template.index("\nspec:\n") :]
        assert "{{" not in body
        assert yaml.safe_load(body)["spec"] == yaml.safe_load(content)["spec"]
        assert "helm.sh/resource-policy: keep" in template


def test_a_union_of_types_is_refused() -> None:
    with pytest.raises(InexpressibleSchema, match=r"\.a: a union of types"):
        structural({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}})


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(InexpressibleSchema, match="uniqueItems"):
        structural({"type": "array", "items": {"type": "string"}, "uniqueItems": True})
