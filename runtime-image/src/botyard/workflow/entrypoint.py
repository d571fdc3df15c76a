"""BaseEntrypoint: what a bundle's workflow derives from."""

import contextvars
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from botyard.workflow import decorators, properties, state, tasks
from botyard.workflow.accounting import context, recorder, summary
from botyard.workflow.communicator import ChatCommunicator
from botyard.workflow.configuration import Config
from botyard.workflow.errors import BundleResultError
from botyard.workflow.event_filter import IEventFilter
from botyard.workflow.kv_cache import KVCache
from botyard.workflow.logger import BundleLogger
from botyard.workflow.models_service import ModelsService
from botyard.workflow.protocol import ChatTaskPayload
from botyard.workflow.relays import Relay, build_relay_from_env
from botyard.workflow.services import Services
from botyard.workflow.settings import Settings

DEFAULT_THREAD = "default"


@dataclass(slots=True)
class _Request:
    """What belongs to one request, and not to the workflow that serves it."""

    comm_context: ChatTaskPayload | None = None
    comm: ChatCommunicator | None = None
    state: dict[str, Any] | None = None
    econ_ctx: dict[str, Any] | None = None


class BaseEntrypoint(Services):
    """A bundle's workflow. Derive from it, implement `execute_core`, and mark the class with `@agentic_workflow`.

    Attributes:
        BUNDLE_ID: The bundle's id in what goes out.
        OPERATIONS: Names of methods that a request may call in place of `run`.
        configuration: Role models and embedding of the bundle: {"role_models": {role: model}, "embedding":
            {"provider", "model"}}; a class attribute, or a property.
        config: The host's settings, with those of `configuration` in their place.
        pg_pool: A pool of Postgres connections (asyncpg), or None.
        redis: An asynchronous Redis client, or None.
        bundle_props: Properties that an operator may change while the bundle runs; up to date at each `run`.
        models_service: Asks the models of the Bot.
        kv_cache: Values that may be forgotten, for all requests.
        logger: The bundle's.
    """

    BUNDLE_ID: ClassVar[str] = "kdcube.bundle.base"
    OPERATIONS: ClassVar[tuple[str, ...]] = ()
    configuration: Any = None

    def __init__(
        self,
        config: Any = None,
        pg_pool: Any = None,
        redis: Any = None,
        comm_context: ChatTaskPayload | Mapping[str, Any] | None = None,
        event_filter: IEventFilter | None = None,
        ctx_client: Any = None,
    ) -> None:
        """Prepare.

        Args:
            config: The host's settings (`Config`); None: the defaults.
            pg_pool: See the attribute.
            redis: See the attribute.
            comm_context: The request that is served.
            event_filter: Decides what the user receives; None: what the host decides.
            ctx_client: What `get_ctx_client` returns, where the bundle has one.
        """
        self.config = config if config is not None else Config()
        self.settings = Settings()
        self.pg_pool = pg_pool
        self.redis = redis
        self.event_filter = event_filter
        self.ctx_client = ctx_client
        self._shared: contextvars.ContextVar[_Request] | None = None
        """The requests of a workflow that serves several at once: each context has its own."""
        self._request = _Request(tasks.task_of(comm_context) if comm_context is not None else None)
        self.logger = BundleLogger(self.bundle_id)
        self._apply_configuration()
        self.bundle_props: dict[str, Any] = properties.merged(self.bundle_props_defaults, properties.host_properties())
        self.kv_cache = KVCache(redis, prefix=f"kdcube:kv:{self.bundle_id}")
        self.models_service = ModelsService(self.config)

    # What a bundle implements.

    async def execute_core(self, *, state: dict[str, Any], thread_id: str, params: dict[str, Any]) -> dict[str, Any]:
        """Do the work of one turn.

        Args:
            state: What is known of the turn (see `BundleState`); the bundle may write into it.
            thread_id: Of the conversation.
            params: What was asked: text, attachments, and the members of the request's payload.

        Returns:
            {"final_answer": text, "followups": […], "error_message": None, …}; JSON must be able to express it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement execute_core")

    async def pre_run_hook(self, *, state: dict[str, Any]) -> None:
        """Called before `execute_core`; an exception ends the turn."""

    async def post_run_hook(self, *, state: dict[str, Any], result: dict[str, Any]) -> None:
        """Called after `execute_core` and `run_accounting`; may change the result."""

    async def run_accounting(self, *args: Any, **kw: Any) -> Any:
        """Called after `execute_core`: tells what the turn used of paid services, where it used any."""
        await recorder.drain()
        if not (used := summary.of(recorder.collected())):
            return
        told: dict[str, Any] = {
            "step": "accounting",
            "status": "completed",
            "title": "Usage",
            "agent": "accounting",
            "data": used,
        }
        await self.comm.event(type="accounting.usage", **told)
        await self.comm.service_event(type="accounting.usage", **told)

    @property
    def bundle_props_defaults(self) -> dict[str, Any]:
        """Properties of the bundle where nobody has set any."""
        return {}

    # What a host calls.

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Tell what is known of the turn before `run`."""
        known = {**self._asked(), **{name: value for name, value in state.items() if value is not None}}
        self._current.state = {**self.create_initial_state(known), **known}

    def create_initial_state(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the state of a turn that begins with `payload`."""
        return state.initial_state(payload)

    async def run(self, **params: Any) -> dict[str, Any]:
        """Serve the request: hooks, `execute_core`, accounting.

        Args:
            **params: What is asked: `text`, `attachments` and whatever `execute_core` shall get in its `params`.

        Returns:
            What goes out with `chat.complete` (see `project_app_state`).

        Raises:
            BundleResultError: `execute_core` returned no result.
            Exception: Whatever the bundle raises.
        """
        task = self._current.comm_context
        with recorder.collecting(), context.assumed(**(tasks.accounting_of(task) if task is not None else {})):
            try:
                result = await self._run(params)
            except Exception:
                await self._flushed()
                raise
            await self._flushed()
            return result

    async def _run(self, params: dict[str, Any]) -> dict[str, Any]:
        current = self._state_with(params)
        await self.refresh_bundle_props()
        await self.pre_run_hook(**self._hook_arguments(self.pre_run_hook, state=current))
        result = await self.execute_core(state=current, thread_id=_thread_of(current), params=params)
        result = self._checked(result)
        await self.run_accounting()
        await self.post_run_hook(**self._hook_arguments(self.post_run_hook, state=current, result=result))
        return self.project_app_state(self._with_identity(result, current))

    def project_app_state(self, app_state: Mapping[str, Any]) -> dict[str, Any]:
        """Return what goes out of a turn's state or result (`APP_STATE_KEYS`, and what is optional)."""
        return state.project(app_state, bundle=self.BUNDLE_ID)

    async def refresh_bundle_props(self) -> dict[str, Any]:
        """Read the bundle's properties again and return them."""
        found = properties.merged(self.bundle_props_defaults, properties.host_properties())
        if self.redis is not None:
            key = properties.redis_key(*self._actor, self.bundle_id)
            found = properties.merged(found, await properties.read_redis(self.redis, key))
        self.bundle_props = found
        return found

    # What a bundle uses.

    @property
    def comm(self) -> ChatCommunicator:
        """Speaks to the user of the request that is served."""
        request = self._current
        if request.comm is None:
            request.comm = tasks.build_comm_from_comm_context(
                request.comm_context or ChatTaskPayload(), relay=self._build_relay(), event_filter=self.event_filter
            )
        return request.comm

    @comm.setter
    def comm(self, comm: ChatCommunicator) -> None:
        self._current.comm = comm

    @property
    def comm_context(self) -> ChatTaskPayload | None:
        """The request that is served."""
        return self._current.comm_context

    @comm_context.setter
    def comm_context(self, task: ChatTaskPayload | Mapping[str, Any] | None) -> None:
        self._current.comm_context = tasks.task_of(task) if task is not None else None
        self._current.comm = None

    @property
    def bundle_id(self) -> str:
        """Id of the bundle that is served: the host's, or the name that the code gives itself."""
        spec = getattr(self.config, "ai_bundle_spec", None)
        declared = decorators.meta_of(type(self)).get("name")
        return str(getattr(spec, "id", None) or declared or self.BUNDLE_ID)

    def _build_relay(self) -> Relay:
        return build_relay_from_env()

    def serve(self, task: ChatTaskPayload | Mapping[str, Any] | None) -> None:
        """Serve `task` in this context, beside others in theirs; for hosts of workflows that serve several requests."""
        if self._shared is None:
            self._shared = contextvars.ContextVar("botyard_workflow_request")
        # What is asked outside of any request's context gets the newest one.
        self._request = _Request(tasks.task_of(task) if task is not None else None)
        self._shared.set(self._request)

    @property
    def _current(self) -> _Request:
        return self._request if self._shared is None else self._shared.get(self._request)

    @property
    def _actor(self) -> tuple[str, str]:
        task = self.comm_context or ChatTaskPayload()
        return tasks.tenant_of(task), tasks.project_of(task)

    @property
    def _turn_id(self) -> str | None:
        return (self._current.state or {}).get("turn_id")

    def _apply_configuration(self) -> None:
        given = self.configuration
        given = given() if callable(given) else given
        if not isinstance(given, Mapping):
            return
        if (models := given.get("role_models")) and hasattr(self.config, "set_role_models"):
            self.config.set_role_models(models)
        if (embedding := given.get("embedding")) and hasattr(self.config, "set_embedding"):
            self.config.set_embedding(embedding)

    def _state_with(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the state of this run; `params` and state complete each other."""
        request = self._current
        if request.state is None:
            request.state = self.create_initial_state({**self._asked(), **params})
        current = request.state
        for name in ("text", "attachments"):
            if params.get(name) is not None:
                current[name] = params[name]
            elif current.get(name) is not None:
                params[name] = current[name]
        return current

    def _asked(self) -> dict[str, Any]:
        """Return what the request tells the state."""
        task = self._current.comm_context
        return tasks.state_of(task) if task is not None else {}

    def _hook_arguments(self, hook: Any, **given: Any) -> dict[str, Any]:
        """Return what a hook takes of `given`; hooks of bundles may leave out what they do not use."""
        parameters = inspect.signature(hook).parameters
        if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
            return given
        return {name: value for name, value in given.items() if name in parameters}

    def _checked(self, result: Any) -> dict[str, Any]:
        name = f"{type(self).__name__}.execute_core"
        if not isinstance(result, Mapping):
            raise BundleResultError(f"{name} must return a dict with final_answer, not {type(result).__name__}")
        checked = dict(result)
        if checked.get("final_answer") is None and not checked.get("error_message"):
            if not (streamed := self.comm.streamed("answer")):
                raise BundleResultError(f"{name} returned no final_answer, and streamed none")
            self.logger.warning("%s returned no final_answer; what it streamed is taken for it", name)
            checked["final_answer"] = streamed
        return checked

    async def _flushed(self) -> None:
        """Wait until what was sent without an `await` is on its way: a host may close its relay after the turn."""
        if (comm := self._current.comm) is not None:
            await comm.flush()

    def _with_identity(self, result: dict[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
        known = {key: current.get(key) for key in state.IDENTITY_KEYS if result.get(key) is None}
        return {**result, **known}


def _thread_of(current: Mapping[str, Any]) -> str:
    return str(current.get("conversation_id") or current.get("session_id") or DEFAULT_THREAD)
