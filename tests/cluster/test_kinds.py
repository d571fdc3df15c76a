"""The three kinds as a person meets them with kubectl."""

import json

import pytest

from tests.cluster.spaces import Space


@pytest.mark.parametrize(("kind", "name"), [("bundle", "counter"), ("bot", "counter"), ("persona", "nora")])
def test_kubectl_wait_ends_when_the_object_is_ready(shared: Space, kind: str, name: str) -> None:
    assert "condition met" in shared.run("wait", "--for=condition=Ready", f"{kind}/{name}", "--timeout=60s")


def test_short_names_list_the_kinds_with_their_columns(shared: Space) -> None:
    tables = {kind: shared.run("get", kind).splitlines() for kind in ("bdl", "bot", "psn")}
    for header in (table[0].split() for table in tables.values()):
        assert header[0] == "NAME"
        assert "READY" in header
        assert "AGE" in header
    assert "REVISION" in tables["bdl"][0]
    assert "REVISION" in tables["bot"][0]
    for table in tables.values():
        assert "True" in table[1].split()


def test_the_category_lists_all_of_them(shared: Space) -> None:
    listed = shared.run("get", "botyard", "-o", "name").split()
    assert {"bundle.botyard.dev/counter", "bot.botyard.dev/counter", "persona.botyard.dev/nora"} <= set(listed)


@pytest.mark.parametrize("path", ["bundle.spec.git.ref", "bot.spec.bundleRef", "persona.spec.botRef"])
def test_kubectl_explain_describes_the_fields(shared: Space, path: str) -> None:
    described = shared.run("explain", path)
    assert "DESCRIPTION" in described
    assert "<empty>" not in described.split("FIELDS")[0]


def test_status_of_a_ready_bot_tells_what_runs(shared: Space) -> None:
    bot = shared.get("bot", "counter")
    assert bot is not None
    status = bot["status"]
    assert status["readyReplicas"] == 1
    assert status["revision"].startswith("main@sha1:")
    assert {found["type"] for found in status["conditions"]} >= {"Ready", "BundleReady", "RolledOut"}
    assert {found["type"] for found in status["conditions"]}.isdisjoint({"Reconciling", "Stalled"})


def test_a_bundle_reports_its_artifact(shared: Space) -> None:
    bundle = shared.get("bundle", "counter")
    assert bundle is not None
    artifact = bundle["status"]["artifact"]
    assert artifact["digest"].startswith("sha256:")
    assert artifact["revision"].startswith("main@sha1:")
    assert artifact["size"] > 0


def test_kubectl_scale_changes_the_replicas(space: Space) -> None:
    from tests.cluster.bots import counter

    space.push(counter("v1"))
    space.bundle()
    space.bot()
    space.ready("bot/counter")
    space.run("scale", "bot/counter", "--replicas=2")

    def two_ready() -> bool:
        scale = json.loads(
            space.run("get", "--raw", f"/apis/botyard.dev/v1alpha1/namespaces/{space.namespace}/bots/counter/scale")
        )
        bot = space.get("bot", "counter") or {}
        return bool(scale["status"]["replicas"] == 2 and bot["status"].get("readyReplicas") == 2)

    space.eventually("two replicas are ready", two_ready, "bot/counter")
