"""What a bundle says about its bot: collected while its own start-up code runs.

A loop bundle is a program: its `main` makes a client and hands its loop and tools to `run_bots_in_this_group`. Under
Botyard that call declares the bot to whoever loads the bundle, and `main` ends there: which Personas there are, and
where their loops run, is the platform's business.
"""

import contextvars
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botyard.loop.arguments import run_scenario_instead
from botyard.loop.context import Dialect, RobotContext
from botyard.loop.tools import CloudTool, duplicates

MainLoop = Callable[[Any, RobotContext], Awaitable[None]]


@dataclass(frozen=True)
class BotDeclaration:
    """A loop bot as its bundle declares it.

    Attributes:
        name: What the bundle calls its bot.
        version: `1.2.3`, or empty.
        main_loop: The loop of one Persona: `(fclient, rcx)`.
        tools: What it offers to the model itself.
        install: What the bundle would do to install itself: experts, schedules and setup are learned from it.
        erp_tables: Tables whose changes it wants.
        dialect: In which order handlers get rows; passing a version means the document's.
        client: What the bundle's `main` made.
    """

    name: str
    version: str
    main_loop: MainLoop
    tools: tuple[CloudTool, ...]
    install: Callable[..., Any] | None
    erp_tables: tuple[str, ...]
    dialect: Dialect
    client: Any


class Declared(BaseException):
    """Ends a bundle's `main` once it has declared its bot. Not an `Exception`: bundles catch those."""


class DeclarationError(ValueError):
    """What the bundle declares cannot be; the message says what to change."""


Recorder = list[BotDeclaration]
_recorder: contextvars.ContextVar[Recorder | None] = contextvars.ContextVar("botyard_loop_recorder", default=None)


def recording(recorder: Recorder) -> contextvars.Token[Recorder | None]:
    """Collect what this context's code declares in `recorder`; give the token to `recorded`."""
    return _recorder.set(recorder)


def recorded(token: contextvars.Token[Recorder | None]) -> None:
    """Collect nothing any more."""
    _recorder.reset(token)


async def run_bots_in_this_group(
    fclient: Any,
    *,
    bot_main_loop: MainLoop,
    inprocess_tools: Sequence[CloudTool],
    marketable_name: str | None = None,
    marketable_version_str: str | None = None,
    scenario_fn: str | None = None,
    install_func: Callable[..., Any] | None = None,
    subscribe_to_erp_tables: Sequence[str] = (),
) -> None:
    """Declare the bot of a bundle.

    Args:
        fclient: The bundle's client.
        bot_main_loop: The loop of one Persona.
        inprocess_tools: Tools with handlers in that loop.
        marketable_name: Name of the bot, in the document's dialect; later code has it in the client's service name.
        marketable_version_str: Its version; giving it means the document's dialect.
        scenario_fn: Scenario that the command line named: a program started by itself runs it and ends.
        install_func: Declares experts, schedules and setup.
        subscribe_to_erp_tables: Tables whose changes the bot wants.

    Raises:
        DeclarationError: Two tools share a name, or a strict tool's schema is not strict.
        RuntimeError: The bundle was started by itself, not by Botyard.
    """
    recorder = _recorder.get()
    if recorder is None and scenario_fn:
        run_scenario_instead(scenario_fn)
    if recorder is None:
        raise RuntimeError("Nobody runs this bot: start it with `botyard dev FOLDER`, or declare a Bundle and a Bot.")
    tools = tuple(inprocess_tools)
    if shared := duplicates(tools):
        raise DeclarationError(f"several tools are named {', '.join(shared)}")
    for tool in tools:
        try:
            tool.openai_style_tool()
        except ValueError as error:
            raise DeclarationError(str(error)) from error
    name, version = _name_and_version(fclient)
    recorder.append(
        BotDeclaration(
            name=marketable_name or name,
            version=marketable_version_str or version,
            main_loop=bot_main_loop,
            tools=tools,
            install=install_func,
            erp_tables=tuple(subscribe_to_erp_tables),
            dialect="document" if marketable_version_str is not None else "code",
            client=fclient,
        )
    )
    raise Declared


def _name_and_version(client: Any) -> tuple[str, str]:
    """Return what a service name such as `clerk_100020003` says: the name, and 1.2.3."""
    name, _, number = str(getattr(client, "service_name", "")).rpartition("_")
    if not name or not number.isdigit():
        return str(getattr(client, "service_name", "")), ""
    return name, version_string(int(number))


def version_number(version: str) -> int:
    """Return `a.b.c` as one number, a·10⁸ + b·10⁴ + c.

    Raises:
        ValueError: It is not three numbers below 10,000.
    """
    parts = version.strip().split(".")
    if len(parts) != 3 or not all(part.isdigit() and len(part) <= 4 for part in parts):
        raise ValueError(f"{version!r} is no version of the form 1.2.3")
    major, minor, patch = map(int, parts)
    return major * 10**8 + minor * 10**4 + patch


def version_string(number: int) -> str:
    """Return the version of such a number."""
    return f"{number // 10**8}.{number // 10**4 % 10**4}.{number % 10**4}"
