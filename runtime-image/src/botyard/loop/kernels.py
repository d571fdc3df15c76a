"""Experts' kernels: small Starlark programs that look at a thread before and after each answer of the model.

A kernel reads `messages`, `coins` and `budget`, and may set

    post_cd_instruction   a text that the model reads next
    subchat_result        the result of this thread for the one that waits for it: the thread is done
    error                 the thread ends with this error
    kill_tools            True: the model gets no tools now, and calls that it just made are not made

It runs in a process of its own, which is ended where it exceeds its time or its memory. Source: the facts about the
loop model's kernels.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botyard.loop.threads import FThreadMessageOutput

log = logging.getLogger("botyard.loop.kernels")

SECONDS = 5.0
"""A kernel may take; what does not end is killed."""
STEPS = 10_000_000
"""Instructions."""
DEPTH = 100
"""Calls within each other."""
MAX_SOURCE = 64 * 1024
"""Characters of a kernel."""
MAX_TEXT = 100_000
"""Characters of what it sets."""
MAX_LINE = 64 * 1024 * 1024
OUTPUTS = ("post_cd_instruction", "subchat_result", "error", "kill_tools")


class KernelFailed(Exception):
    """A kernel is no Starlark, fails, or exceeds its limits; the message says where."""


@dataclass(frozen=True)
class KernelResult:
    """What a kernel wants."""

    post_cd_instruction: str = ""
    subchat_result: str | None = None
    error: str = ""
    kill_tools: bool = False


class Kernels:
    """Runs kernels, one at a time, in a child process that is started with the first."""

    def __init__(self, *, seconds: float = SECONDS, steps: int = STEPS) -> None:
        """Prepare.

        Args:
            seconds: That one may take.
            steps: That one may take.
        """
        self._seconds = seconds
        self._steps = steps
        self._child: asyncio.subprocess.Process | None = None
        self._busy = asyncio.Lock()

    async def run(
        self, source: str, messages: Sequence[FThreadMessageOutput], *, coins: int, budget: int
    ) -> KernelResult:
        """Run a kernel.

        Args:
            source: Its text.
            messages: Of the thread, in order.
            coins: What the thread has cost.
            budget: What it may cost; 0: no limit of its own.

        Raises:
            KernelFailed: It is no Starlark, fails, or exceeds its limits.
        """
        if len(source) > MAX_SOURCE:
            raise KernelFailed(f"the kernel has {len(source)} characters; {MAX_SOURCE} are allowed")
        inputs = {"messages": [shown(message) for message in messages], "coins": coins, "budget": budget}
        request = {
            "source": source, "inputs": inputs, "outputs": OUTPUTS, "steps": self._steps, "depth": DEPTH,
        }  # fmt: skip
        async with self._busy:
            answer = await self._ask(request)
        for line in answer.get("printed") or ():
            log.info("kernel: %s", line)
        if (said := answer.get("error")) is not None:
            raise KernelFailed(f"the kernel failed: {said}")
        return _result(answer["values"])

    async def close(self) -> None:
        """End the child process."""
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        child = await self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            async with asyncio.timeout(self._seconds):
                child.stdin.write(json.dumps(request).encode() + b"\n")
                await child.stdin.drain()
                line = await child.stdout.readline()
        except TimeoutError:
            await self.close()
            raise KernelFailed(f"the kernel took more than {self._seconds:g} s") from None
        except (OSError, ValueError):
            line = b""
        except BaseException:
            # An answer that is not waited for must not be taken for the next one's.
            await self.close()
            raise
        if not line:
            await self.close()
            raise KernelFailed("the kernel's process ended: it used too much memory")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "botyard.loop.kernel_child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                limit=MAX_LINE,
                start_new_session=True,
            )
        return self._child


def shown(message: FThreadMessageOutput) -> dict[str, Any]:
    """Return a message as kernels see it: names without the prefix, and those of the kit beside them.

    An answer that only calls tools has an empty content: kernels look for words in it.
    """
    plain = {
        "role": message.ftm_role,
        "content": "" if message.ftm_content is None else message.ftm_content,
        "tool_calls": message.ftm_tool_calls or [],
        "call_id": message.ftm_call_id,
        "num": message.ftm_num,
        "usage": message.ftm_usage,
    }
    return plain | {f"ftm_{name}": value for name, value in plain.items()}


def problem_of(source: str) -> str:
    """Return what is wrong with a kernel's text, for inspection; empty: nothing.

    The text is parsed, not run.
    """
    import starlark

    dialect = starlark.Dialect.extended()
    dialect.enable_f_strings = True
    dialect.enable_load = False
    if len(source) > MAX_SOURCE:
        return f"it has {len(source)} characters; {MAX_SOURCE} are allowed"
    try:
        starlark.parse("kernel", source, dialect)
    except starlark.StarlarkError as error:
        return str(error).strip()[:1000]
    return ""


def _result(values: Mapping[str, Any]) -> KernelResult:
    def text(name: str) -> str:
        value = values.get(name)
        return "" if value is None else (value if isinstance(value, str) else json.dumps(value))[:MAX_TEXT]

    return KernelResult(
        post_cd_instruction=text("post_cd_instruction"),
        subchat_result=None if values.get("subchat_result") is None else text("subchat_result"),
        error=text("error"),
        kill_tools=bool(values.get("kill_tools")),
    )
