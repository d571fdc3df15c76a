"""LLMManager and the parsers, against a server that speaks the vendor's protocol."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from botyard.fsm import LLMError, LLMManager, Option, OptionParser, Parser
from botyard.fsm.llm import DEFAULT_MODEL, llm_arguments


class Server(ThreadingHTTPServer):
    """Answers every request with `answer` and keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = {}
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, headers, body))
        self.send_response(200)
        answer = self.server.answer
        if isinstance(answer, list):
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for chunk in answer:
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
        else:
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()


def says(content=None, calls=None):
    message = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [
            {"id": "1", "type": "function", "function": {"name": n, "arguments": a}} for n, a in calls
        ]
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }


def test_a_text_is_asked_for_with_the_defaults(server):
    server.answer = says("hello")
    messages = [LLMManager.sm("s"), LLMManager.um("u"), LLMManager.am("a")]
    assert LLMManager.llm(messages, openai_api_key="key", openai_api_endpoint=server.url) == "hello"
    path, headers, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer key"
    assert body == {"messages": messages, "model": DEFAULT_MODEL, "temperature": 1e-6}
    assert [m["role"] for m in messages] == ["system", "user", "assistant"]


def test_azure_is_called_by_the_vendor_s_keywords_and_by_the_deployment_s(server):
    server.answer = says("hello")
    address = server.url.removesuffix("/v1")
    LLMManager.llm([], azure_endpoint=address, azure_openai_api_key="k1", azure_openai_api_version="v1", model="m")
    LLMManager.llm([], "azure", address, "k2", "v2", model="m", temperature=0.5)
    (first, first_headers, _), (second, second_headers, body) = server.asked
    assert first == "/openai/deployments/m/chat/completions?api-version=v1"
    assert second == "/openai/deployments/m/chat/completions?api-version=v2"
    assert first_headers["api-key"] == "k1"
    assert second_headers["api-key"] == "k2"
    assert body["temperature"] == 0.5


def test_tools_return_the_call_that_the_model_made(server):
    tool = LLMManager.fn("book", "Books", {"day": {"type": "string"}}, ["day"])
    arguments = {"openai_api_key": "key", "openai_api_endpoint": server.url, "tools": [tool]}
    server.answer = says(calls=[("book", '{"day": "Monday"}'), ("other", "{}")])
    assert LLMManager.llm([], **arguments) == {"function": "book", "arguments": {"day": "Monday"}}
    assert server.asked[0][2]["tools"] == [tool]
    server.answer = says("no call")
    assert LLMManager.llm([], **arguments) == {"function": None, "message": "no call"}
    server.answer = says(calls=[("book", "{not json")])
    with pytest.raises(LLMError, match="'book'"):
        LLMManager.llm([], **arguments)


def test_a_stream_calls_back_and_returns_the_whole(server):
    server.answer = [
        {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": piece}}],
        }
        for piece in ("hel", "lo", None)
    ]
    pieces = []
    whole = LLMManager.llm(
        [], openai_api_key="key", openai_api_endpoint=server.url, stream=True, callback=pieces.append
    )
    assert (whole, pieces) == ("hello", ["hel", "lo"])


def test_embeddings(server):
    server.answer = {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }
    found = LLMManager.generate_embeddings(["a"], "m", openai_api_key="key", openai_api_endpoint=server.url)
    assert found == [[0.5, 1.0]]


def test_clients_are_kept_by_credentials():
    first = LLMManager.get_client(openai_api_key="one", openai_api_endpoint="http://x/v1")
    assert LLMManager.get_client(openai_api_key="one", openai_api_endpoint="http://x/v1") is first
    assert LLMManager.get_client(openai_api_key="two", openai_api_endpoint="http://x/v1") is not first


def test_what_is_missing_is_named(monkeypatch):
    with pytest.raises(LLMError, match="OPENAI_API_KEY"):
        LLMManager.llm([])
    with pytest.raises(LLMError, match="AZURE_OPENAI_API_ENDPOINT"):
        LLMManager.llm([], azure_openai_api_key="key")
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(LLMError, match=r"'openai' is needed.*requirements"):
        LLMManager.llm([], openai_api_key="unseen so far")


OPTIONS = [Option(option_id="1", option_text="Red"), Option(option_id="2", option_text="Blue")]


class TestParsers:
    def test_an_option_is_found(self, server):
        server.answer = says('{"id": "2"}')
        found = OptionParser.parse(
            "Colour?", OPTIONS, "the sky's", openai_api_key="k", openai_api_endpoint=server.url, model="m"
        )
        assert found == "2"
        body = server.asked[0][2]
        assert [m["role"] for m in body["messages"]] == ["system", "assistant", "user"]
        assert '{"id": "2", "title": "Blue"}' in body["messages"][1]["content"]
        assert body["messages"][2]["content"] == "the sky's"
        assert body["response_format"] == {"type": "json_object"}

    def test_without_options_the_model_s_object_is_returned(self, server):
        server.answer = says('{"result": 3, "more": true}')
        parsed = Parser.parse_user_input("Count", None, "three", "openai", server.url, "k")
        assert parsed == {"result": 3, "more": True}
        assert [m["role"] for m in server.asked[0][2]["messages"]] == ["system", "user"]

    def test_credentials_by_position_in_the_older_order(self, server):
        server.answer = says('{"id": "1"}')
        address = server.url.removesuffix("/v1")
        assert OptionParser.parse("?", OPTIONS, "red", None, "key", "v", address, "m") == "1"
        assert server.asked[0][0] == "/openai/deployments/m/chat/completions?api-version=v"

    @pytest.mark.parametrize(
        ("answer", "says_"), [("no json", "no JSON"), ("[1]", "no JSON object"), ('{"other": 1}', "names no option")]
    )
    def test_an_unusable_answer_is_quoted(self, server, answer, says_):
        server.answer = says(answer)
        with pytest.raises(LLMError, match=says_):
            OptionParser.parse("?", OPTIONS, "red", openai_api_key="k", openai_api_endpoint=server.url)


def test_credentials_of_a_bot_come_under_both_naming_schemes():
    assert llm_arguments({}) == {"model": DEFAULT_MODEL}
    assert llm_arguments({"OPENAI_API_KEY": "k", "OPENAI_API_TYPE": "openai", "SLOW_MODEL": "big"}) == {
        "openai_api_key": "k",
        "openai_deployment_type": "openai",
        "model": "big",
    }
    assert llm_arguments({"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_API_ENDPOINT": "e", "FAST_MODEL": "f"}) == {
        "azure_openai_api_key": "k",
        "azure_endpoint": "e",
        "model": "f",
    }
