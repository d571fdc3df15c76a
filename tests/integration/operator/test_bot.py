"""A Bot against a real API server: children, status, drift and the number of writes."""

import base64
import json
from typing import Any

import pytest

from tests.integration.operator.process import REDIS_URL, SYSTEM_NAMESPACE, OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import DIGEST, REVISION, World

pytestmark = pytest.mark.usefixtures("operator")

CHILDREN = (
    ("ConfigMap", "repairs-bot"),
    ("ConfigMap", "repairs-personas-0"),
    ("Secret", "repairs-credentials"),
    ("Secret", "repairs-platform"),
    ("Service", "repairs"),
    ("NetworkPolicy", "repairs"),
    ("Deployment", "repairs"),
)


def test_a_bot_gets_its_children_and_becomes_ready(world: World) -> None:
    world.bundle()
    world.bot(config={"greeting": "hello"})
    uid = world.get("Bot", "repairs")["metadata"]["uid"]  # type: ignore[index]
    for kind, name in CHILDREN:
        child = world.await_object(kind, name)
        assert [(owner["uid"], owner["controller"]) for owner in child["metadata"]["ownerReferences"]] == [(uid, True)]
        assert child["metadata"]["labels"]["botyard.dev/bot"] == "repairs"
    waiting = world.await_condition("Bot", "repairs", "Ready", "False", "PodsNotReady")
    assert "none of 1 replicas" in waiting["message"]
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Ready", "True", "Succeeded")
    world.await_condition("Bot", "repairs", "Reconciling", None)
    status = world.get("Bot", "repairs")["status"]  # type: ignore[index]
    assert (status["replicas"], status["readyReplicas"], status["revision"]) == (1, 1, REVISION)
    assert status["selector"] == "app.kubernetes.io/component=bot,botyard.dev/bot=repairs"
    assert status["url"].endswith(f"/v1/namespaces/{world.namespace}/bots/repairs")
    config = json.loads(world.get("ConfigMap", "repairs-bot")["data"]["bot.json"])  # type: ignore[index]
    assert config["config"] == {"greeting": "hello"}


def test_the_pods_get_the_bundle_and_the_platform_secrets(world: World) -> None:
    world.bundle()
    world.bot()
    platform = world.await_object("Secret", "repairs-platform")["data"]
    assert base64.b64decode(platform["redis-url"]).decode() == REDIS_URL
    assert len(base64.b64decode(platform["artifact-token-a1a1a1a1a1a1"])) == 64
    template = world.await_object("Deployment", "repairs")["spec"]["template"]
    fetch = {entry["name"]: entry["value"] for entry in template["spec"]["initContainers"][0]["env"]}
    assert fetch["BOTYARD_ARTIFACT_DIGEST"] == DIGEST
    assert template["metadata"]["annotations"]["botyard.dev/revision"] == REVISION


def test_few_writes_from_apply_to_ready_and_none_afterwards(world: World, operator: OperatorProcess) -> None:
    world.bundle()
    world.settle()
    since = world.server.now()
    world.bot_becomes_ready()
    eventually(lambda: _route(world, "repairs").get("ready"), "the gateway knows that the Bot is ready")
    writes = world.operator_writes(since)
    children = {(write.resource, write.name) for write in writes} & {
        ("configmaps", "repairs-bot"),
        ("configmaps", "repairs-personas-0"),
        ("secrets", "repairs-credentials"),
        ("secrets", "repairs-platform"),
        ("services", "repairs"),
        ("networkpolicies", "repairs"),
        ("deployments", "repairs"),
    }
    assert len(children) == len(CHILDREN)
    others = [
        f"{write.verb} {write.resource}/{write.subresource} {write.name}"
        for write in writes
        if (write.resource, write.name) not in children
    ]
    assert len(writes) == len(children) + len(others), "no child is written twice"
    # A busy machine may split what one write of the routing table tells.
    table = [other for other in others if "botyard-routes" in other]
    assert len(others) - max(0, len(table) - 1) <= 5, others
    world.settle()
    assert world.writes_within(4) == []


