"""The leanest client of a streamed answer, for `benchmarks.streaming`: it runs in the worker as a bundle does."""

import json
import os
import socket
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

END = b"0\r\n\r\n"
_READ = 1 << 18


class Reader:
    """One connection that is kept open.

    Args:
        url: Base URL of an endpoint that speaks the OpenAI protocol.
        key: What it is given.
    """

    def __init__(self, url: str, key: str) -> None:
        at = urlsplit(url)
        self._host, self._path, self._key = f"{at.hostname}:{at.port}", at.path, key
        self._socket = socket.create_connection((str(at.hostname), int(at.port or 80)), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, words: str) -> tuple[float, int]:
        """Return the seconds until the first piece of the answer came, and how many came."""
        message = {"role": "user", "content": words}
        body = json.dumps({"model": "gpt", "stream": True, "max_tokens": 20_000, "messages": [message]}).encode()
        head = (
            f"POST {self._path}/chat/completions HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {self._key}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        started = time.perf_counter()
        self._socket.sendall(head.encode() + body)
        first, pieces, last = 0.0, 0, b""
        while not last.endswith(END):
            chunk = self._socket.recv(_READ)
            assert chunk, "the endpoint closed the connection"
            if pieces == 0:
                assert b"HTTP/1.1 200" in chunk or last, chunk
            pieces += chunk.count(b"data: {")
            first = first or (time.perf_counter() - started if pieces else 0.0)
            last = (last + chunk)[-len(END) :]
        return first, pieces

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def measure(stub: str, name: str, *, firsts: int, at_once: int) -> str:
    """Return one round's figures as JSON.

    Args:
        stub: Base URL of the provider's stub.
        name: Of the round; no request is repeated.
        firsts: Short answers on either side.
        at_once: Long answers that are streamed side by side.
    """
    sides: dict[str, Callable[[], Reader]] = {
        "direct": lambda: Reader(stub, "any"),
        "metered": lambda: Reader(os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]),
    }
    readers = {side: [make() for _ in range(at_once)] for side, make in sides.items()}
    waits: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(firsts):
        for side, (reader, *_) in readers.items():
            waits[side].append(reader.ask(f"short {name} {number}")[0] * 1000)
    figures = {"first_piece_ms": {side: statistics.median(each) for side, each in waits.items()}}
    figures["first_piece_quickest_ms"] = {side: min(each) for side, each in waits.items()}
    for count, what in ((1, "one"), (at_once, str(at_once))):
        rates = {}
        for side, connections in readers.items():

            def read(number: int, connections: list[Reader] = connections, count: int = count) -> int:
                return connections[number].ask(f"long {name} {count} {number}")[1]

            started = time.perf_counter()
            with ThreadPoolExecutor(count) as threads:
                pieces = sum(threads.map(read, range(count)))
            rates[side] = pieces / (time.perf_counter() - started)
        figures[f"pieces_per_second_of_{what}"] = rates
    for connections in readers.values():
        for reader in connections:
            reader.close()
    return json.dumps(figures)
