"""`botyard model-stub`: the scripted model over the OpenAI protocol, for whatever wants to talk to a model offline."""

import argparse
import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from botyard.models import requests, script
from botyard.models.requests import Kind
from botyard.models.script_file import ScriptFile
from botyard.models.scripted import ScriptedProvider
from botyard.models.server import OpenAIServer

log = logging.getLogger("botyard.models")

EXIT_USAGE = 2


class StubBackend:
    """Answers by the script, whoever asks."""

    def __init__(self, provider: ScriptedProvider, name: str) -> None:
        self._provider = provider
        self._name = name

    def names(self) -> list[str]:
        """Return the one model."""
        return [self._name]

    async def ask(self, kind: Kind, body: Any) -> dict[str, Any]:
        """Return a whole answer."""
        return await self._provider.ask(kind, requests.checked(kind, body))

    async def stream(self, body: Any) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield an answer's pieces."""
        async for pieces in self._provider.stream(requests.checked("chat", body)):
            yield pieces


async def _serve(provider: ScriptedProvider, options: argparse.Namespace) -> None:
    backend = StubBackend(provider, options.name)
    server = OpenAIServer(lambda headers: backend)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start(options.host, options.port)
    print(f"OPENAI_BASE_URL=http://{options.host}:{server.port}/v1", flush=True)
    await stop.wait()
    await server.close()


def run(argv: Sequence[str]) -> int:
    """Serve a script until Ctrl-C.

    Args:
        argv: Command line.

    Returns:
        0, or 2 when the script or the address cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="botyard model-stub",
        description="Serve the scripted model over the OpenAI protocol. The script is read again when it changes; any "
        "key and any model name are accepted.",
    )
    parser.add_argument("--script", type=Path, required=True, metavar="FILE", help="the model script (YAML)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="port; 0 takes a free one (%(default)s)")
    parser.add_argument("--name", default="scripted", help="what answers say the model is (%(default)s)")
    options = parser.parse_args(argv)
    try:
        source = ScriptFile(options.script)
        source.load()
        provider = ScriptedProvider(source.current, name=options.name)
        asyncio.run(_serve(provider, options))
    except (OSError, OverflowError, script.ScriptError) as error:
        parser.exit(EXIT_USAGE, f"botyard: model-stub: {error}\n")
    return 0
