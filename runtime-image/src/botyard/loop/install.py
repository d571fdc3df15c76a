"""What a bundle's install function declares: experts, schedules, setup, budgets.

On the existing system that function registers the bot in a marketplace. Here it runs once when the bundle is loaded
or inspected, and what it would register is what the platform learns of the bot.
"""

import asyncio
import contextvars
import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from botyard.loop import setup, skills
from botyard.loop.declaration import BotDeclaration

log = logging.getLogger("botyard.loop.install")

DEFAULT = "default"
"""The expert that answers where none is named."""


@dataclass(init=False)
class FMarketplaceExpertInput:
    """An expert: one way in which a bot talks to a model.

    Attributes:
        fexp_system_prompt: What the model is told first.
        fexp_python_kernel: Small Starlark program that looks at the thread before each call of the model.
        fexp_block_tools: Patterns of tools that it may not call, separated by commas.
        fexp_allow_tools: Patterns of those that it may; empty allows all.
        fexp_description: What it is for.
        fexp_model_class: The role of `spec.model.roles` that answers for it, where there is one of that name.
        fexp_inactivity_timeout: Kept, without effect: an idle thread costs nothing.
    """

    fexp_system_prompt: str = ""
    fexp_python_kernel: str = ""
    fexp_block_tools: str = ""
    fexp_allow_tools: str = ""
    fexp_description: str = ""
    fexp_app_capture_tools: str = ""
    fexp_inactivity_timeout: int = 0
    fexp_nature: str = ""
    fexp_model_class: str = ""
    fexp_builtin_skills: str = "[]"
    fexp_preferred_model_default: str = ""
    fexp_subchat_only: bool = False

    def __init__(self, *positional: Any, **given: Any) -> None:
        """Take what a bot says of an expert; options of other releases of the kit (`fexp_…`) have no effect.

        Raises:
            TypeError: An argument is none of an expert.
        """
        for value, item in zip(positional, fields(self), strict=False):
            if item.name in given:
                raise TypeError(f"an expert is given {item.name} twice")
            given[item.name] = value
        for item in fields(self):
            setattr(self, item.name, given.pop(item.name, item.default))
        if strange := sorted(name for name in given if not name.startswith("fexp_")):
            raise TypeError(f"an expert has no {', '.join(strange)}")
        if given:
            log.info("an expert's %s have no effect", ", ".join(sorted(given)))

    def allows(self, tool: str) -> bool:
        """Tell whether the expert may call the tool of that name."""
        if any(fnmatchcase(tool, pattern) for pattern in _patterns(self.fexp_block_tools)):
            return False
        allowed = _patterns(self.fexp_allow_tools)
        return not allowed or any(fnmatchcase(tool, pattern) for pattern in allowed)

    def prompt(self) -> str:
        """Return what the model is told first: the prompt, and the skills that it may read."""
        told = skills.overview(_skills(self.fexp_builtin_skills))
        return f"{self.fexp_system_prompt}\n\n{told}" if told and self.fexp_system_prompt else self.fexp_system_prompt

    def filter_tools(self, tools: Sequence[Any], *more: Any) -> "FMarketplaceExpertInput":
        """Return this expert, told which of `tools` it declares; kept for install functions that say so."""
        self.fexp_app_capture_tools = ",".join(getattr(tool, "name", str(tool)) for tool in tools)
        return self


@dataclass
class Installation:
    """What an install function declared.

    Attributes:
        experts: By name; there is always a `default` one.
        schedules: `{sched_type, sched_when, sched_first_question, sched_fexp_name}` as the bundle wrote them.
        setup_schema: See `botyard.loop.setup`.
        daily_budget: Coins that a Persona may spend a day where it says nothing; 0: nothing is declared.
        task_budget: The same for a task.
        max_in_progress: Tasks in progress at once where the Persona says nothing.
        problem: Why the install function could not be run; empty when it could.
    """

    experts: dict[str, FMarketplaceExpertInput] = field(default_factory=lambda: {DEFAULT: FMarketplaceExpertInput()})
    schedules: list[dict[str, Any]] = field(default_factory=list)
    setup_schema: list[dict[str, Any]] = field(default_factory=list)
    daily_budget: int = 0
    task_budget: int = 0
    max_in_progress: int = 0
    problem: str = ""


