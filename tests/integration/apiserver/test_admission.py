"""What the API server refuses by itself: one accepted and one refused object for every rule of the CRDs."""

import pytest

from tests.integration.apiserver.client import Refused
from tests.integration.apiserver.server import ApiServer
from tests.unit.operator.api.rule_examples import EXAMPLES, MORE_ACCEPTED, MORE_REFUSED, Example, Object, manifest


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_accepts(apiserver: ApiServer, namespace: str, example: Example) -> None:
    apiserver.client.create(example.build(accepted=True, namespace=namespace), dry_run=True)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_refuses(apiserver: ApiServer, namespace: str, example: Example) -> None:
    with pytest.raises(Refused) as caught:
        apiserver.client.create(example.build(accepted=False, namespace=namespace), dry_run=True)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert example.message in caught.value.message


@pytest.mark.parametrize(("kind", "changes"), MORE_ACCEPTED)
def test_accepts_further(apiserver: ApiServer, namespace: str, kind: str, changes: Object) -> None:
    apiserver.client.create(manifest(kind, changes, namespace=namespace), dry_run=True)


@pytest.mark.parametrize(("kind", "changes", "message"), MORE_REFUSED)
def test_refuses_further(apiserver: ApiServer, namespace: str, kind: str, changes: Object, message: str) -> None:
    with pytest.raises(Refused) as caught:
        apiserver.client.create(manifest(kind, changes, namespace=namespace), dry_run=True)
    assert caught.value.code == 422
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("Bundle", {"git": {"verify": {"mode": "Head", "secretRef": {"name": "x"}}}}, "supported values"),
        ("Bundle", {"limits": {"files": 0}}, "greater than or equal to 1"),
        ("Bundle", {"git": {"url": "https://" + "a" * 1100}}, "may not be more than 1024"),
        ("Bundle", {"git": {"url": None}}, "spec.git.url: Required value"),
        ("Bundle", {"git": None, "inline": {"files": {f"f{i}.py": "" for i in range(33)}}}, "at most 32"),
        ("Bundle", {"git": {"url": "https://x", "brnch": "main"}}, 'unknown field "spec.git.brnch"'),
        ("Bot", {"replicas": -1}, "greater than or equal to 0"),
        ("Bot", {"resources": {"requests": {"cpu": "many"}}}, "spec.resources.requests.cpu"),
        ("Bot", {"rollout": {"onIncompatibleState": "Ignore"}}, '"Block", "Drain", "Reset"'),
        ("Persona", {"erp": {"subscriptions": [{"table": "crm-contact"}]}}, "write the name of a table"),
        ("Persona", {"erp": {"subscriptions": [{"table": "crm_deal", "actions": ["UPSERT"]}]}}, '"INSERT"'),
        ("Persona", {"erp": {"subscriptions": [{"table": "crm_deal", "actions": ["INSERT"] * 2}]}}, "Duplicate"),
        ("Persona", {"budget": {"onExceeded": "Stop"}}, '"Reject", "Pause", "Ask", "Warn"'),
        ("Persona", {"maxInProgress": 0}, "greater than or equal to 1"),
    ],
)
def test_schema_keywords_refuse(apiserver: ApiServer, namespace: str, kind: str, changes: Object, message: str) -> None:
    with pytest.raises(Refused) as caught:
        apiserver.client.create(manifest(kind, changes, namespace=namespace), dry_run=True)
    assert message in caught.value.message


def test_a_persona_stays_with_its_bot(apiserver: ApiServer, namespace: str) -> None:
    stored = apiserver.client.create(manifest("Persona", {"displayName": "Nora"}, namespace=namespace))
    renamed = apiserver.client.patch(stored, {"spec": {"displayName": "Nora B."}})
    assert renamed["spec"]["displayName"] == "Nora B."
    with pytest.raises(Refused) as caught:
        apiserver.client.patch(stored, {"spec": {"botRef": {"name": "other"}}})
    assert "spec.botRef" in caught.value.message
    assert "create a new Persona" in caught.value.message


def test_max_replicas_may_be_lowered_below_what_the_autoscaler_set(apiserver: ApiServer, namespace: str) -> None:
    stored = apiserver.client.create(
        manifest("Bot", {"replicas": 8, "autoscaling": {"maxReplicas": 10}}, namespace=namespace)
    )
    lowered = apiserver.client.patch(stored, {"spec": {"autoscaling": {"maxReplicas": 5}}})
    assert lowered["spec"]["replicas"] == 8


def test_a_bundle_may_go_from_the_default_branch_to_a_tag(apiserver: ApiServer, namespace: str) -> None:
    before = manifest("Bundle", {}, namespace=namespace)
    apiserver.client.apply(before)
    after = apiserver.client.apply(manifest("Bundle", {"git": {"ref": {"tag": "v1"}}}, namespace=namespace))
    assert after["spec"]["git"]["ref"] == {"tag": "v1"}
