"""The chart writes some names down that the code knows too; here they are compared."""

from pathlib import Path
from typing import Any

import pytest

from botyard.connector.settings import load
from botyard.contract import names
from tests.unit.charts.conftest import Objects, Template, TemplateError
from tests.unit.charts.test_golden import INSTALLATIONS


def container(objects: Objects, name: str) -> dict[str, Any]:
    found = next(found for found in objects if found["kind"] == "Deployment" and found["metadata"]["name"] == name)
    result: dict[str, Any] = found["spec"]["template"]["spec"]["containers"][0]
    return result


def test_ports_are_those_of_the_contract(template: Template) -> None:
    objects = template()
    operator = {port["name"]: port["containerPort"] for port in container(objects, "botyard-operator")["ports"]}
    gateway = {port["name"]: port["containerPort"] for port in container(objects, "botyard-gateway")["ports"]}
    assert operator == {"artifacts": names.ARTIFACTS_PORT, "metrics": names.OPERATOR_METRICS_PORT}
    assert gateway == {"http": names.GATEWAY_PORT}
    services = {
        found["metadata"]["name"]: found["spec"]["ports"][0]["port"] for found in objects if found["kind"] == "Service"
    }
    assert services["botyard-artifacts"] == names.ARTIFACTS_PORT
    assert services["botyard-gateway"] == names.GATEWAY_PORT


def test_gateway_finds_its_files_where_the_contract_says(template: Template) -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in container(template(), "botyard-gateway")["volumeMounts"]}
    environment = {entry["name"]: entry["value"] for entry in container(template(), "botyard-gateway")["env"]}
    assert mounts["redis"] == names.PLATFORM_DIR
    assert environment["BOTYARD_REDIS_URL_FILE"] == f"{names.PLATFORM_DIR}/{names.REDIS_URL_FILE}"


def test_every_variable_of_the_operator_is_one_that_it_reads(template: Template) -> None:
    from botyard_operator.settings import Settings

    class Recorder(dict[str, str]):
        """An environment that remembers what it was asked for."""

        def __init__(self) -> None:
            super().__init__()
            self.asked: set[str] = set()

        def get(self, key: str, default: Any = None) -> Any:
            self.asked.add(key)
            return default

    environment = Recorder()
    Settings.from_environment(environment)
    written = {entry["name"] for entry in container(template(namespaces=["shop"]), "botyard-operator")["env"]}
    assert written <= environment.asked


def test_operator_serves_the_listed_namespaces(template: Template) -> None:
    environment = {
        entry["name"]: entry.get("value")
        for entry in container(template(namespaces=["a", "b"]), "botyard-operator")["env"]
    }
    assert environment["BOTYARD_NAMESPACES"] == "a,b"
    assert "BOTYARD_NAMESPACES" not in {entry["name"] for entry in container(template(), "botyard-operator")["env"]}


def test_the_roles_name_every_shard_of_the_routing_table(template: Template) -> None:
    shards = [names.routes_name(number) for number in range(names.ROUTE_SHARDS)]
    named = [
        rule["resourceNames"]
        for found in template()
        if found["kind"] == "Role"
        for rule in found["rules"]
        if "botyard-routes" in rule.get("resourceNames", ())
    ]
    assert named == [shards, shards]


def test_the_connector_reads_the_sources_that_the_chart_writes(template: Template, tmp_path: Path) -> None:
    objects = template(**INSTALLATIONS["connector"])
    [written] = [
        found["data"]["sources.yaml"]
        for found in objects
        if found["kind"] == "ConfigMap" and found["metadata"]["name"] == "botyard-connector"
    ]
    file = tmp_path / "sources.yaml"
    file.write_text(written)
    assert [source.name for source in load(file).sources] == ["erp", "stock"]
    assert container(objects, "botyard-connector")["ports"][0]["containerPort"] == names.CONNECTOR_PORT
    [pods] = [
        found["spec"]["template"]["spec"]
        for found in objects
        if found["kind"] == "Deployment" and found["metadata"]["name"] == "botyard-connector"
    ]
    [addresses] = [each["projected"] for each in pods["volumes"] if "projected" in each]
    assert [each["secret"]["items"][0] for each in addresses["sources"]] == [
        {"key": "address", "path": "erp"},
        {"key": "url", "path": "stock"},
    ]


def test_a_connector_without_sources_is_refused(template: Template) -> None:
    with pytest.raises(TemplateError, match=r"connector\.sources"):
        template(connector={"enabled": True})
