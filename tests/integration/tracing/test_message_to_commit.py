"""One trace leads from the message's request to the commit of its turn, and says what went wrong on the way."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.integration.gateway.dev import Dev, until
from tests.integration.tracing.collector import Collector, Received

BOT = """
from jb_manager_bot import AbstractFSM, Status


class Fragile(AbstractFSM):
    states = ["zero", "ask", "end"]
    transitions = [
        {"source": "zero", "dest": "ask", "trigger": "next"},
        {"source": "ask", "dest": "end", "trigger": "next"},
    ]
    conditions = set()
    output_variables = set()

    def __init__(self, send_message, credentials=None):
        self.credentials = {}
        super().__init__(send_message=send_message)

    def on_enter_ask(self):
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_end(self):
        raise RuntimeError("this bot breaks")
"""
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "fragile"
    made.mkdir()
    (made / "bot.py").write_text(BOT)
    return made


def test_a_message_its_turn_and_its_commit_are_one_trace_of_the_caller(folder: Path, collector: Collector) -> None:
    with closing(Dev(folder, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})) as dev:
        with httpx.Client(base_url=dev.url, trust_env=False, timeout=60) as http:
            path = http.get("/v1/bots").json()["bots"][0]
            messages = f"/v1/namespaces/{path['namespace']}/bots/{path['name']}/messages"
            sent = http.post(messages, json={"text": "hi", "conversation": "c"}, headers={"traceparent": CALLER})
            again = http.post(messages, json={"text": "break", "conversation": "c"})
            assert (sent.status_code, again.status_code) == (202, 202)
        until(lambda: len(collector.named("commit")) >= 2, lambda: f"{collector.spans}\n{dev.log.read_text()}")
        until(lambda: len(collector.named("turn")) >= 2, dev.log.read_text)
        request = _of(collector, "POST /v1/namespaces/{namespace}/bots/{bot}/messages", CALLER.split("-")[1])
        turn = _of(collector, "turn", request.trace)
        commit = _of(collector, "commit", request.trace)
        assert request.parent == CALLER.split("-")[2]
        assert (turn.parent, commit.parent) == (request.id, turn.id)
        assert request.start <= turn.start <= commit.start <= commit.end <= turn.end
        assert turn.attributes["botyard.turn"] == sent.json()["turn"]
        assert turn.attributes["botyard.attempt"] == 1
        assert request.attributes["botyard.status"] == 202
        assert not turn.failed
        broken = next(span for span in collector.named("turn") if span.trace != turn.trace)
        assert broken.failed
        assert broken.attributes["botyard.turn"] == again.json()["turn"]


def test_a_collector_that_is_away_stops_nothing(folder: Path) -> None:
    with Collector() as gone:
        url = gone.url
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
    with (
        closing(Dev(folder, environment=environment)) as dev,
        httpx.Client(base_url=dev.url, trust_env=False, timeout=60) as http,
    ):
        path = http.get("/v1/bots").json()["bots"][0]
        bot = f"/v1/namespaces/{path['namespace']}/bots/{path['name']}"
        assert http.post(f"{bot}/messages", json={"text": "hi", "conversation": "c"}).status_code == 202
        until(lambda: _answered(http, f"{bot}/conversations/c"), dev.log.read_text)


def _answered(http: httpx.Client, path: str) -> bool:
    answer = http.get(path)
    return answer.status_code == 200 and any(turn["state"] == "completed" for turn in answer.json()["turns"])


def _of(collector: Collector, name: str, trace: str) -> Received:
    found = [span for span in collector.named(name) if span.trace == trace]
    assert len(found) == 1, collector.spans
    return found[0]
