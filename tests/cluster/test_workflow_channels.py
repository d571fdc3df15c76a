"""The channels of workflow clients on the real cluster: Socket.IO, quotas, accounting, and bundles that do not load."""

import json
import shutil
from typing import Any

import httpx
import pytest
from playwright.sync_api import sync_playwright

from demo.kubectl import until
from tests.browser.conftest import FLAGS
from tests.cluster.spaces import Space
from tests.integration.gateway.chat.test_javascript import CLIENT
from tests.integration.s3.server import S3Server

TALK = """
([auth, message]) => new Promise((resolve, reject) => {
    const heard = [];
    const socket = io({path: "/socket.io", auth, forceNew: true});
    setTimeout(() => reject(JSON.stringify(heard)), 120000);
    socket.on("connect_error", (error) => reject(error.message));
    socket.on("session_info", () => socket.emit("chat_message", {message}, (ack) => heard.push(["ack", ack])));
    socket.onAny((event, data) => {
        heard.push([event, data]);
        if (event === "chat_complete") {
            socket.disconnect();
            resolve(heard);
        }
    });
})
"""
POLL = """
import httpx, json, sys
url, token, tenant = sys.argv[1:]
for number in range(8):
    def ask(method, sid="", body=None):
        # A connection for each request, as a proxy might make them.
        query = "?EIO=4&transport=polling" + (f"&sid={sid}" if sid else "")
        answer = httpx.request(method, url + "/socket.io/" + query, content=body, timeout=60)
        assert answer.status_code == 200, (number, method, answer.status_code, answer.text)
        return answer.text
    sid = json.loads(ask("GET")[1:])["sid"]
    auth = {"user_session_id": f"s{number}", "bearer_token": token, "tenant": tenant}
    ask("POST", sid, "40" + json.dumps(auth))
    heard = ""
    while "session_info" not in heard:
        heard += ask("GET", sid)
    ask("POST", sid, "1")
print("all reached theirs")
"""


def turn(space: Space, token: str, text: str, **message: Any) -> list[tuple[str, dict[str, Any]]]:
    """Say something over SSE, in a conversation of its own, and return the events of the turn."""
    session = {"stream_id": f"stream-{text}", "user_session_id": f"session-{text}", "tenant": space.namespace}
    told: list[tuple[str, dict[str, Any]]] = []
    event = ""
    with space.http(token) as http, http.stream("GET", "/sse/stream", params=session) as stream:
        for line in stream.iter_lines():
            if line == "event: ready":
                answer = http.post("/sse/chat", params=session, json={"message": {"text": text, **message}})
                assert answer.json().get("status") == "processing_started", answer.text
            event = line.removeprefix("event: ") if line.startswith("event: ") else event
            if line.startswith("data: ") and event.startswith("chat_"):
                told.append((event, json.loads(line.removeprefix("data: "))))
                if event == "chat_complete":
                    break
    return told


def test_the_real_javascript_client_talks_to_a_bot(desk: Space) -> None:
    binary = shutil.which("chromium")
    if binary is None:
        pytest.fail("chromium is not installed: apt-get install chromium")
    auth = {"user_session_id": "page", "bearer_token": desk.token("page"), "tenant": desk.namespace}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=FLAGS, headless=True)
        page = browser.new_page()
        page.goto(f"{desk.system.gateway}/healthz")
        page.add_script_tag(path=CLIENT)
        heard = page.evaluate(TALK, [auth, {"text": "hello", "conversation_id": "c1", "turn_id": "t1"}])
        browser.close()
    ack = next(data for event, data in heard if event == "ack")
    assert (ack["status"], ack["bundle_id"], ack["user_type"]) == ("processing_started", "desk", "registered")
    assert [data["text"] for event, data in heard if event == "chat_delta"] == ["You ", "said ", "hello"]
    complete = heard[-1][1]
    assert complete["data"]["final_answer"] == "You said hello"
    assert complete["conversation"] == {"session_id": "page", "conversation_id": "c1", "turn_id": "t1"}


def test_polling_clients_are_led_to_their_gateway_by_the_service(desk: Space) -> None:
    system = desk.system
    deployment = system.kubectl.get("deployment", "botyard-gateway", system.namespace) or {}
    assert deployment["status"]["readyReplicas"] == 2
    url = f"http://botyard-gateway.{system.namespace}.svc:8080"
    said = system.kubectl(
        *("-n", system.namespace, "exec", "-i", "deployment/botyard-gateway", "--", "python", "-"),
        *(url, desk.token("poller"), desk.namespace),
        stdin=POLL,
        seconds=120,
    )
    assert "all reached theirs" in said


def test_who_has_used_up_the_quota_is_told_the_code_and_the_data(desk: Space) -> None:
    token = desk.token("limited")
    for text in ("one", "two"):
        assert turn(desk, token, text)[-1][1]["data"]["final_answer"] == f"You said {text}"
    told = turn(desk, token, "three")
    denied = next(data for name, data in told if data["type"] == "rate_limit.denied" and name == "chat_service")
    assert (denied["event"]["step"], denied["event"]["agent"]) == ("rate_limit", "bundle.rate_limiter")
    data = denied["data"]
    assert (data["code"], data["reason"], data["user_type"]) == ("rate_limited", "requests_per_day", "registered")
    assert data["rate_limit"]["limits"] == {"requests_per_day": 2}
    assert data["rate_limit"]["retry_after_sec"] > 0
    assert "final_answer" not in told[-1][1]["data"]
    assert not [data for _, data in told if data["type"] == "chat.error"]


def test_what_is_used_lies_in_the_bucket_call_by_call(desk: Space, accounts: S3Server | None) -> None:
    if accounts is None:
        pytest.skip("needs the local cluster: pods must reach a bucket on this machine")
    turn(desk, desk.token("spender"), "pay", conversation_id="paid", turn_id="turn-of-pay")
    folder = accounts.bucket / "accounting" / desk.namespace / "desk"

    def events() -> list[dict[str, Any]]:
        found = [json.loads(path.read_text()) for path in folder.glob("*.*.*/llm/acme.desk.think/usage_*.json")]
        return [event for event in found if event["context"]["conversation_id"] == "paid"]

    assert until(lambda: len(events()) == 1, seconds=120, every=0.5), list(accounts.bucket.rglob("*"))
    (event,) = events()
    assert event["usage"] == {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5, "requests": 1}
    assert event["context"]["turn_id"] == "turn-of-pay"
    assert (event["provider"], event["model_or_service"], event["success"]) == ("acme", "acme-1", True)


def test_a_bundle_that_cannot_be_loaded_says_why_and_nobody_answers_in_its_name(desk: Space) -> None:
    desk.bundle("broken", path="broken")
    desk.bot("broken", bundle="broken")
    desk.eventually(
        "the Bot tells the exception",
        lambda: "no key 42" in desk.condition("bot", "broken", "BundleReady").get("message", ""),
        "bundle/broken",
        "bot/broken",
    )
    assert desk.condition("bot", "broken", "Ready")["status"] == "False"
    session = {"stream_id": "s1", "user_session_id": "sess1", "tenant": desk.namespace}

    def answer(bundle: str) -> httpx.Response:
        with desk.http(desk.token()) as http:
            return http.post("/sse/chat", params=session, json={"message": {"text": "x", "bundle_id": bundle}})

    broken = answer("broken")
    assert (broken.status_code, broken.json()["type"].rpartition("/")[2]) == (503, "bot-not-ready"), broken.text
    unknown = answer("nobody")
    assert (unknown.status_code, unknown.json()["error"]) == (400, "unknown_bundle"), unknown.text
