"""The chart botyard-crds renders the same definitions, kept at uninstallation unless asked otherwise."""

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.integration.apiserver.binaries import ROOT, find_binaries
from tests.integration.apiserver.server import ApiServer

CHART = ROOT / "charts" / "botyard-crds"


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    built = find_binaries() / "helm"
    command = str(built) if built.exists() else shutil.which("helm")
    assert command is not None, "helm is missing: run `make cluster-binaries`"
    return subprocess.run([command, *arguments], capture_output=True, text=True, timeout=120)


def template(*values: str) -> list[dict[str, Any]]:
    settings = [argument for value in values for argument in ("--set", value)]
    done = helm("template", "botyard-crds", str(CHART), "--kube-version", "1.34.0", *settings)
    assert done.returncode == 0, done.stderr
    return sorted(yaml.safe_load_all(done.stdout), key=lambda crd: str(crd["metadata"]["name"]))


def committed() -> list[dict[str, Any]]:
    crds = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    return sorted(crds, key=lambda crd: str(crd["metadata"]["name"]))


def test_the_definitions_are_those_of_crds() -> None:
    assert [(crd["metadata"]["name"], crd["spec"]) for crd in template()] == [
        (crd["metadata"]["name"], crd["spec"]) for crd in committed()
    ]


def test_the_definitions_stay_when_the_release_goes() -> None:
    for crd in template():
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    for crd in template("keep=false"):
        assert "helm.sh/resource-policy" not in (crd["metadata"]["annotations"] or {})


def test_annotations_and_labels_can_be_added() -> None:
    for crd in template("labels.team=shop", "annotations.note=x"):
        assert crd["metadata"]["labels"]["team"] == "shop"
        assert crd["metadata"]["labels"]["app.kubernetes.io/name"] == "botyard"
        assert crd["metadata"]["annotations"]["note"] == "x"


@pytest.mark.parametrize("value", ["kepp=true", "keep=yes", "labels.a.b=c"])
def test_unknown_and_wrong_values_are_refused(value: str) -> None:
    done = helm("template", "botyard-crds", str(CHART), "--kube-version", "1.34.0", "--set", value)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_the_rendered_definitions_are_accepted(apiserver: ApiServer) -> None:
    for crd in template():
        apiserver.client.request(
            "PATCH",
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}",
            body=crd,
            params={"fieldManager": "helm", "force": "true", "fieldValidation": "Strict", "dryRun": "All"},
            content_type="application/apply-patch+yaml",
        )