def test_a_restarted_operator_writes_nothing(world: World, operator: OperatorProcess) -> None:
    world.ready_bot(replicas=2, credentials=[])
    world.persona("nora", setup={"greeting": "Hello"})
    world.await_condition("Persona", "nora", "Ready", "True")
    eventually(lambda: "nora" in _route(world, "repairs").get("personas", ()), "the route has the Persona")
    world.settle()
    since = world.server.now()
    operator.restart()
    operator.await_leading()
    world.writes_within(3)
    assert world.operator_writes(since) == []


def test_a_bot_without_its_bundle_says_so_and_heals(world: World) -> None:
    world.bot(bundle="absent")
    missing = world.await_condition("Bot", "repairs", "Ready", "False", "BundleNotFound")
    assert "Bundle absent does not exist" in missing["message"]
    assert world.condition("Bot", "repairs", "Stalled") is None
    world.bundle("absent")
    world.await_object("Deployment", "repairs")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Ready", "True")


def test_a_bundle_without_a_revision_is_waited_for(world: World) -> None:
    world.create("Bundle", "repairs", spec={"git": {"url": "https://git.example.com/b.git"}, "suspend": True})
    world.bot()
    waiting = world.await_condition("Bot", "repairs", "BundleReady", "False", "BundleNotReady")
    assert "has no revision to run yet" in waiting["message"]
    world.bundle_artifact(revision=REVISION, digest=DIGEST)
    world.await_object("Deployment", "repairs")


@pytest.mark.parametrize("kind", ["Deployment", "Service", "NetworkPolicy", "ConfigMap", "Secret"])
def test_a_deleted_child_comes_back(world: World, kind: str) -> None:
    world.ready_bot()
    name = {"ConfigMap": "repairs-bot", "Secret": "repairs-platform"}.get(kind, "repairs")
    before = world.get(kind, name)["metadata"]["uid"]  # type: ignore[index]
    world.delete(kind, name)
    eventually(
        lambda: (world.get(kind, name) or {}).get("metadata", {}).get("uid", before) != before,
        f"{kind} {name} exists again",
    )


def test_drift_is_put_back(world: World) -> None:
    world.ready_bot()
    world.patch("Deployment", "repairs", {"spec": {"replicas": 7}})
    world.patch("Service", "repairs", {"spec": {"selector": {"app": "else"}}})
    world.patch("ConfigMap", "repairs-bot", {"data": {"bot.json": "{}"}})

    def restored() -> bool:
        deployment, service = world.get("Deployment", "repairs"), world.get("Service", "repairs")
        config = world.get("ConfigMap", "repairs-bot")
        assert deployment is not None
        assert service is not None
        assert config is not None
        return (
            deployment["spec"]["replicas"] == 1
            and "app" not in service["spec"]["selector"]
            and config["data"]["bot.json"] != "{}"
        )

    eventually(restored, "the children are what the Bot says")


def test_a_field_that_is_no_longer_wanted_goes(world: World) -> None:
    world.create("Secret", "pay", stringData={"key": "old"})
    world.ready_bot(credentials=[{"name": "PAYMENT_KEY", "secretKeyRef": {"name": "pay", "key": "key"}}])
    assert "PAYMENT_KEY" in world.get("Secret", "repairs-credentials")["data"]  # type: ignore[index]
    world.patch("Bot", "repairs", {"spec": {"credentials": []}})
    eventually(lambda: not (world.get("Secret", "repairs-credentials") or {}).get("data"), "the credential is gone")


def test_a_changed_secret_rolls_the_pods_and_nothing_else_does(world: World) -> None:
    world.create("Secret", "pay", stringData={"key": "old", "other": "x"})
    world.ready_bot(credentials=[{"name": "PAYMENT_KEY", "secretKeyRef": {"name": "pay", "key": "key"}}])
    before = world.get("Deployment", "repairs")["metadata"]["generation"]  # type: ignore[index]
    world.patch("Secret", "pay", {"stringData": {"other": "y"}})
    world.patch("Bot", "repairs", {"spec": {"config": {"a": 1}}})
    eventually(
        lambda: '"a":1' in world.get("ConfigMap", "repairs-bot")["data"]["bot.json"],  # type: ignore[index]
        "the config is mounted",
    )
    world.await_condition("Bot", "repairs", "Ready", "True")
    assert world.get("Deployment", "repairs")["metadata"]["generation"] == before  # type: ignore[index]
    world.patch("Secret", "pay", {"stringData": {"key": "new"}})
    eventually(
        lambda: world.get("Deployment", "repairs")["metadata"]["generation"] > before,  # type: ignore[index]
        "the pods roll",
    )
    data = world.get("Secret", "repairs-credentials")["data"]  # type: ignore[index]
    assert base64.b64decode(data["PAYMENT_KEY"]) == b"new"


