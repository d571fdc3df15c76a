"""From a commit to a running bot: what goes right, what goes wrong, and that wrong never takes right down."""

from tests.cluster.bots import broken, counter
from tests.cluster.spaces import Space


def test_a_bot_without_its_bundle_says_so_and_heals(space: Space) -> None:
    space.bot(bundle="late")

    def reason() -> str:
        return str(space.condition("bot", "counter", "BundleReady").get("reason"))

    space.eventually("the Bot names its missing Bundle", lambda: reason() == "BundleNotFound", "bot/counter")
    ready = space.condition("bot", "counter", "Ready")
    assert ready["status"] == "False"
    assert "late" in ready["message"]
    space.push(counter("v1"))
    space.bundle("late")
    space.ready("bundle/late", "bot/counter")


def test_a_pushed_commit_rolls_the_bot(space: Space) -> None:
    space.push(counter("v1"))
    space.bundle()
    space.bot()
    space.ready("bot/counter")
    conversation = space.conversation()
    assert "v1: message 1" in conversation.say("hello")
    commit = space.push(counter("v2"))
    space.eventually("the Bot runs the new commit", lambda: commit in space.revision(), "bundle/counter", "bot/counter")
    space.ready("bot/counter")
    assert "v2: message 2" in conversation.say("and now?")


def test_a_syntax_error_leaves_the_old_revision_serving(space: Space) -> None:
    space.push(counter("v1"))
    space.bundle()
    space.bot()
    space.ready("bot/counter")
    conversation = space.conversation()
    assert "v1: message 1" in conversation.say("hello")
    good = space.revision()
    bad = space.push(broken())

    def noticed() -> bool:
        """Either the Bundle refuses the revision, or its rollout does not get past the first pod."""
        told = [
            *(((space.get("bundle", "counter") or {}).get("status") or {}).get("conditions") or []),
            *(((space.get("bot", "counter") or {}).get("status") or {}).get("conditions") or []),
        ]
        return any(found["type"] in {"Stalled", "Reconciling"} and found["status"] == "True" for found in told)

    space.eventually("the bad revision is told of", noticed, "bundle/counter", "bot/counter")
    assert space.condition("bot", "counter", "Ready")["status"] == "True"
    assert "v1: message 2" in conversation.say("still there?")
    assert bad not in good
    commit = space.push(counter("v3"))
    space.eventually("the correction runs", lambda: commit in space.revision(), "bundle/counter", "bot/counter")
    space.ready("bot/counter")
    assert "v3: message 3" in conversation.say("better?")


def test_a_repository_that_does_not_exist_is_named(space: Space) -> None:
    url = f"http://git.{space.system.namespace}.svc/nothing-here.git"
    space.apply("Bundle", "counter", {"git": {"url": url, "ref": {"branch": "main"}}, "interval": "2s"})

    def named() -> bool:
        ready = space.condition("bundle", "counter", "Ready")
        return ready.get("status") == "False" and "nothing-here.git" in ready["message"]

    space.eventually("the Bundle is not Ready, and says which repository is missing", named, "bundle/counter")


def test_deleting_a_bot_deletes_its_children(space: Space) -> None:
    kinds = ("deployments", "services", "configmaps", "secrets", "networkpolicies")
    space.push(counter("v1"))
    space.bundle()
    space.bot()
    space.ready("bot/counter")
    label = "botyard.dev/bot=counter"
    children = {kind: space.kubectl.items(kind, space.namespace, label) for kind in kinds}
    assert children["deployments"]
    assert children["configmaps"]
    space.run("delete", "bot", "counter", "--timeout=60s", seconds=70)

    def all_gone() -> bool:
        return not any(space.kubectl.items(kind, space.namespace, label) for kind in (*kinds, "pods"))

    space.eventually("all children are gone", all_gone)


def test_a_deleted_child_comes_back(space: Space) -> None:
    space.push(counter("v1"))
    space.bundle()
    space.bot()
    space.ready("bot/counter")
    (deployment,) = space.kubectl.items("deployments", space.namespace, "botyard.dev/bot=counter")
    space.run("delete", "deployment", deployment["metadata"]["name"])

    def back() -> bool:
        found = space.kubectl.items("deployments", space.namespace, "botyard.dev/bot=counter")
        return bool(found and found[0]["metadata"]["uid"] != deployment["metadata"]["uid"])

    space.eventually("the Deployment is there again", back, "bot/counter")
    space.ready("bot/counter")
