"""Which schedules a Persona has, what of them is planned, and what was missed. Pure.

One timer waits for each schedule, for the moment that its plan names. A timer of another moment belongs to an older
plan and means nothing, so a schedule that was edited, or that a clock jumped over, is due once and not twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botyard.contract.persona import PersonaConfig, ScheduleConfig
from botyard.loop.install import Installation
from botyard.loop.schedules import TYPES, following, parse, zone_of

OWN = "own-"
"""Before the names of schedules that an expert added."""
MAX_OWN = 20
"""Of a Persona: schedules that experts added."""
SHORTEST_MS = 300_000
"""Period of a schedule that an expert adds: each time costs a thread."""
LATE_MS = 60_000
"""What is due so long ago was missed, not a little late."""


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule whose moment has come.

    Attributes:
        schedule: Which.
        at_ms: Its moment.
        missed: It has been over for a while: nobody was there, or a clock jumped over it.
    """

    schedule: ScheduleConfig
    at_ms: int
    missed: bool


@dataclass(frozen=True, slots=True)
class Timer:
    """A schedule's next moment."""

    name: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look brings.

    Attributes:
        kept: The plan to keep, by name.
        timers: Moments for which no timer waits yet.
        due: What is to be done now.
        problems: Schedules that cannot be planned, with the reason, by name.
    """

    kept: dict[str, dict[str, Any]]
    timers: tuple[Timer, ...]
    due: tuple[Due, ...]
    problems: dict[str, str]


def schedules_of(persona: PersonaConfig | None, installation: Installation) -> tuple[ScheduleConfig, ...]:
    """Return a Persona's schedules: its own where it names any (an empty list means none), else its bundle's."""
    if persona is not None and persona.schedules is not None:
        return persona.schedules
    return tuple(
        ScheduleConfig(
            name=f"bundle-{number}",
            type=str(declared.get("sched_type") or ""),
            when=str(declared.get("sched_when") or ""),
            question=str(declared.get("sched_first_question") or ""),
            expert=str(declared.get("sched_fexp_name") or ""),
        )
        for number, declared in enumerate(installation.schedules, start=1)
    )


def with_added(
    own: Mapping[str, Mapping[str, str]], name: str, given: Mapping[str, Any] | None
) -> dict[str, dict[str, str]]:
    """Return the schedules that experts added, with another one as far as there is room; None: without it."""
    changed = {each: dict(what) for each, what in own.items() if each != name}
    if given is not None and len(changed) < MAX_OWN:
        changed[name] = {part: str(given.get(part) or "") for part in ("type", "when", "question")}
    return changed


def added(own: Mapping[str, Mapping[str, str]]) -> tuple[ScheduleConfig, ...]:
    """Return the schedules that experts added; their names begin with `OWN`."""
    return tuple(ScheduleConfig(name=OWN + name, **what) for name, what in own.items())


def look(
    declared: Sequence[ScheduleConfig],
    kept: Mapping[str, Mapping[str, Any]],
    *,
    now_ms: int,
    zone: str,
    seed: str,
    fired: Timer | None = None,
) -> Plan:
    """Bring a plan up to date.

    Args:
        declared: The Persona's schedules.
        kept: What was planned before.
        now_ms: Milliseconds since the epoch.
        zone: The Persona's time zone.
        seed: Of the Persona: spreads periods.
        fired: The timer that brought this look, if one did.
    """
    plan: dict[str, dict[str, Any]] = {}
    timers, due, problems = [], [], {}
    for schedule in declared:
        try:
            if schedule.type not in TYPES:
                raise ValueError(f"{schedule.type!r} is no type of schedule; types are {', '.join(TYPES)}")
            following_ms = following(parse(schedule.when), now_ms, zone_of(zone), f"{seed}/{schedule.name}")
        except ValueError as error:
            problems[schedule.name] = str(error)
            continue
        before = kept.get(schedule.name) or {}
        planned = int(before.get("at", 0))
        same = (before.get("when"), before.get("zone")) == (schedule.when, zone)
        if same and now_ms < planned <= following_ms:
            if fired is None or fired != Timer(schedule.name, planned):
                plan[schedule.name] = dict(before)
                continue
            # By the clock that fires timers it is time: by this one nearly.
            following_ms = following(parse(schedule.when), planned, zone_of(zone), f"{seed}/{schedule.name}")
            due.append(Due(schedule, planned, missed=False))
        elif same and planned <= now_ms:
            due.append(Due(schedule, planned, missed=now_ms - planned > LATE_MS))
        # Else it is new, it was changed, or the clock was put back far behind what was planned.
        plan[schedule.name] = {"when": schedule.when, "zone": zone, "at": following_ms}
        timers.append(Timer(schedule.name, following_ms))
    return Plan(plan, tuple(timers), tuple(due), problems)