def test_a_missing_credential_is_named_and_heals(world: World) -> None:
    world.bundle()
    world.bot(credentials=[{"name": "PAYMENT_KEY", "secretKeyRef": {"name": "pay", "key": "key"}}])
    missing = world.await_condition("Bot", "repairs", "Ready", "False", "ReferenceNotFound")
    assert "Secret pay of credential PAYMENT_KEY does not exist" in missing["message"]
    world.create("Secret", "pay", stringData={"wrong": "x"})
    invalid = world.await_condition("Bot", "repairs", "Ready", "False", "ReferenceInvalid")
    assert "has no entry key (it has wrong)" in invalid["message"]
    world.patch("Secret", "pay", {"stringData": {"key": "right"}})
    world.await_object("Deployment", "repairs")


def test_a_changed_key_of_a_model_reaches_running_pods_without_a_rollout(world: World) -> None:
    world.bundle()
    world.bot(model={"name": "small", "secretRef": {"name": "llm", "key": "apiKey"}})
    missing = world.await_condition("Bot", "repairs", "Ready", "False", "ReferenceNotFound")
    assert "Secret llm of spec.model does not exist" in missing["message"]
    world.create("Secret", "llm", stringData={"apiKey": "sk-old"})
    before = world.await_object("Deployment", "repairs")["metadata"]["generation"]
    world.running_pod("repairs-1")
    world.patch("Secret", "llm", {"stringData": {"apiKey": "sk-new"}})

    def renewed() -> bool:
        (value,) = world.await_object("Secret", "repairs-model")["data"].values()
        return base64.b64decode(value) == b"sk-new" and world.refreshed("repairs-1") is not None

    eventually(renewed, "the pods are told to read the new key")
    assert world.await_object("Deployment", "repairs")["metadata"]["generation"] == before
    world.patch("Bot", "repairs", {"spec": {"model": None}})
    eventually(lambda: world.get("Secret", "repairs-model") is None, "the keys are gone")


def test_a_new_revision_rolls_but_a_new_commit_with_equal_content_does_not(world: World) -> None:
    world.ready_bot()
    world.settle()
    before = world.get("Deployment", "repairs")["metadata"]["generation"]  # type: ignore[index]
    world.bundle_artifact(revision="main@sha1:" + "1c" * 20, digest=DIGEST)
    assert world.writes_within(1.5) == []
    newer = "main@sha1:" + "2d" * 20
    world.bundle_artifact(revision=newer, digest="sha256:" + "b2" * 32)
    eventually(
        lambda: world.get("Deployment", "repairs")["metadata"]["generation"] > before,  # type: ignore[index]
        "the pods roll",
    )
    world.rolled_out()
    eventually(lambda: world.get("Bot", "repairs")["status"]["revision"] == newer, "the status shows it")  # type: ignore[index]
    eventually(
        lambda: world.get("Bot", "repairs")["status"].get("previousRevision") == REVISION,  # type: ignore[index]
        "its pods have proven it, and the one before is kept in mind",
    )


def test_pods_of_the_old_revision_keep_their_artifact_token_until_the_rollout_is_complete(world: World) -> None:
    world.ready_bot()
    world.bundle_artifact(revision="main@sha1:" + "2d" * 20, digest="sha256:" + "b2" * 32)
    eventually(lambda: _fetched(world) == "sha256:" + "b2" * 32, "the pods roll")
    assert _token_entries(world) == {"artifact-token-a1a1a1a1a1a1", "artifact-token-b2b2b2b2b2b2"}
    world.bundle_artifact(revision="main@sha1:" + "3e" * 20, digest="sha256:" + "c3" * 32)
    eventually(lambda: _fetched(world) == "sha256:" + "c3" * 32, "the pods roll again")
    assert "artifact-token-a1a1a1a1a1a1" in _token_entries(world)
    world.rolled_out()
    eventually(lambda: _token_entries(world) == {"artifact-token-c3c3c3c3c3c3"}, "only the token in use is left")
    generation = world.get("Deployment", "repairs")["metadata"]["generation"]  # type: ignore[index]
    assert generation == 3, "tokens that come and go roll nothing"


