"""Talking to a bot through the gateway."""

from tests.cluster.spaces import Space


def test_a_message_is_answered_and_the_session_remembers(shared: Space) -> None:
    conversation = shared.conversation()
    assert "v1: message 1 was hello" in conversation.say("hello")
    assert "v1: message 2 was again" in conversation.say("again")


def test_conversations_do_not_share_their_sessions(shared: Space) -> None:
    first, second = shared.conversation(), shared.conversation()
    first.say("one")
    assert "message 1 was two" in second.say("two")
    assert first.identifier != second.identifier


def test_a_killed_pod_loses_nothing_of_a_conversation(shared: Space) -> None:
    conversation = shared.conversation()
    assert "message 1" in conversation.say("before")
    # Accepted, and perhaps at work already: whichever replica comes to it, it is answered once.
    turn = conversation.send("meanwhile")
    for pod in shared.pods():
        shared.run("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")
    assert "message 2 was meanwhile" in conversation.answer(turn)
    assert "message 3 was after" in conversation.say("after")
    shared.ready("bot/counter")


def test_without_a_token_nobody_is_let_in(shared: Space) -> None:
    with shared.http(None) as http:
        answer = http.post(f"/v1/namespaces/{shared.namespace}/bots/counter/messages", json={"text": "hello"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_a_token_that_the_cluster_does_not_know_is_refused(shared: Space) -> None:
    with shared.http("not-a-token") as http:
        answer = http.post(f"/v1/namespaces/{shared.namespace}/bots/counter/messages", json={"text": "hello"})
    assert answer.status_code == 401


def test_who_may_not_use_the_bot_learns_nothing_of_it(shared: Space) -> None:
    with shared.http(shared.token("stranger", may_use=False)) as http:
        answer = http.post(f"/v1/namespaces/{shared.namespace}/bots/counter/messages", json={"text": "hello"})
        assert answer.status_code in {403, 404}
        assert http.get("/v1/bots").json()["bots"] == []


def test_a_granted_right_works_without_a_restart(shared: Space) -> None:
    with shared.http(shared.token("newcomer", may_use=False)) as http:
        path = f"/v1/namespaces/{shared.namespace}/bots/counter/messages"
        assert http.post(path, json={"text": "hello"}).status_code in {403, 404}
        shared.token("newcomer")

        def accepted() -> bool:
            return http.post(path, json={"text": "hello"}).status_code == 202

        shared.eventually("the new right is in force", accepted)
