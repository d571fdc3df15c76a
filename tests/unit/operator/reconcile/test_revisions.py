"""Which revision a Bot runs: the newest, a pinned one, or the last good one after a failure."""

import pytest

from tests.unit.operator.reconcile.offline import Space, artifact


def test_the_newest_revision_is_followed_and_the_one_before_it_told() -> None:
    space = Space(1)
    space.reconcile()
    space.rolled_out()
    space.publish(2, 1)
    space.reconcile()
    assert space.runs == 2
    space.rolled_out()
    assert space.status["previousRevision"] == artifact(1)["revision"]
    assert space.status["goodRevision"]["digest"] == artifact(2)["digest"]


def test_a_pin_stays_while_the_bundle_moves_on() -> None:
    space = Space(2, 1, bundleRef={"name": "clerk", "revision": artifact(1)["revision"]})
    space.reconcile()
    space.rolled_out()
    space.publish(3, 2)
    space.reconcile()
    assert space.runs == 1, "what runs is kept although the Bundle has forgotten it"
    space.edit(bundleRef={"name": "clerk"})
    space.reconcile()
    assert space.runs == 3


def test_a_pin_that_nobody_keeps_stalls_and_what_runs_goes_on() -> None:
    space = Space(1)
    space.reconcile()
    space.rolled_out()
    space.edit(bundleRef={"name": "clerk", "revision": "main@sha1:absent"})
    space.reconcile()
    stalled = space.condition("Stalled") or {}
    assert stalled["reason"] == "RevisionNotFound"
    assert artifact(1)["revision"] in stalled["message"]
    assert (space.condition("Ready") or {})["status"] == "True"
    assert space.runs == 1


def _failed() -> Space:
    space = Space(1)
    space.reconcile()
    space.rolled_out()
    space.publish(2, 1)
    space.reconcile()
    space.fails()
    return space


def test_a_revision_that_crashes_is_taken_back_and_its_reason_kept() -> None:
    space = _failed()
    assert space.runs == 1
    space.rolled_out()
    assert (space.condition("Ready") or {})["status"] == "True"
    stalled = space.condition("Stalled") or {}
    assert stalled["reason"] == "CrashLoop"
    assert "no module x" in stalled["message"]
    assert artifact(2)["revision"] in stalled["message"]
    assert (space.condition("RolledOut") or {})["status"] == "False"
    assert space.status["failedRevision"]["digest"] == artifact(2)["digest"]
    space.reconcile()
    assert space.runs == 1, "it is not tried again by itself"


def test_another_revision_is_tried_at_once() -> None:
    space = _failed()
    space.rolled_out()
    space.publish(3, 2, 1)
    space.reconcile()
    assert space.runs == 3
    space.rolled_out()
    assert "failedRevision" not in space.status
    assert space.condition("Stalled") is None
    assert space.status["previousRevision"] == artifact(1)["revision"]


def test_a_change_of_what_pods_are_made_from_tries_it_again() -> None:
    space = _failed()
    space.rolled_out()
    space.edit(replicas=2)
    space.reconcile()
    assert space.runs == 1, "scaling changes nothing about the failure"
    space.edit(config={"mode": "new"})
    space.reconcile()
    assert space.runs == 2


def test_asking_for_it_tries_it_again_once() -> None:
    space = _failed()
    space.rolled_out()
    space.annotate(requestedAt="now")
    space.reconcile()
    assert space.runs == 2
    space.fails()
    assert space.runs == 1


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CreateContainerConfigError"])
def test_what_is_not_the_codes_fault_is_waited_for(reason: str) -> None:
    space = Space(1)
    space.reconcile()
    space.rolled_out()
    space.publish(2, 1)
    space.reconcile()
    space.fails(reason=reason)
    assert space.runs == 2


def test_the_first_revision_of_all_has_none_to_go_back_to() -> None:
    space = Space(1)
    space.reconcile()
    space.fails()
    assert space.runs == 1
    assert "failedRevision" not in space.status


@pytest.mark.parametrize(
    ("allowed", "reason"), [({"from": "Same"}, "BundleNotAllowed"), ({"from": "All"}, "PodsNotReady")]
)
def test_a_bundle_of_another_namespace_must_admit_the_bots(allowed: dict[str, str], reason: str) -> None:
    reference = {"name": "clerk", "namespace": "platform"}
    space = Space(1, namespace="platform", bundle={"allowedNamespaces": allowed}, bundleRef=reference)
    space.reconcile()
    assert (space.condition("Ready") or {})["reason"] == reason


def test_a_pin_rolls_back_to_what_ran_before() -> None:
    space = Space(1)
    space.reconcile()
    space.rolled_out()
    space.publish(2, 1)
    space.reconcile()
    space.rolled_out()
    space.edit(bundleRef={"name": "clerk", "revision": artifact(1)["revision"]})
    space.reconcile()
    assert space.runs == 1
    space.rolled_out()
    assert space.status["previousRevision"] == artifact(2)["revision"]
