"""What can be said about a machine without running it: its parts, its faults, its diagram."""

import re
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from botyard.fsm.machine import AbstractFSM
from botyard.fsm.structure import INITIAL, Structure, state_name
from botyard.fsm.variables import declared_model

Severity = Literal["error", "warning"]
_TRIGGER = "next"

FIXES = {
    "EndlessLoop": "End one of these states with a waiting status, or give a transition out of them a condition.",
    "InvalidDeclaration": "Write `states` and `transitions` as the documentation of the library transitions shows.",
    "MayBeStuck": "Add a last transition out of {0!r} without conditions.",
    "MissingHandler": "Define on_enter_{0}(self) in the bot's class, or take {0!r} out of `states`.",
    "NoExit": "Add a transition with this source, or end on_enter_{0}() with Status.END.",
    "NoStart": "Add a transition with the source 'zero' to the first state.",
    "ShadowedTransition": "Declare the transition without conditions last.",
    "UnfinishedState": "Set MOVE_FORWARD, WAIT_FOR_USER_INPUT, WAIT_FOR_CALLBACK or END as the last line of "
    "on_enter_{0}().",
    "UnknownCondition": "Define {0}(self) in the bot's class; it returns True or False.",
    "UnknownState": "Add {0!r} to `states`, or correct the transition.",
    "UnreachableState": "Add a transition to {0!r}, or take it out of `states`.",
}
"""What to do about each kind of fault; `{0}` is the subject."""
_WAITING = frozenset({"WAIT_FOR_USER_INPUT", "WAIT_FOR_CALLBACK", "WAIT_FOR_PLUGIN", "END"})
_FINISHING = _WAITING | {"MOVE_FORWARD"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or looks so."""

    severity: Severity
    code: str
    """What kind of fault: one of the keys of `FIXES`."""
    subject: str
    """The state, condition or transition at fault."""
    message: str

    @property
    def fix(self) -> str:
        """What to do."""
        return FIXES[self.code].format(self.subject)


@dataclass(frozen=True, slots=True)
class Edge:
    """One transition between two states."""

    source: str
    dest: str | None
    """None for an internal transition."""
    trigger: str
    conditions: tuple[str, ...] = ()
    """Names in their order; those of `unless` begin with "!"."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A machine's description."""

    name: str
    states: tuple[str, ...]
    edges: tuple[Edge, ...]
    variables: tuple[str, ...] | None
    """Declared variables; None where they are a dict."""
    plugins: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    @property
    def sound(self) -> bool:
        """Tell whether there is no error among the findings."""
        return not any(finding.severity == "error" for finding in self.findings)

    def diagram(self) -> str:
        """Return the machine as a Mermaid state diagram."""
        return mermaid(self)


def inspect_machine(bot: type[AbstractFSM], machine: AbstractFSM | None = None) -> Inspection:
    """Describe a bot.

    Args:
        bot: Its class.
        machine: An instance, for bots whose constructor adds states or plugins.
    """
    states = machine.states if machine is not None else bot.states
    transitions = machine.transitions if machine is not None else bot.transitions
    holder: Any = machine if machine is not None else bot
    model = declared_model(bot.variable_names)
    names = tuple(dict.fromkeys(state_name(state) for state in states))
    plugins = tuple(getattr(machine, "plugins", {}) or ())
    described = {"name": bot.__name__, "variables": tuple(model.model_fields) if model else None, "plugins": plugins}
    try:
        structure = Structure(states, transitions, lambda name: callable(getattr(bot, name, None)))
    except Exception as error:
        finding = Finding("error", "InvalidDeclaration", bot.__name__, str(error))
        return Inspection(**described, states=names, edges=(), findings=(finding,))  # type: ignore[arg-type]
    edges = tuple(_edges(structure))
    findings = tuple(_findings(holder, names, edges, states))
    return Inspection(**described, states=names, edges=edges, findings=findings)  # type: ignore[arg-type]


def _edges(structure: Structure) -> Iterator[Edge]:
    for name, event in structure.events.items():
        if name.startswith("to_") and name[3:] in structure.states:
            continue
        for transitions in event.transitions.values():
            for transition in transitions:
                conditions = tuple(
                    ("" if condition.target else "!") + _text(condition.func) for condition in transition.conditions
                )
                yield Edge(transition.source, transition.dest, name, conditions)


def _text(func: Any) -> str:
    return func if isinstance(func, str) else getattr(func, "__name__", repr(func))


def _findings(holder: Any, names: tuple[str, ...], edges: tuple[Edge, ...], declared: list[Any]) -> Iterator[Finding]:
    known = {*names, INITIAL}
    yield from _unknown_parts(holder, known, edges)
    for state in declared:
        name = state_name(state)
        handled = isinstance(state, dict) and state.get("on_enter")
        if name != INITIAL and not handled and not callable(getattr(holder, f"on_enter_{name}", None)):
            yield Finding("error", "MissingHandler", name, f"State {name!r} has no method on_enter_{name}().")
    leaving = {name: [e for e in edges if e.source == name and e.trigger == _TRIGGER] for name in (INITIAL, *names)}
    if not leaving[INITIAL]:
        yield Finding("error", "NoStart", INITIAL, f"No transition leaves {INITIAL!r}: the machine cannot start.")
    for name in names:
        yield from _state_findings(holder, name, leaving[name])
    yield from _endless_loops(holder, leaving)
    reached = _reachable(holder, known, edges)
    for name in names:
        if name not in reached:
            yield Finding("warning", "UnreachableState", name, f"State {name!r} cannot be reached from {INITIAL!r}.")


def _unknown_parts(holder: Any, known: set[str], edges: tuple[Edge, ...]) -> Iterator[Finding]:
    seen: set[str] = set()
    for edge in edges:
        for name in (edge.source, edge.dest):
            if name is not None and name not in known and name not in seen:
                seen.add(name)
                yield Finding(
                    "error", "UnknownState", name, f"A transition names the state {name!r}, which is not declared."
                )
        for condition in edge.conditions:
            method = condition.removeprefix("!")
            if method.isidentifier() and method not in seen and not hasattr(holder, method):
                seen.add(method)
                yield Finding(
                    "error",
                    "UnknownCondition",
                    method,
                    f"The transition {edge.source!r} -> {edge.dest!r} has the condition {method!r}; "
                    f"there is no method {method}().",
                )


def _state_findings(holder: Any, name: str, leaving: list[Edge]) -> Iterator[Finding]:
    used = _reached_names(holder, f"on_enter_{name}")
    if "WAIT_FOR_ME" in used and not used & (_FINISHING | {"run_plugin"}) and not _ends_itself(used):
        yield Finding(
            "warning", "UnfinishedState", name, f"on_enter_{name}() seems to leave Status.WAIT_FOR_ME behind."
        )
    if not leaving and name not in (INITIAL, "end") and not _ends_itself(used):
        yield Finding(
            "error", "NoExit", name, f"No transition leaves state {name!r}, and it does not end with Status.END."
        )
    for position, edge in enumerate(leaving):
        if not edge.conditions and position < len(leaving) - 1:
            yield Finding(
                "warning",
                "ShadowedTransition",
                name,
                f"The transition {name!r} -> {edge.dest!r} has no condition, so those declared after it never happen.",
            )
            break
    conditions = [edge.conditions for edge in leaving]
    if leaving and all(conditions) and not _complementary(conditions):
        yield Finding(
            "warning",
            "MayBeStuck",
            name,
            f"All transitions out of {name!r} have conditions; if none holds, the turn fails.",
        )


def _endless_loops(holder: Any, leaving: dict[str, list[Edge]]) -> Iterator[Finding]:
    """Find cycles of states that never wait, each left by one way alone."""
    follows: dict[str, str] = {}
    for name, edges in leaving.items():
        if edges and not edges[0].conditions and edges[0].dest is not None and name != INITIAL:
            used = _reached_names(holder, f"on_enter_{name}")
            if not used & _WAITING and not _ends_itself(used):
                follows[name] = edges[0].dest
    told: set[str] = set()
    for start in follows:
        path = [start]
        while (then := follows.get(path[-1])) is not None and then not in path:
            path.append(then)
        if then == start and start not in told:
            told.update(path)
            round_trip = " -> ".join([*path, start])
            yield Finding("error", "EndlessLoop", start, f"The states {round_trip} follow each other without waiting.")


def _reached_names(holder: Any, method: str) -> set[str]:
    """Return the names that a method uses, and those that the machine's methods it calls use."""
    names: set[str] = set()
    todo = [method]
    while todo:
        for name in _names_used(getattr(holder, todo.pop(), None)):
            if name not in names:
                names.add(name)
                if not name.startswith("__") and name not in _ENGINE:
                    todo.append(name)
    return names


_ENGINE = frozenset({"run", "run_plugin", "send_message", "reset", "next"})
"""Methods of every machine whose own use of statuses says nothing about the state that calls them."""


def _complementary(conditions: list[tuple[str, ...]]) -> bool:
    single = {items[0] for items in conditions if len(items) == 1}
    return any(f"!{name}" in single for name in single)


def _ends_itself(used: set[str]) -> bool:
    return bool(used & {"END", "on_enter_end", "trigger"}) or any(name.startswith("to_") for name in used)


def _names_used(function: Any) -> Iterator[str]:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if isinstance(code, types.CodeType):
        yield from _code_names(code)


def _code_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code_names(constant)


def _reachable(holder: Any, known: set[str], edges: tuple[Edge, ...]) -> set[str]:
    cls = holder if isinstance(holder, type) else type(holder)
    called = {name for kind in cls.__mro__ for member in vars(kind).values() for name in _names_used(member)}
    reached = {INITIAL} | {name for name in known if f"to_{name}" in called}
    todo = list(reached)
    while todo:
        here = todo.pop()
        for edge in edges:
            if edge.source == here and edge.dest is not None and edge.dest not in reached:
                reached.add(edge.dest)
                todo.append(edge.dest)
    return reached


def mermaid(inspection: Inspection) -> str:
    """Return a Mermaid state diagram (`stateDiagram-v2`)."""
    names = dict.fromkeys((INITIAL, *inspection.states))
    for edge in inspection.edges:
        names.setdefault(edge.source)
        if edge.dest is not None:
            names.setdefault(edge.dest)
    ids = {name: f"s{number}" for number, name in enumerate(names)}
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{_label(name)}" as {identity}' for name, identity in ids.items() if name != INITIAL]
    ids[INITIAL] = "[*]"
    for edge in inspection.edges:
        label = " and ".join(condition.replace("!", "not ") for condition in edge.conditions)
        if edge.trigger != _TRIGGER:
            label = f"{edge.trigger} {label}".strip()
        dest = ids[edge.dest if edge.dest is not None else edge.source]
        lines.append(f"    {ids[edge.source]} --> {dest}" + (f" : {_label(label)}" if label else ""))
    if "end" in inspection.states:
        lines.append(f"    {ids['end']} --> [*]")
    return "\n".join(lines) + "\n"


def _label(text: str | Enum) -> str:
    return re.sub(r'[";:#\n]', " ", str(text))
