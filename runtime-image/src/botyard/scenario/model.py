"""The model of scenarios: a script, for `botyard.model` and for the bundle's own clients."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from botyard.model import ModelCallError
from botyard.models import requests, script
from botyard.models.completions import Collected
from botyard.models.errors import ModelError, NoModel
from botyard.models.requests import Kind
from botyard.models.script_file import ScriptFile
from botyard.models.scripted import ScriptedProvider
from botyard.models.server import OpenAIServer
from botyard.models.stub import StubBackend
from botyard.scenario.document import ScenarioError

SCRIPT = "model-script.yaml"
"""The script of all scenarios of a folder; with a scenario file's name and a dot before it, of that file alone."""
_ADDRESSES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_KEY = "OPENAI_API_KEY"


def is_script(file: Path) -> bool:
    """Tell whether a file among the scenarios is a model script."""
    return file.name == SCRIPT or file.name.endswith(f".{SCRIPT}")


def script_beside(file: Path) -> Path | None:
    """Return the model script that belongs to a scenario file, if there is one."""
    beside = (file.with_name(f"{file.stem}.{SCRIPT}"), file.with_name(SCRIPT))
    return next((path for path in beside if path.is_file()), None)


def _mentions(body: Mapping[str, Any], text: str) -> bool:
    return any(message.get("role") == "user" and message.get("content") == text for message in body["messages"])


class ScenarioModel:
    """Answers by the script of the scenario that runs."""

    def __init__(self) -> None:
        self._source: ScriptFile | None = None
        self._provider = ScriptedProvider(self._script)
        self._replay: deque[dict[str, Any]] = deque()
        self._replayed = ""

    def use(self, path: Path | None) -> None:
        """Answer by another script from now on; None: the scenario has no model.

        Raises:
            ScenarioError: The file is no model script.
        """
        self._source = None if path is None else ScriptFile(path)
        try:
            if self._source is not None:
                self._source.load()
        except OSError as error:
            raise ScenarioError(f"{path} cannot be read: {error.strerror}") from None
        except script.ScriptError as error:
            raise ScenarioError(f"{path} is no model script: {error}") from None

    def replay(self, answers: Sequence[Mapping[str, Any]], conversation: str) -> None:
        """Say these things, one after the other, in the conversation of that text; no script is asked there.

        Args:
            answers: Messages of an assistant.
            conversation: A text by which its calls are known, such as what the user says first; empty: replay nothing.
        """
        self._replay = deque(dict(answer) for answer in answers)
        self._replayed = conversation

    def _script(self) -> script.Script:
        if self._source is None:
            raise NoModel(f"the scenario has no model: write {SCRIPT} beside it, or give --model-script")
        return self._source.current()

    async def ask(
        self, kind: str, body: dict[str, Any], on_event: Callable[[dict[str, Any]], None] | None
    ) -> dict[str, Any]:
        """Answer a call of `botyard.model`.

        Raises:
            ModelCallError: It was refused.
        """
        if self._replayed and _mentions(body, self._replayed):
            if not self._replay:
                raise ModelCallError("the scenario's file has no further answer of the assistant", "bad_request")
            return {"choices": [{"index": 0, "message": self._replay.popleft()}], "usage": {}, "model": "replay"}
        try:
            request = requests.checked(cast("Kind", kind), body)
            if on_event is None:
                return await self._provider.ask(cast("Kind", kind), request)
            collected = Collected()
            async for events in self._provider.stream(request):
                for event in events:
                    collected.add(event)
                    on_event(event)
            return collected.completion()
        except ModelError as error:
            raise ModelCallError(str(error), error.code) from error

    @property
    def has_script(self) -> bool:
        """Whether a script is in use."""
        return self._source is not None

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Lead clients of the OpenAI protocol here, on a thread of its own: the bundle's code may block."""
        ready, stop = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()
        server = OpenAIServer(lambda headers: StubBackend(self._provider, "scripted"))

        async def serve() -> None:
            await server.start("127.0.0.1", 0)
            ready.set()
            await stop.wait()
            await server.close()

        def run() -> None:
            try:
                loop.run_until_complete(serve())
            finally:
                ready.set()
                loop.close()

        thread = threading.Thread(target=run, name="scenario-model", daemon=True)
        before = {name: os.environ.get(name) for name in (*_ADDRESSES, _KEY)}
        thread.start()
        ready.wait()
        if not server.port:
            raise ScenarioError("the model of the scenarios finds no free port on 127.0.0.1")
        os.environ |= dict.fromkeys(_ADDRESSES, f"http://127.0.0.1:{server.port}/v1") | {_KEY: "scenario"}
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            if thread.is_alive():
                loop.call_soon_threadsafe(stop.set)
                thread.join(5.0)
