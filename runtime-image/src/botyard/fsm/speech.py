"""Speech: what users say becomes text, and answers are spoken, by a service that the Bot's config names.

Off unless the Bot's config says `speech: {listen: {…}, speak: {…}}`; without it, audio reaches a bot as bytes. A
service speaks the audio part of the OpenAI protocol: `POST …/audio/transcriptions` and `POST …/audio/speech`.
"""

import asyncio
import base64
import contextvars
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from botyard.fsm.errors import FsmError
from botyard.fsm.files import ReceivedFile
from botyard.fsm.messages.neutral import MESSAGE
from botyard.program import Output, TurnIO

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 60.0
MAX_SPOKEN_CHARACTERS = 4_096
"""Of one text; what is longer is said to be too long."""
MAX_AUDIO_BYTES = 2 * 1024 * 1024
"""Of one spoken text: it is kept in the turn's journal and travels in a message."""


_SAID = ("text", "buttons", "list")
"""Kinds of messages whose text is said."""


class SpeechError(FsmError):
    """Speech is not configured, or its service did not do what it was asked."""


class Service(BaseModel):
    """A service for speech."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = Field(pattern=r"^https?://\S+$")
    """Address up to the version, such as `https://speech.example.com/v1`."""
    model: str
    credential: str = ""
    """Name of the Bot's credential with its key; empty: none is sent."""
    voice: str = "alloy"
    """Who speaks; for `speak` only."""


class Speech(BaseModel):
    """`speech` of the Bot's config."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: Service | None = None
    """Turns audio of users into text, before the bot gets it."""
    speak: Service | None = None
    """Says the texts of an answer to somebody who spoke."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Speech":
        """Return what a Bot's config says.

        Raises:
            ValueError: It says something else than this.
        """
        try:
            return cls.model_validate(config.get("speech") or {})
        except ValidationError as error:
            item = error.errors(include_url=False)[0]
            where = ".".join(("speech", *map(str, item["loc"])))
            raise ValueError(f"The Bot's config: {where}: {item['msg']}") from None


@dataclass(frozen=True, slots=True)
class Voice:
    """Speech of one turn. What was said or heard once is kept with the turn's steps and not paid again."""

    speech: Speech
    credentials: Mapping[str, str]
    io: TurnIO
    loop: asyncio.AbstractEventLoop

    async def transcribe(self, name: str, mime_type: str, content: bytes, language: str = "") -> str:
        """Return what is said in an audio file.

        Raises:
            SpeechError: `speech.listen` is not configured, or its service failed.
        """
        service = self.speech.listen
        if service is None:
            raise SpeechError("Audio cannot be turned into text: set speech.listen in the Bot's config.")
        fields = {"model": service.model, "response_format": "json", **({"language": language} if language else {})}
        request = {"sha256": sha256(content).hexdigest(), **fields}

        async def ask(_: str) -> str:
            files = {"file": (name, content, mime_type or "application/octet-stream")}
            answer = await self._post(service, "audio/transcriptions", data=fields, files=files)
            try:
                return str(answer.json()["text"])
            except (ValueError, KeyError, TypeError):
                raise SpeechError("The service of speech.listen answered without a text.") from None

        return str(await self.io.step("speech:listen", request, ask))

    async def speak(self, text: str) -> bytes:
        """Return a text as audio (MP3).

        Raises:
            SpeechError: `speech.speak` is not configured, or its service failed.
        """
        service = self.speech.speak
        if service is None:
            raise SpeechError("Texts cannot be spoken: set speech.speak in the Bot's config.")
        if len(text) > MAX_SPOKEN_CHARACTERS:
            raise SpeechError(f"A text of {len(text)} characters is not spoken: {MAX_SPOKEN_CHARACTERS} at most.")
        request = {"model": service.model, "voice": service.voice, "input": text, "response_format": "mp3"}

        async def ask(_: str) -> str:
            answer = await self._post(service, "audio/speech", json=request)
            if len(answer.content) > MAX_AUDIO_BYTES:
                raise SpeechError(f"The service of speech.speak answered with more than {MAX_AUDIO_BYTES} bytes.")
            return base64.b64encode(answer.content).decode("ascii")

        return base64.b64decode(str(await self.io.step("speech:speak", request, ask)))

    async def _post(self, service: Service, path: str, **content: Any) -> "httpx.Response":
        # On demand: few bots speak, and each of their workers would hold a client's memory.
        import httpx

        headers = {}
        if service.credential:
            key = self.credentials.get(service.credential)
            if not key:
                raise SpeechError(f"The Bot has no credential {service.credential!r}, which its speech config names.")
            headers["Authorization"] = f"Bearer {key}"
        url = f"{service.endpoint.rstrip('/')}/{path}"
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
                answer = await client.post(url, headers=headers, **content)
        except (httpx.HTTPError, OSError) as error:
            raise SpeechError(f"The service for speech at {service.endpoint} does not answer: {error!r}") from error
        if answer.status_code != httpx.codes.OK:
            raise SpeechError(
                f"The service for speech at {service.endpoint} answers {answer.status_code}: {answer.text[:200]}"
            )
        return answer


async def spoken(outputs: Sequence[Output], voice: Voice) -> tuple[Output, ...]:
    """Return a turn's outputs with each text followed by itself as audio; what is marked verbatim is not said.

    Raises:
        SpeechError: See `Voice.speak`.
    """
    said: list[Output] = []
    for output in outputs:
        said.append(output)
        text = str(output.data.get("text") or "")
        if output.type != MESSAGE or output.data.get("kind") not in _SAID or output.data.get("verbatim"):
            continue
        if text.strip():
            content = await voice.speak(text)
            media = {"name": "answer.mp3", "mime_type": "audio/mpeg", "size": len(content)}
            encoded = base64.b64encode(content).decode("ascii")
            data = {"kind": "audio", "text": "", "media": {**media, "content": encoded}}
            said.append(output.model_copy(update={"data": data}))
    return tuple(said)


_voice: contextvars.ContextVar[Voice | None] = contextvars.ContextVar("botyard_voice", default=None)


def bind(voice: Voice) -> None:
    """Make a turn's speech the one that the code in this context uses."""
    _voice.set(voice)


def transcribe(file: ReceivedFile, language: str = "") -> str:
    """Return what is said in a file of `current_files`; for states.

    Raises:
        SpeechError: See `Voice.transcribe`.
    """
    voice = _bound()
    asked = voice.transcribe(file.name, file.mime_type, file.content, language)
    return asyncio.run_coroutine_threadsafe(asked, voice.loop).result()


def speak(text: str) -> bytes:
    """Return a text as audio (MP3); for states.

    Raises:
        SpeechError: See `Voice.speak`.
    """
    voice = _bound()
    return asyncio.run_coroutine_threadsafe(voice.speak(text), voice.loop).result()


def _bound() -> Voice:
    voice = _voice.get()
    if voice is None:
        raise SpeechError("No turn runs here: call it from a state.")
    return voice
