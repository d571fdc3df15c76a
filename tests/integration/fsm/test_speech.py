"""Speech in and out, by a service over HTTP that speaks the OpenAI protocol."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from botyard.fsm.program import FsmProgram
from botyard.fsm.speech import MAX_SPOKEN_CHARACTERS, SpeechError, speak, transcribe
from tests.integration.runtime.conftest import MakeBot, make_bot  # noqa: F401 - a fixture
from tests.integration.runtime.replica import echo
from tests.unit.fsm.bots import bot, step, waits_for_user
from tests.unit.fsm.platform import Session, texts

SOUND = b"OggS\x00what is my name"
AUDIO = {"payload": {"kind": "audio", "url": "data:audio/ogg;base64," + base64.b64encode(SOUND).decode()}}


class Service(ThreadingHTTPServer):
    """Hears what the file holds behind its head, and says texts as bytes."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str | None, bytes]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((self.path, self.headers.get("Authorization"), body))
        if self.path.endswith("/transcriptions"):
            heard = body.partition(b"OggS\x00")[2].partition(b"\r\n")[0].decode()
            answer = json.dumps({"text": heard}).encode()
        else:
            answer = b"ID3" + json.loads(body)["input"].encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def repeats(self):
    given = self.current_input
    shown = given if isinstance(given, str) else repr(given[:4])
    self._on_enter_display(f"{type(given).__name__} {shown}")
    waits_for_user(self)


def talk(tmp_path, config, handler=repeats, **credentials):
    steps = [step("zero", "listen"), step("listen", "say"), step("say", "say")]
    made = bot(steps, {"listen": waits_for_user, "say": handler})
    return Session(FsmProgram(made, tmp_path, credentials, config))


def named(service: Service, *which: str, **more: str) -> dict[str, Any]:
    return {"speech": {each: {"endpoint": service.url, "model": "m", **more} for each in which}}


async def test_without_a_service_audio_is_bytes(tmp_path) -> None:
    session = talk(tmp_path, {})
    await session.message("begin")
    assert texts(await session.message(**AUDIO)) == ["bytes b'OggS'"]


async def test_what_users_say_reaches_the_bot_as_text(tmp_path, service: Service) -> None:
    session = talk(tmp_path, named(service, "listen", credential="SPEECH_KEY"), SPEECH_KEY="k")
    await session.message("begin")
    outcome = await session.message(**AUDIO)
    assert texts(outcome) == ["str what is my name"]
    assert [output.data["kind"] for output in outcome.outputs] == ["text"]
    ((path, key, body),) = service.calls
    assert (path, key) == ("/v1/audio/transcriptions", "Bearer k")
    assert b'name="model"\r\n\r\nm' in body


async def test_who_speaks_is_answered_in_words_and_sound_and_who_writes_in_words(tmp_path, service: Service) -> None:
    session = talk(tmp_path, named(service, "listen", "speak", voice="ada"))
    await session.message("begin")
    outcome = await session.message(**AUDIO)
    assert [output.data["kind"] for output in outcome.outputs] == ["text", "audio"]
    media = outcome.outputs[1].data["media"]
    assert base64.b64decode(media["content"]) == b"ID3str what is my name"
    assert (media["mime_type"], media["size"]) == ("audio/mpeg", 22)
    assert json.loads(service.calls[-1][2])["voice"] == "ada"
    assert [output.data["kind"] for output in (await session.message("written")).outputs] == ["text"]


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda service: setattr(service, "status", 503), "answers 503"),
        (lambda service: (service.shutdown(), service.server_close()), "does not answer"),
    ],
    ids=["refuses", "is gone"],
)
async def test_a_service_that_fails_fails_the_turn_and_the_session_goes_on(tmp_path, prepare, says) -> None:
    server = Service()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    session = talk(tmp_path, named(server, "listen"))
    await session.message("begin")
    prepare(server)
    outcome = await session.message(**AUDIO)
    assert outcome.error is not None
    assert outcome.error.kind == "SpeechError"
    assert says in outcome.error.message
    assert texts(await session.message("written")) == ["str written"]
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_credential_that_is_missing_is_named(tmp_path, service: Service) -> None:
    session = talk(tmp_path, named(service, "listen", credential="SPEECH_KEY"))
    await session.message("begin")
    outcome = await session.message(**AUDIO)
    assert outcome.error is not None
    assert "no credential 'SPEECH_KEY'" in outcome.error.message
    assert service.calls == []


class TestInStates:
    """A bot may do it itself."""

    async def test_a_state_hears_and_speaks(self, tmp_path, service: Service) -> None:
        def both(self):
            self.variables["heard"] = transcribe(self.current_files[0])
            self.variables["said"] = speak("hello").decode()
            waits_for_user(self)

        config = named(service, "listen", "speak")
        session = talk(tmp_path, config, both)
        await session.message("begin")
        outcome = await session.message(**AUDIO)
        assert outcome.state is not None
        variables = outcome.state["main"]["variables"]
        assert variables == {"heard": "what is my name", "said": "ID3hello"}

    @pytest.mark.parametrize(
        ("act", "says"),
        [
            (lambda self: transcribe(self.current_files[0]), "set speech.listen in the Bot's config"),
            (lambda self: speak("x"), "set speech.speak in the Bot's config"),
        ],
    )
    async def test_what_is_not_configured_is_told(self, tmp_path, act, says) -> None:
        session = talk(tmp_path, {}, act)
        await session.message("begin")
        outcome = await session.message(**AUDIO)
        assert outcome.error is not None
        assert (outcome.error.kind, says in outcome.error.message) == ("SpeechError", True)

    async def test_a_text_may_be_too_long_to_be_spoken(self, tmp_path, service: Service) -> None:
        session = talk(tmp_path, named(service, "speak"), lambda self: speak("x" * (MAX_SPOKEN_CHARACTERS + 1)))
        await session.message("begin")
        outcome = await session.message("now")
        assert outcome.error is not None
        assert "is not spoken" in outcome.error.message

    def test_outside_of_a_turn_it_is_refused(self) -> None:
        with pytest.raises(SpeechError, match="No turn runs here"):
            speak("x")


@pytest.mark.parametrize(
    "wrong", [{"listen": {"model": "m"}}, {"hear": {}}, {"speak": {"endpoint": "x", "model": "m"}}]
)
def test_what_the_config_cannot_say_is_told(tmp_path, wrong) -> None:
    with pytest.raises(ValueError, match=r"The Bot's config: speech\."):
        talk(tmp_path, {"speech": wrong})


async def test_on_a_replica_the_worker_hears_by_the_config(make_bot: MakeBot, service: Service) -> None:  # noqa: F811
    replica = make_bot(code=echo(), config=named(service, "listen"))
    await replica.start()
    await replica.say("begin")
    await replica.say("", **AUDIO)
    await replica.finished(2)
    assert await replica.texts() == ["1: what is my name"]
