"""AbstractFSM: the class that bots extend."""

import uuid
from abc import ABC
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from botyard.fsm import session, variables
from botyard.fsm.errors import ConditionsFalseError, NoTransitionError, StateUnfinishedError, TooManyStepsError
from botyard.fsm.helpers.tasks import TaskHelpers
from botyard.fsm.messages import FSMIntent, FSMOutput, Webhook
from botyard.fsm.plugins import RUNNING, PluginResult, run_plugin
from botyard.fsm.published import in_place_of
from botyard.fsm.status import ReturnStatus, Status, default_return_status
from botyard.fsm.structure import INITIAL, Structure, state_name, structure_of
from botyard.fsm.variables import Variables

Send = Callable[[FSMOutput], Any]
_RECENT = 8


class AbstractFSM(TaskHelpers, ABC):
    """A finite state machine of one user session.

    A subclass declares `states`, `transitions` and `conditions`, and defines `on_enter_<state>` for each state
    (except "zero") and a method for each condition. Each state leaves a `Status` behind that says whether the machine
    moves on, waits or ends. Transitions are tried in the order of their declaration; the first whose conditions
    hold is taken; a condition is evaluated at most once in a step.

    `transitions` (the library) does the work, so `unless`, `before`, `after`, `prepare`, `on_exit_<state>`,
    `to_<state>`, `is_<state>`, `may_next` and triggers of your own work as its documentation says.
    """

    states: ClassVar[list[Any]] = []
    transitions: ClassVar[list[Any]] = []
    conditions: ClassVar[Any] = set()
    output_variables: ClassVar[Any] = set()
    """Names of the variables that a plugin hands to its caller at its end."""
    variable_names: ClassVar[Any] = Variables
    """A pydantic model of the variables; left as it is, the variables are a dict."""
    return_status_values: ClassVar[Any] = ReturnStatus
    RUN_TOKEN: ClassVar[str] = RUNNING
    max_steps: ClassVar[int] = 10_000
    """Steps that one turn may take before it is stopped as a cycle."""

    state: Any
    credentials: dict[str, Any]
    send_message: Send

    def __init__(self, send_message: Send) -> None:
        self.send_message = send_message
        cls = type(self)
        self._structure: Structure = structure_of(
            cls, self.states, self.transitions, self._has_method, self._check_declarations
        )
        given = self.__dict__
        if "plugins" not in given:
            self.plugins: dict[str, AbstractFSM] = {}
        self._model = variables.declared_model(cls.variable_names)
        own = getattr(self, "variables", None)
        self._initial_variables = variables.plain_copy(dict(own)) if isinstance(own, Mapping) else None
        if isinstance(own, Mapping):
            self._model = None
        elif own is not None and self._model is None:
            self._model = type(own)
        if own is None or isinstance(own, Mapping):
            self.variables: Any = self._fresh_variables()
        self.state = INITIAL
        self.status = Status.MOVE_FORWARD
        self.outputs: dict[str, Any] = {}
        self.temp_variables: dict[str, Any] = {}
        self.return_status: Any = default_return_status(cls)
        self.__input__: Any = None
        self.__callback__: Any = None
        self.current_files: list[Any] = []
        """Files of the user's message (name, mime_type, content); `current_input` is the first one's bytes."""
        self.current_text = ""
        """What the user wrote beside files."""
        self.ignored_input: str | None = None
        """Set after a turn whose input did not fit what the machine waits for: "user_input" or "callback"."""
        self._reentered = False
        self._condition_results: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        """Return what `transitions` gives a model: triggers, `to_…`, `is_…`, `may_…`."""
        structure = self.__dict__.get("_structure")
        if structure is not None:
            make = structure.lookup.get(name)
            if make is not None:
                return make(self)
        # A property that raised AttributeError ends here too: evaluate it again to report its own error.
        return object.__getattribute__(self, name)

    # --- inputs

    @property
    def current_input(self) -> Any:
        """The user's input (str, or bytes of a file), in the first state entered after it; None elsewhere."""
        return self.__input__

    @property
    def current_callback(self) -> Any:
        """The callback's body (str), in the first state entered after it; None elsewhere."""
        return self.__callback__

    def submit_input(self, fsm_input: Any) -> None:
        """Give the user's input; it moves the machine on only if that is what it waits for.

        Args:
            fsm_input: The input; None does nothing.
        """
        if fsm_input is None:
            return
        self.__input__ = fsm_input
        if self.status is Status.WAIT_FOR_USER_INPUT:
            self.status = Status.MOVE_FORWARD

    def submit_callback(self, fsm_callback: Any) -> None:
        """Give a callback's body; it moves the machine on only if that is what it waits for.

        Args:
            fsm_callback: The body; None does nothing.
        """
        if fsm_callback is None:
            return
        self.__callback__ = fsm_callback
        if self.status is Status.WAIT_FOR_CALLBACK:
            self.status = Status.MOVE_FORWARD

    def reset_inputs(self) -> None:
        """Forget input and callback: done after each step."""
        self.__input__ = None
        self.__callback__ = None

    def accepts_input(self) -> bool:
        """Tell whether the submitted input fits what this machine, or the plugin it waits for, waits for."""
        user, callback = self.__input__, self.__callback__
        if self.status is Status.WAIT_FOR_PLUGIN:
            return (user is None and callback is None) or self.would_take(user, callback)
        return self.status is Status.MOVE_FORWARD

    def would_take(self, user_input: Any, callback: Any) -> bool:
        """Tell whether the machine would move on with these inputs."""
        if self.status is Status.WAIT_FOR_USER_INPUT:
            return user_input is not None
        if self.status is Status.WAIT_FOR_CALLBACK:
            return callback is not None
        if self.status is Status.WAIT_FOR_PLUGIN:
            waiting = self._waiting_plugins()
            return not waiting or any(plugin.would_take(user_input, callback) for plugin in waiting)
        return self.status is not Status.END

    def is_unfinished(self) -> bool:
        """Tell whether the machine has begun and waits."""
        return self.status in (Status.WAIT_FOR_USER_INPUT, Status.WAIT_FOR_CALLBACK, Status.WAIT_FOR_PLUGIN)

    def waits_for(self) -> Status:
        """Return what the session waits for: the innermost waiting plugin's status."""
        if self.status is Status.WAIT_FOR_PLUGIN:
            for plugin in self._waiting_plugins():
                return plugin.waits_for()
        return self.status

    def _waiting_plugins(self) -> "list[AbstractFSM]":
        return [p for p in self.plugins.values() if isinstance(p, AbstractFSM) and p.is_unfinished()]

    # --- running

    def initialise(self, **kwargs: Any) -> None:
        """Set variables before the first state.

        Args:
            **kwargs: Values by variable.

        Raises:
            VariableError: The bot declares its variables, and not this one.
        """
        for name, value in kwargs.items():
            variables.write(self.variables, name, value)

    def run(self) -> Any:
        """Step until the machine waits or ends.

        Returns:
            `RUN_TOKEN` while it waits; at the end the status of return and the outputs (see `PluginResult`).

        Raises:
            NoTransitionError: No transition leaves a state that wants to move forward.
            ConditionsFalseError: None of its transitions is open.
            StateUnfinishedError: A state returned with WAIT_FOR_ME.
            TooManyStepsError: More than `max_steps` steps.
        """
        self.ignored_input = None
        if not self.accepts_input():
            if self.__input__ is not None or self.__callback__ is not None:
                self.ignored_input = "user_input" if self.__input__ is not None else "callback"
        elif self.status is Status.WAIT_FOR_PLUGIN:
            self._reenter()
        recent: deque[str] = deque(maxlen=_RECENT)
        steps = 0
        while self.status is Status.MOVE_FORWARD:
            recent.append(self.state_name)
            if steps == self.max_steps:
                raise TooManyStepsError(self.max_steps, list(recent))
            self._step()
            steps += 1
        if self.status is Status.WAIT_FOR_ME:
            raise StateUnfinishedError(self.state_name)
        self.reset_inputs()
        if self.status is Status.END:
            return PluginResult.of(self)
        return self.RUN_TOKEN

    @property
    def state_name(self) -> str:
        """The current state's name."""
        return state_name(self.state)

    def _step(self) -> None:
        before = self.state_name
        if not self._structure.leaves(self.state):
            raise NoTransitionError(before)
        self._condition_results = {}
        moved = self.next()
        self.reset_inputs()
        if not moved and self.status is Status.MOVE_FORWARD:
            results = {_named(func): value for func, value in self._condition_results.items()}
            raise ConditionsFalseError(before, results)

    def _reenter(self) -> None:
        """Run the waiting state again, so that it hands the input to its plugin."""
        self._reentered = True
        try:
            getattr(self, f"on_enter_{self.state_name}")()
        finally:
            self._reentered = False

    def run_plugin(self, plugin: str, **kwargs: Any) -> Any:
        """Run a nested machine on this machine's input.

        Args:
            plugin: Its name in `self.plugins`.
            **kwargs: Its variables at its beginning; left out of account when it goes on.

        Returns:
            `RUN_TOKEN` while it waits (this machine then waits for it), otherwise its result: outputs by name, and
            also a pair of return status and outputs (see `PluginResult`).

        Raises:
            PluginError: There is no such plugin.
        """
        return run_plugin(self, plugin, kwargs)

    def set_outputs(self) -> None:
        """Copy the variables named in `output_variables` to `outputs`."""
        for name in self.output_variables:
            self.outputs[name] = variables.read(self.variables, name)

    def on_enter_end(self) -> None:
        """End the machine: the default of the state "end"."""
        self.status = Status.WAIT_FOR_ME
        self.set_outputs()
        self.status = Status.END

    def reset(self) -> None:
        """Return to the beginning, with fresh variables; plugins too."""
        self.state = INITIAL
        self.status = Status.MOVE_FORWARD
        self.variables = self._fresh_variables()
        self.outputs = {}
        self.temp_variables = {}
        self.return_status = default_return_status(type(self))
        for plugin in self.plugins.values():
            if isinstance(plugin, AbstractFSM):
                plugin.reset()

    def get_reference_id(self) -> str:
        """Return a new reference for a third party's callback, made known to the platform before it returns."""
        reference = f"jbkey{str(in_place_of(uuid, 'abstract_fsm', 'uuid').uuid4())[:25]}jbkey"
        self.send_message(FSMOutput(intent=FSMIntent.WEBHOOK, webhook=Webhook(reference_id=reference)))
        return reference

    # --- sessions

    @classmethod
    def get_machine(
        cls,
        send_message: Send,
        credentials: dict[str, Any] | None = None,
        state: str | None = None,
        status: Status | int | None = None,
        variables: Mapping[str, Any] | None = None,
        plugin_states: Mapping[str, Any] | None = None,
    ) -> "AbstractFSM":
        """Return a machine, restored to a state where one is given."""
        machine = session.construct(cls, send_message, credentials)
        if state is not None or status is not None or variables is not None or plugin_states is not None:
            machine._restore_state(
                state if state is not None else INITIAL,
                status if status is not None else Status.MOVE_FORWARD,
                variables if variables is not None else {},
                plugin_states if plugin_states is not None else {},
            )
        return machine

    @classmethod
    def run_machine(
        cls,
        send_message: Send,
        user_input: Any = None,
        callback_input: Any = None,
        credentials: dict[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Run one turn of a session.

        Args:
            send_message: Called with each `FSMOutput`.
            user_input: What the user said, or bytes of a file.
            callback_input: Body of a third party's callback.
            credentials: The bot's credentials by name.
            state: What the last turn returned; None or empty for a new session. Never written to.
            **kwargs: Given to `initialise`.

        Returns:
            The session's state as plain data; after the end, that of a session at its beginning.
        """
        machine = session.open_session(cls, send_message, credentials, state)
        machine.initialise(**kwargs)
        machine.submit_callback(callback_input)
        machine.submit_input(user_input)
        machine.run()
        if machine.status is Status.END:
            machine.reset()
        return machine._save_state()

    def _save_state(self) -> dict[str, Any]:
        """Return the session's state: `main` {state, status, variables} and `plugins` of the same shape."""
        return session.save(self)

    def _restore_state(self, state: Any, status: Any, variables: Any, plugin_states: Any) -> None:
        """Take over a saved state.

        Raises:
            SessionStateError: This revision of the bot does not know the state, the status or a plugin.
            pydantic.ValidationError: A variable does not fit.
        """
        session.restore(self, state, status, variables, plugin_states)

    # --- declarations

    @classmethod
    def check_sanity(cls) -> None:
        """Check the declarations of the class.

        Raises:
            ValueError: No states, no transitions, or a condition or `on_enter_<state>` that is not defined.
        """
        _check(cls, cls.states, cls.transitions, cls.conditions, lambda name: callable(getattr(cls, name, None)))

    def _check_declarations(self) -> None:
        if self.states is type(self).states and self.transitions is type(self).transitions:
            type(self).check_sanity()
            return
        _check(type(self), self.states, self.transitions, self.conditions, self._has_method)

    def _has_method(self, name: str) -> bool:
        return name in self.__dict__ or callable(getattr(type(self), name, None))

    def _fresh_variables(self) -> Any:
        if self._initial_variables is not None:
            return variables.fresh(None, self._initial_variables)
        return variables.fresh(self._model)


def _check(
    cls: type, states: list[Any], transitions: list[Any], conditions: Any, defined: Callable[[str], bool]
) -> None:
    where = f"class {cls.__qualname__}"
    if not states:
        raise ValueError(f"{where} declares no states: list their names in `states`.")
    if not transitions:
        raise ValueError(f"{where} declares no transitions: list them in `transitions`.")
    for condition in conditions or ():
        if isinstance(condition, str) and not defined(condition):
            raise ValueError(f"{where} declares the condition {condition!r} and defines no method {condition}().")
    for state in states:
        name = state_name(state)
        handled = isinstance(state, dict) and state.get("on_enter")
        if name != INITIAL and not handled and not defined(f"on_enter_{name}"):
            raise ValueError(f"{where} declares the state {name!r} and defines no method on_enter_{name}().")


def _named(func: Any) -> str:
    return func if isinstance(func, str) else getattr(func, "__name__", repr(func))
