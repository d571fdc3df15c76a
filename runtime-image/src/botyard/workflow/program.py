"""The workflow model: one turn of a conversation is one `run` of the bundle's workflow."""

import asyncio
import contextlib
import inspect
import logging
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botyard.program import TurnError, TurnIO, TurnOutcome, TurnRequest
from botyard.retrieval import Retrieval
from botyard.workflow import documents, echo, history, importing, loader, operations, properties, relays, requests
from botyard.workflow.accounting.turns import accounted
from botyard.workflow.communicator import ChatCommunicator
from botyard.workflow.configuration import Config
from botyard.workflow.database import open_pool
from botyard.workflow.economics import treasury
from botyard.workflow.economics.errors import EconomicsLimitException
from botyard.workflow.economics.treasury import PlatformTreasury
from botyard.workflow.finding import find_module
from botyard.workflow.loader import AgenticBundleSpec, Loaded, load_bundle
from botyard.workflow.plain import plain
from botyard.workflow.protocol import ChatTaskPayload
from botyard.workflow.tasks import accounting_of, build_comm_from_comm_context, state_of
from botyard.workflow.turn_relay import TurnRelay, output_of

log = logging.getLogger("botyard.workflow")

_NOT_OPENED = object()


class WorkflowProgram:
    """A loaded bundle of the workflow model; see `botyard.program.Program`."""

    def __init__(
        self,
        bundle: Path,
        spec: AgenticBundleSpec,
        loaded: Loaded,
        *,
        config: Mapping[str, Any] | None = None,
        namespace: str = "",
    ) -> None:
        self.loaded = loaded
        self.spec = spec
        self._bundle = bundle.resolve()
        self._config = dict(config or {})
        self._pg_pool: Any = _NOT_OPENED
        self._opening = asyncio.Lock()
        self._retrieval = Retrieval(self._bundle, self._config)
        self._namespace = namespace

    @classmethod
    def load(
        cls,
        bundle: Path,
        module: str = "",
        symbol: str = "",
        *,
        config: Mapping[str, Any] | None = None,
        namespace: str = "",
    ) -> "WorkflowProgram":
        """Import a bundle.

        Args:
            bundle: The unpacked bundle's folder.
            module: Dotted module below it that holds the workflow; empty to look for it.
            symbol: Its class or factory; empty: the marked one of the highest priority.
            config: Free-form properties of the Bot: the bundle's properties.
            namespace: The Bot's: the tenant, where a channel tells none.

        Raises:
            NoWorkflowFound: Nothing is marked.
            Exception: Whatever the bundle's code raises.
        """
        spec = AgenticBundleSpec(path=str(bundle), module=module or find_module(bundle) or None)
        return cls(bundle, spec, load_bundle(spec, symbol), config=config, namespace=namespace)

    def serve_alone(self, alone: bool = True) -> None:
        """Say whether this process is there for this bundle alone (see `importing.serve_only`)."""
        importing.serve_only(self.loaded.package if alone else "")

    async def run_turn(self, request: TurnRequest, io: TurnIO) -> TurnOutcome:
        """Run one event; see `botyard.program.Program`."""
        task = requests.task_of(request, tenant=self._namespace, project=request.bot)
        async with accounted(io, turn=request.turn, **accounting_of(task)):
            return await self._run(request, task, io)

    async def _run(self, request: TurnRequest, task: ChatTaskPayload, io: TurnIO) -> TurnOutcome:
        treasury.platform.set(PlatformTreasury(io))
        relay = TurnRelay(io)
        relays.use_relay(relay)
        documents.use_documents(self._retrieval, io)
        properties.use_properties(self._config if request.config is None else request.config)
        comm: ChatCommunicator | None = None
        try:
            workflow = await self._instance(task)
            own = getattr(workflow, "comm", None)
            comm = own if isinstance(own, ChatCommunicator) else build_comm_from_comm_context(task, relay=relay)
            relay.filtered = comm.event_filter is not None
            await comm.start(message=echo.shortened(task.request.message))
            result = plain(await self._serve(workflow, task, requests.params_of(request, task)), "the result")
            await comm.flush()
            if relay.overflow is not None:
                raise relay.overflow
            return _outcome(request, task, comm, result)
        except EconomicsLimitException as error:
            # The user was told; what is left is that the turn is over.
            log.info(
                "the turn is not run: %s", error, extra={"fields": {"conversation": request.key, "code": error.code}}
            )
            comm = comm or build_comm_from_comm_context(task, relay=relay)
            await comm.flush()
            return TurnOutcome(state=request.state, completion=output_of("chat_complete", comm.completion({})))
        except (Exception, SystemExit) as error:
            log.exception("the workflow failed", extra={"fields": {"conversation": request.key, "turn": request.turn}})
            if comm is not None:
                with contextlib.suppress(Exception):
                    await comm.flush()
            return TurnOutcome(error=self._described(error))

    async def _instance(self, task: ChatTaskPayload) -> Any:
        config = Config(ai_bundle_spec=self.spec, **requests.settings_of(task.config.values))
        made = loader.instance_of(
            self.loaded, self.spec, config, comm_context=task, pg_pool=await self._pool(), redis=None
        )
        return await made if inspect.isawaitable(made) else made

    async def _pool(self) -> Any:
        """Return connections to the PostgreSQL that a credential of the Bot names, or None."""
        async with self._opening:
            if self._pg_pool is _NOT_OPENED:
                self._pg_pool = await open_pool()
        return self._pg_pool

    async def _serve(self, workflow: Any, task: ChatTaskPayload, params: dict[str, Any]) -> Any:
        operation = operations.named(workflow, task)
        known = {**state_of(task), "attachments": params["attachments"]}
        if self.loaded.initial_state is not None:
            made = self.loaded.initial_state(known)
            made = await made if inspect.isawaitable(made) else made
            known = {**(made if isinstance(made, Mapping) else {}), **known}
        if hasattr(workflow, "set_state"):
            setting = workflow.set_state(known)
            if inspect.isawaitable(setting):
                await setting
        if operation:
            return await operations.call(workflow, operation, params)
        return await workflow.run(**params)

    def _described(self, error: BaseException) -> TurnError:
        where = ""
        for frame in traceback.extract_tb(error.__traceback__):
            path = Path(frame.filename)
            if path.is_relative_to(self._bundle):
                where = f"{path.relative_to(self._bundle)}:{frame.lineno} in {frame.name}"
        return TurnError(kind=type(error).__name__, message=str(error) or type(error).__name__, where=where)


def _outcome(request: TurnRequest, task: ChatTaskPayload, comm: ChatCommunicator, result: Any) -> TurnOutcome:
    answer = result if isinstance(result, dict) else {"result": result}
    turn = {
        "turn": request.turn,
        "at": int(time.time() * 1000),
        "user": task.request.message,
        "assistant": str(answer.get("final_answer") or ""),
    }
    return TurnOutcome(
        state=history.state_after(request.state, turn),
        records=history.records_after(request.state, turn),
        completion=output_of("chat_complete", comm.completion(echo.of_result(answer))),
    )
