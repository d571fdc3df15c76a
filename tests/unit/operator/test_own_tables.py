"""Subscriptions to tables that a bundle describes: held against what it says of them."""

import json
from typing import Any

import pytest

from botyard_operator.api.persona import Persona
from botyard_operator.reconcile.subscriptions import own_subscriptions, parse_own, subscription_problem

MACHINE = {"key": "id", "columns": {"id": "text", "price": "decimal"}}
OWN = parse_own(json.dumps({"extra": {"erpSchema": {"machine": MACHINE}}}))


def persona(erp: dict[str, Any]) -> Persona:
    return Persona.parse(
        {
            "apiVersion": "botyard.dev/v1alpha1",
            "kind": "Persona",
            "metadata": {"name": "nora", "namespace": "shop"},
            "spec": {"botRef": {"name": "clerk"}, "erp": erp},
        }
    )


def problem(**subscription: Any) -> str:
    found = subscription_problem(persona({"subscriptions": [subscription]}), (), OWN)
    return found.message if found is not None else ""


def test_a_table_of_the_bundle_s_own_may_be_followed_by_its_columns() -> None:
    assert problem(table="machine", where=["price:>:5"], columns=["id"]) == ""
    assert problem(table="crm_contact", where=["contact_shoe_size:>:40"]) == ""


@pytest.mark.parametrize(
    ("subscription", "says"),
    [
        ({"table": "machines"}, "there is no table machines: did you mean machine?"),
        ({"table": "machine", "where": ["pric:>:5"]}, "where: table machine has no column pric: did you mean price?"),
        ({"table": "machine", "columns": ["idd"]}, "columns: table machine has no column idd: did you mean id?"),
        ({"table": "machine", "where": ["colour:=:x"]}, "the bundle's erp_schema.yaml names its columns"),
    ],
)
def test_what_it_does_not_describe_is_told_with_the_nearest_name(subscription: dict[str, Any], says: str) -> None:
    assert says in problem(**subscription)


@pytest.mark.parametrize("manifest", ["", "[]", "{", '{"extra": 7}', '{"extra": {"erpSchema": {"a": 1}}}'])
def test_a_manifest_that_says_nothing_of_tables_names_none(manifest: str) -> None:
    assert parse_own(manifest) == {}


def test_a_connection_alone_leaves_subscriptions_to_the_bundle() -> None:
    assert own_subscriptions(persona({"connectionSecretRef": {"name": "crm"}})) is None
    assert own_subscriptions(persona({})) == ()