@dataclass
class UpsertedBot:
    """What an install function gets back."""

    marketable_name: str
    marketable_version: int


_recorder: contextvars.ContextVar[Installation | None] = contextvars.ContextVar("botyard_loop_install", default=None)


def record(declared: Mapping[str, Any]) -> None:
    """Take what an install function declares, by the argument names of `marketplace_upsert_dev_bot`.

    Raises:
        ValueError: There is no expert, no default one, or the setup schema is not sound.
    """
    installation = _recorder.get()
    if installation is None:
        return
    experts = _experts(declared.get("marketable_experts") or ())
    if DEFAULT not in experts:
        raise ValueError(f"an expert named {DEFAULT!r} is required; declared are {', '.join(experts) or 'none'}")
    schema = list(declared.get("marketable_setup_default") or ())
    setup.parse_schema(schema)
    installation.experts = experts
    installation.setup_schema = [dict(item) for item in schema]
    installation.schedules = [dict(item) for item in declared.get("marketable_schedule") or ()]
    installation.daily_budget = _coins(declared, "marketable_daily_budget_default")
    installation.task_budget = _coins(declared, "marketable_default_inbox_default")
    installation.max_in_progress = _coins(declared, "marketable_max_inprogress")


def installation_of(declaration: BotDeclaration) -> Installation:
    """Run a bundle's install function and return what it declared; never raises for what the bundle does.

    The document's form is `(fclient, name, version, tools)`, later code has `(fclient)`; it may be asynchronous.
    """
    if declaration.install is None:
        return Installation(problem="the bundle gives no install_func")
    installation = Installation()
    context = contextvars.copy_context()
    try:
        # In a thread of its own: functions that are asynchronous need a loop, and here one may run already.
        with ThreadPoolExecutor(1, "install") as thread:
            thread.submit(context.run, _run, declaration, installation).result()
    except (Exception, SystemExit) as error:
        log.warning("the install function failed; experts and schedules are unknown", exc_info=error)
        return Installation(problem=f"{type(error).__name__}: {error}")
    return installation


def _run(declaration: BotDeclaration, installation: Installation) -> None:
    assert declaration.install is not None
    _recorder.set(installation)
    arguments = (declaration.client, declaration.name, declaration.version, list(declaration.tools))
    wanted = [
        parameter
        for parameter in inspect.signature(declaration.install).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and (parameter.default is parameter.empty)
    ]
    returned = declaration.install(*arguments[: max(1, min(len(wanted), 4))])
    if inspect.iscoroutine(returned):
        asyncio.run(returned)


def _experts(declared: Sequence[Any]) -> dict[str, FMarketplaceExpertInput]:
    """Return experts by name; declared as pairs of name and expert, and the name may carry the bot's as a prefix."""
    experts = {}
    for item in declared:
        name, expert = item
        if not isinstance(expert, FMarketplaceExpertInput):
            raise ValueError(f"expert {name!r} is {type(expert).__name__}, not FMarketplaceExpertInput")
        experts[str(name)] = expert
    return experts


def _skills(declared: str) -> list[tuple[str, str]]:
    """Return names and descriptions of skills from `[{name, description}]` as JSON text."""
    try:
        listed = json.loads(declared or "[]")
    except ValueError:
        return []
    entries = listed if isinstance(listed, list) else []
    return [(str(skill["name"]), str(skill.get("description", ""))) for skill in entries if isinstance(skill, dict)]


def _coins(declared: Mapping[str, Any], key: str) -> int:
    value = declared.get(key) or 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{key} is {value!r}, not a whole number of at least 0")
    return value


def _patterns(text: str) -> list[str]:
    return [pattern.strip() for pattern in text.split(",") if pattern.strip()]
