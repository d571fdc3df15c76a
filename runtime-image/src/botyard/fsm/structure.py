"""The `transitions` machine of a bot's class: built once, shared by all its sessions.

A `transitions.Machine` writes some hundred attributes into every model that is added to it, which makes it far dearer
than the turn itself. Sessions are therefore never added: the machine holds states and events, and `AbstractFSM` looks
up `next`, `to_<state>`, `is_<state>` and `may_next` in it. A machine keeps no session's data and events carry
their own, so that many threads may use one at once.
"""

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from transitions import EventData, Machine
from transitions.core import Condition, State, Transition

INITIAL = "zero"
MAX_SHAPES = 32
"""Structures kept for one class whose instances add states of their own."""


class StepCondition(Condition):
    """A condition that is evaluated at most once in a step, however many transitions name it."""

    def check(self, event_data: EventData) -> bool:
        """Return whether the condition holds; evaluated on first use within the event."""
        results: dict[Any, Any] = event_data.__dict__.setdefault("condition_results", {})
        if self.func not in results:
            predicate = event_data.machine.resolve_callable(self.func, event_data)
            results[self.func] = predicate(*event_data.args, **event_data.kwargs)
        event_data.model.__dict__["_condition_results"] = results
        return bool(results[self.func] == self.target)


class StepTransition(Transition):
    """A transition whose conditions share their results within a step."""

    condition_cls = StepCondition


class Structure(Machine):
    """States and events of a class, without models."""

    transition_cls = StepTransition

    def __init__(self, states: list[Any], transitions: list[Any], has_method: Callable[[str], bool]) -> None:
        super().__init__(
            model=None,
            states=[dict(state) if isinstance(state, dict) else state for state in states],
            initial=INITIAL,
            transitions=[copy.copy(transition) for transition in transitions],
        )
        self.declared = (states, transitions)
        """Kept so that the ids of these lists, which the cache goes by, are not used again."""
        self.has_zero = any(state_name(state) == INITIAL for state in states)
        for state in self.states.values():
            for moment in ("enter", "exit"):
                method = f"on_{moment}_{state.name}"
                if method not in getattr(state, f"on_{moment}") and has_method(method):
                    state.add_callback(moment, method)
        self.lookup = self._model_methods()

    def _model_methods(self) -> dict[str, Callable[[Any], Any]]:
        """Return, by name, how to make each method that `transitions` would write into a model."""
        made: dict[str, Callable[[Any], Any]] = {
            "trigger": lambda model: partial(self._get_trigger, model),
            "may_trigger": lambda model: partial(self._can_trigger, model),
        }
        for name, state in self.states.items():
            made[f"is_{name}"] = lambda model, value=state.value: partial(self.is_state, value, model)  # type: ignore[misc]
        for name, event in self.events.items():
            made[f"may_{name}"] = lambda model, name=name: partial(self._can_trigger, model, name)  # type: ignore[misc]
            made[name] = lambda model, event=event: partial(event.trigger, model)  # type: ignore[misc]
        return made

    def leaves(self, state: Any, trigger: str = "next") -> bool:
        """Tell whether any transition of the trigger starts in the state."""
        event = self.events.get(trigger)
        return event is not None and bool(event.transitions.get(state_name(state)))


def state_name(state: Any) -> str:
    """Return the name of a state, however it is declared."""
    if isinstance(state, Enum | State):
        return str(state.name)
    if isinstance(state, dict):
        return state_name(state["name"])
    return str(state)


_lock = threading.Lock()
_by_class: "WeakKeyDictionary[type, OrderedDict[Any, Structure]]" = WeakKeyDictionary()


def structure_of(
    cls: type,
    states: list[Any],
    transitions: list[Any],
    has_method: Callable[[str], bool],
    check: Callable[[], None],
) -> Structure:
    """Return the shared structure of a class, built when its declarations are new or have changed.

    Args:
        cls: The bot's class.
        states: The class's list, or the instance's where it added states of its own.
        transitions: Like `states`.
        has_method: Tells whether the bot has a method of that name.
        check: Called before a structure is built; raises when the declarations are not sound.
    """
    shared = states is getattr(cls, "states", None) and transitions is getattr(cls, "transitions", None)
    key: Any = (
        (id(states), len(states), id(transitions), len(transitions))
        if shared
        else (tuple(map(repr, states)), tuple(map(repr, transitions)))
    )
    shapes = _by_class.get(cls)
    if shapes is not None:
        known = shapes.get(key)
        if known is not None:
            return known
    check()
    built = Structure(states, transitions, has_method)
    with _lock:
        shapes = _by_class.setdefault(cls, OrderedDict())
        shapes[key] = built
        while len(shapes) > MAX_SHAPES:
            shapes.popitem(last=False)
    return built