def test_somebody_elses_object_is_refused_and_left_alone(world: World) -> None:
    foreign = {"spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]}}
    world.create("Service", "repairs", **foreign)
    world.create("ConfigMap", "repairs-bot", data={"theirs": "1"})
    world.bundle()
    world.bot()
    stalled = world.await_condition("Bot", "repairs", "Stalled", "True", "Conflict")
    assert "ConfigMap repairs-bot exists" in stalled["message"]
    world.delete("ConfigMap", "repairs-bot")
    eventually(
        lambda: "Service repairs exists" in (world.condition("Bot", "repairs", "Stalled") or {}).get("message", ""),
        "the Service is refused too",
    )
    assert world.get("Service", "repairs")["spec"]["selector"] == {"app": "theirs"}  # type: ignore[index]


def test_a_bot_takes_over_what_a_former_one_left_as_orphans(world: World) -> None:
    world.ready_bot()
    uid = world.get("Deployment", "repairs")["metadata"]["uid"]  # type: ignore[index]
    world.delete("Bot", "repairs")
    for kind, name in CHILDREN:
        world.patch(kind, name, {"metadata": {"ownerReferences": None}})
    world.bot()
    bot = world.get("Bot", "repairs")["metadata"]["uid"]  # type: ignore[index]
    for kind, name in CHILDREN:
        eventually(lambda kind=kind, name=name: _controller(world, kind, name) == bot, f"{kind} {name} is adopted")  # type: ignore[misc]
    assert world.get("Deployment", "repairs")["metadata"]["uid"] == uid  # type: ignore[index]
    world.await_condition("Bot", "repairs", "Ready", "True")


def test_a_bot_made_anew_waits_for_the_children_of_the_former_one_to_go(world: World) -> None:
    world.ready_bot()
    world.delete("Bot", "repairs")
    world.bot()
    waiting = world.await_condition("Bot", "repairs", "Reconciling", "True", "Progressing")
    assert "of a former Bot repairs is being deleted" in waiting["message"]
    assert world.condition("Bot", "repairs", "Stalled") is None
    for kind, name in CHILDREN:  # the garbage collector's part
        world.delete(kind, name)
    bot = world.get("Bot", "repairs")["metadata"]["uid"]  # type: ignore[index]
    for kind, name in CHILDREN:
        eventually(lambda kind=kind, name=name: _controller(world, kind, name) == bot, f"{kind} {name} is new")  # type: ignore[misc]


def test_secrets_that_change_together_roll_the_pods_once(world: World) -> None:
    credentials = []
    for name in ("pay", "mail", "crm"):
        world.create("Secret", name, stringData={"key": "old"})
        credentials.append({"name": name.upper(), "secretKeyRef": {"name": name, "key": "key"}})
    world.ready_bot(credentials=credentials)
    before = world.get("Deployment", "repairs")["metadata"]["generation"]  # type: ignore[index]
    for name in ("pay", "mail", "crm"):
        world.patch("Secret", name, {"stringData": {"key": "new"}})
    eventually(lambda: _credential(world, "CRM") == b"new" == _credential(world, "PAY"), "the credentials are new")
    world.settle()
    assert world.get("Deployment", "repairs")["metadata"]["generation"] == before + 1  # type: ignore[index]


def test_a_suspended_bot_is_left_alone(world: World) -> None:
    world.ready_bot()
    world.patch("Bot", "repairs", {"spec": {"suspend": True, "replicas": 3}})
    world.await_condition("Bot", "repairs", "Ready", "True")
    world.patch("Deployment", "repairs", {"spec": {"revisionHistoryLimit": 9}})
    world.settle()
    deployment = world.get("Deployment", "repairs")
    assert deployment is not None
    assert (deployment["spec"]["replicas"], deployment["spec"]["revisionHistoryLimit"]) == (1, 9)
    world.patch("Bot", "repairs", {"spec": {"suspend": False}})
    eventually(lambda: world.get("Deployment", "repairs")["spec"]["replicas"] == 3, "it goes on")  # type: ignore[index]


def test_two_default_bots_are_both_told(world: World) -> None:
    world.bundle()
    world.bot("first", default=True)
    world.await_object("Deployment", "first")
    world.bot("second", default=True)
    for name, other in (("first", "second"), ("second", "first")):
        stalled = world.await_condition("Bot", name, "Stalled", "True", "DefaultConflict")
        assert other in stalled["message"]
    eventually(
        lambda: _route(world, "first").get("default") and "default" not in _route(world, "second"),
        "the older one is the default",
    )
    world.delete("Bot", "second")
    world.await_condition("Bot", "first", "Stalled", None)


def test_a_crashing_pod_speaks_through_the_status(world: World) -> None:
    world.bundle()
    world.bot()
    world.await_object("Deployment", "repairs")
    _pod(world, "repairs-abc")
    crashed = {
        "exitCode": 1,
        "reason": "Error",
        "message": "Traceback (most recent call last):\nKeyError: 'PAYMENT_KEY'\n",
    }
    _container_status(
        world,
        "repairs-abc",
        {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": crashed}, "restartCount": 3},
    )
    told = world.await_condition("Bot", "repairs", "Ready", "False", "CrashLoop")
    assert "container worker of pod repairs-abc keeps ending: KeyError: 'PAYMENT_KEY' (exit code 1)" in told["message"]
    _container_status(world, "repairs-abc", {"state": {"waiting": {"reason": "ImagePullBackOff"}}})
    world.await_condition("Bot", "repairs", "Ready", "False", "ImagePullFailed")


def test_a_rollout_past_its_deadline_stalls_and_the_old_revision_serves_on(world: World) -> None:
    world.ready_bot(rollout={"progressDeadline": "1m"})
    assert world.get("Deployment", "repairs")["spec"]["progressDeadlineSeconds"] == 60  # type: ignore[index]
    world.bundle_artifact(revision="main@sha1:" + "2d" * 20, digest="sha256:" + "b2" * 32)
    eventually(lambda: _fetched(world) == "sha256:" + "b2" * 32, "the pods roll")
    late = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "ReplicaSet has timed out progressing.",
    }
    generation = world.get("Deployment", "repairs")["metadata"]["generation"]  # type: ignore[index]
    counts = {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    status = {"observedGeneration": generation, **counts, "conditions": [late]}
    world.patch("Deployment", "repairs", {"status": status}, subresource="status")
    stalled = world.await_condition("Bot", "repairs", "Stalled", "True", "ProgressDeadlineExceeded")
    assert "no progress within 60 s" in stalled["message"]
    world.await_condition("Bot", "repairs", "Ready", "True", "Succeeded")
    world.await_condition("Bot", "repairs", "RolledOut", "False", "ProgressDeadlineExceeded")
    world.await_condition("Bot", "repairs", "Reconciling", None)
    world.patch("Deployment", "repairs", {"status": {"conditions": None}}, subresource="status")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Stalled", None)


def test_replicas_and_budget_follow_the_scale(world: World) -> None:
    world.ready_bot()
    assert world.get("PodDisruptionBudget", "repairs") is None
    world.patch("Bot", "repairs", {"spec": {"replicas": 3}}, subresource="scale")
    world.await_object("PodDisruptionBudget", "repairs")
    world.patch("Bot", "repairs", {"spec": {"replicas": 0}}, subresource="scale")
    eventually(lambda: world.get("PodDisruptionBudget", "repairs") is None, "the budget is gone")
    world.await_condition("Bot", "repairs", "Ready", "True", "Stopped")


def test_another_autoscaler_beside_our_own_is_told_until_one_is_gone(world: World) -> None:
    world.ready_bot(autoscaling={"minReplicas": 1, "maxReplicas": 3})
    target = {"apiVersion": "botyard.dev/v1alpha1", "kind": "Bot", "name": "repairs"}
    world.create(
        "HorizontalPodAutoscaler", "others", spec={"maxReplicas": 5, "scaleTargetRef": {**target, "name": "b"}}
    )
    world.create("HorizontalPodAutoscaler", "keda-hpa-repairs", spec={"maxReplicas": 5, "scaleTargetRef": target})
    world.patch("Bot", "repairs", {"spec": {"replicas": 2}}, subresource="scale")
    told = world.await_condition("Bot", "repairs", "ScalingConflict", "True", "ScaledByOthers")
    assert "HorizontalPodAutoscaler keda-hpa-repairs (KEDA" in told["message"]
    world.delete("HorizontalPodAutoscaler", "keda-hpa-repairs")
    world.patch("Bot", "repairs", {"metadata": {"annotations": {"botyard.dev/requestedAt": "now"}}})
    world.await_condition("Bot", "repairs", "ScalingConflict", None)


def test_what_others_wrote_into_children_stays(world: World) -> None:
    world.ready_bot()
    foreign = {"metadata": {"labels": {"team": "shop"}, "annotations": {"example.com/seen": "yes"}}}
    kinds = [
        ("Deployment", "repairs"),
        ("Service", "repairs"),
        ("ConfigMap", "repairs-bot"),
        ("Secret", "repairs-platform"),
    ]
    for kind, name in kinds:
        world.patch(kind, name, foreign)
    world.patch("Deployment", "repairs", {"spec": {"minReadySeconds": 3}})
    world.patch("Bot", "repairs", {"spec": {"config": {"a": 1}, "resources": {"requests": {"cpu": "1"}}}})
    eventually(lambda: '"1"' in _template(world) and '"cpu"' in _template(world), "the edit is applied")
    world.settle()
    for kind, name in kinds:
        metadata = world.await_object(kind, name)["metadata"]
        assert metadata["labels"]["team"] == "shop", kind
        assert metadata["annotations"]["example.com/seen"] == "yes", kind
        managers = {entry["manager"]: entry["operation"] for entry in metadata["managedFields"]}
        assert managers["botyard"] == "Apply", kind
    assert world.await_object("Deployment", "repairs")["spec"]["minReadySeconds"] == 3


def test_a_script_that_appears_later_heals_and_its_changes_reach_the_pods(world: World) -> None:
    world.bundle()
    world.bot(model={"provider": "scripted", "script": {"configMapRef": {"name": "script"}}})
    missing = world.await_condition("Bot", "repairs", "Ready", "False", "ReferenceNotFound")
    assert "ConfigMap script" in missing["message"]
    world.create("ConfigMap", "script", data={"other.yaml": ""})
    invalid = world.await_condition("Bot", "repairs", "Ready", "False", "ReferenceInvalid")
    assert "script.yaml" in invalid["message"]
    world.patch("ConfigMap", "script", {"data": {"script.yaml": "rules: [{reply: {text: one}}]"}})
    world.await_object("Deployment", "repairs")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Ready", "True")
    before = _template(world)
    world.patch("ConfigMap", "script", {"data": {"script.yaml": "rules: [{reply: {text: two}}]"}})
    eventually(lambda: "two" in str(world.await_object("ConfigMap", "repairs-bot")["data"]), "the pods have it")
    assert _template(world) == before


def test_pods_that_nobody_can_place_or_that_exceed_the_quota_are_told(world: World) -> None:
    world.bundle()
    world.bot()
    world.await_object("Deployment", "repairs")
    _pod(world, "repairs-abc")
    full = "0/3 nodes are available."
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": full}
    world.patch("Pod", "repairs-abc", {"status": {"conditions": [unplaced]}}, subresource="status")
    told = world.await_condition("Bot", "repairs", "Ready", "False", "Unschedulable")
    assert "pod repairs-abc cannot be scheduled: 0/3 nodes are available" in told["message"]
    assert world.condition("Bot", "repairs", "Stalled") is None, "room may come by itself"
    world.delete("Pod", "repairs-abc")
    refused = 'pods "repairs-x" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=5, limited: pods=5'
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refused}
    world.patch("Deployment", "repairs", {"status": {"conditions": [failure]}}, subresource="status")
    told = world.await_condition("Bot", "repairs", "Ready", "False", "QuotaExceeded")
    assert "exceeded quota: compute" in told["message"]
    world.patch("Deployment", "repairs", {"status": {"conditions": None}}, subresource="status")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Ready", "True")


CAUSES = {
    "code": lambda world: world.bundle_artifact(revision="main@sha1:" + "2d" * 20, digest="sha256:" + "b2" * 32),
    "dependencies": lambda world: world.patch(
        "Bundle",
        "repairs",
        {"status": {"layer": {"digest": "sha256:" + "c3" * 32, "url": "http://artifacts.example.com/c3.tar.gz"}}},
        subresource="status",
    ),
    "credentials": lambda world: world.patch("Secret", "pay", {"stringData": {"key": "new"}}),
    "a first model": lambda world: world.patch(
        "Bot", "repairs", {"spec": {"model": {"name": "small", "endpoint": "http://llm:8000/v1"}}}
    ),
    "pod template": lambda world: world.patch(
        "Bot", "repairs", {"spec": {"podTemplate": {"spec": {"nodeSelector": {"pool": "bots"}}}}}
    ),
    "several fields at once": lambda world: world.patch(
        "Bot",
        "repairs",
        {
            "spec": {
                "resources": {"requests": {"cpu": "1"}},
                "config": {"a": 1},
                "limits": {"turnTimeout": "5s"},
                "podTemplate": {"metadata": {"labels": {"team": "shop"}}},
            }
        },
    ),
}
NO_CAUSES = {
    "config": {"config": {"a": 2}},
    "limits": {"limits": {"concurrency": 7}},
    "quotas": {"quotas": {"perUser": {"concurrent": 3}}},
    "budget": {"budget": {"daily": 7}},
    "events": {"events": {"allow": ["chat.step"]}},
    "default": {"default": True},
    "deadline": {"rollout": {"progressDeadline": "2m"}},
    "ramp": {"rollout": {"ramp": [10, 100]}},
    "replicas": {"replicas": 3},
}


def test_each_cause_rolls_once_and_what_is_none_never_does(world: World) -> None:
    """One Bot for all of them, one after the other."""
    world.create("Secret", "pay", stringData={"key": "old"})
    world.ready_bot(credentials=[{"name": "PAYMENT_KEY", "secretKeyRef": {"name": "pay", "key": "key"}}])
    before = world.get("Deployment", "repairs")["metadata"]["generation"]  # type: ignore[index]
    templates = [_template(world)]
    for cause, change in CAUSES.items():
        change(world)
        eventually(lambda: _template(world) != templates[-1], f"{cause} rolls the pods")
        templates.append(_template(world))
        world.rolled_out()
        world.await_condition("Bot", "repairs", "RolledOut", "True")
    world.settle()
    assert _template(world) == templates[-1]
    after = world.get("Deployment", "repairs")["metadata"]["generation"]  # type: ignore[index]
    assert after == before + len(CAUSES), "each of them once"
    for spec in NO_CAUSES.values():
        world.patch("Bot", "repairs", {"spec": spec})
        world.await_condition("Bot", "repairs", "Ready", "True")
    world.rolled_out()
    world.settle()
    assert _template(world) == templates[-1]


def _template(world: World) -> str:
    """Return the pod template: a ReplicaSet is made for each that differs."""
    return json.dumps(world.get("Deployment", "repairs")["spec"]["template"], sort_keys=True)  # type: ignore[index]


def _route(world: World, name: str) -> dict[str, Any]:
    table = world.get("ConfigMap", "botyard-routes", SYSTEM_NAMESPACE) or {"data": {"routes.json": "{}"}}
    routes = json.loads(table["data"]["routes.json"]).get("routes", [])
    return next((route for route in routes if (route["namespace"], route["name"]) == (world.namespace, name)), {})


def _fetched(world: World) -> str:
    template = world.await_object("Deployment", "repairs")["spec"]["template"]
    return str(template["metadata"]["annotations"]["botyard.dev/artifact-digest"])


def _controller(world: World, kind: str, name: str) -> str | None:
    owners = (world.get(kind, name) or {}).get("metadata", {}).get("ownerReferences") or []
    return next((str(owner["uid"]) for owner in owners if owner.get("controller")), None)


def _credential(world: World, name: str) -> bytes:
    return base64.b64decode(world.await_object("Secret", "repairs-credentials")["data"][name])


def _token_entries(world: World) -> set[str]:
    return {entry for entry in world.await_object("Secret", "repairs-platform")["data"] if entry != "redis-url"}


def _pod(world: World, name: str) -> None:
    world.create(
        "Pod",
        name,
        metadata={"name": name, "namespace": world.namespace, "labels": {"botyard.dev/bot": "repairs"}},
        spec={"containers": [{"name": "worker", "image": "registry.example.com/x:1"}]},
    )


def _container_status(world: World, pod: str, state: dict[str, object]) -> None:
    status = {"name": "worker", "image": "registry.example.com/x:1", "imageID": "", "ready": False, "restartCount": 0}
    world.patch("Pod", pod, {"status": {"containerStatuses": [{**status, **state}]}}, subresource="status")
