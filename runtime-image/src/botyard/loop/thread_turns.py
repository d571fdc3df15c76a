"""Turns of a thread: somebody says something, the model answers, tools are called, until it is somebody's turn again.

One event is one turn, however often model and tools alternate in it. Each answer of the model and each result of a
tool is a journaled step, so a turn that runs again after a crash neither pays nor acts twice. Messages are records of
their own: what a turn costs does not grow with the thread.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from botyard.loop import compaction, keys, titles
from botyard.loop.answers import ModelFailed, Said, said
from botyard.loop.argument_check import ArgumentCheck
from botyard.loop.calls import CallOutcome, no_handler, timed_out
from botyard.loop.install import DEFAULT, FMarketplaceExpertInput, Installation
from botyard.loop.kernels import KernelFailed, KernelResult, Kernels
from botyard.loop.model_messages import as_model_messages, as_text, content_of_result
from botyard.loop.parking import Parked
from botyard.loop.persona_loop import PersonaLoop
from botyard.loop.thread_model import Model
from botyard.loop.thread_state import ThreadState
from botyard.loop.thread_turn import Silent, ThreadTurn
from botyard.loop.threads import title_of
from botyard.loop.titles import Titles
from botyard.loop.tools import CloudTool, FCloudtoolCall
from botyard.program import Output, TurnIO, TurnOutcome, TurnRequest

log = logging.getLogger("botyard.loop.threads")

MAX_ROUNDS = 50
"""Answers of the model in one turn; a model that wants more calls itself in circles."""
TOOL_SECONDS = 300.0
"""A call of a tool may take."""
KILLED = "The call was not made: the expert's kernel stopped it."
ENTITLE = "thread.entitle"
"""Action of the event by which a thread gets a title from a model."""
BUDGET_CODES = ("budget_exceeded", "quota_exceeded")


class ThreadTurns:
    """Runs the turns of threads."""

    def __init__(
        self,
        installation: Installation,
        tools: Sequence[CloudTool],
        model: Model,
        *,
        kernels: Kernels | None = None,
        tool_seconds: float = TOOL_SECONDS,
        titles: Titles | None = None,
    ) -> None:
        """Prepare.

        Args:
            installation: Experts and their prompts.
            tools: What the bot offers.
            model: Asked for answers.
            kernels: Runs experts' kernels; None: an own one does.
            tool_seconds: What a call may take.
            titles: Who makes titles; None: the rule alone.
        """
        self._titles = titles
        self._kernels = kernels or Kernels()
        self._tool_seconds = tool_seconds
        self._installation = installation
        self._tools = {tool.name: tool for tool in tools}
        self._checks = {tool.name: ArgumentCheck(tool) for tool in tools}
        self._model = model

    async def run(self, request: TurnRequest, io: TurnIO, loop: PersonaLoop) -> TurnOutcome:
        """Run one event; see `botyard.program.Program`."""
        persona, thread = keys.parse(request.key)
        state = await ThreadState.read(request.state, io, thread=thread, persona=persona)
        state.thread.ws_id = loop.persona.ws_id
        turn = ThreadTurn(request, io, loop, state)
        if request.payload.get("action") == ENTITLE:
            await self._entitle(turn)
            return turn.outcome()
        if (problem := self._take(turn)) is not None:
            return turn.outcome(ignored=problem)
        try:
            await self._go_on(turn)
        except ModelFailed as error:
            state.thread.ft_error = {"code": error.code, "message": str(error)}
            turn.say(Output(type="thread.error", status="error", data={"code": error.code, "message": str(error)}))
        if self._titles is not None and titles.is_due(state):
            # A turn of its own: nobody waits for a title longer for the answer.
            state.titled_by = "model"
            turn.next(ENTITLE)
        return turn.outcome()

    async def _entitle(self, turn: ThreadTurn) -> None:
        """Have the model give the thread a title, unless a person did meanwhile."""
        state = turn.state
        if self._titles is None or state.titled_by != "model":
            return
        try:
            answer = await self._model(Silent(turn.io), titles.request_of(state), self._titles.role)
        except ModelFailed as error:
            titles.log.warning("a thread got no title: %s", error)
            return
        if title := titles.title_in(answer):
            state.thread.ft_coins += said(answer).coins
            turn.entitle(title)

    def _take(self, turn: ThreadTurn) -> str | None:
        """Take what the event brings into the thread; return why it changes nothing, if so."""
        payload, state = turn.request.payload, turn.state
        action = str(payload.get("action") or "thread.message")
        if action == "thread.start" and state.began:
            return "the thread has begun already"
        if action in ("thread.start", "thread.message"):
            if not state.began:
                state.begin(payload)
                if state.thread.ft_fexp_name not in self._installation.experts:
                    # Also the bot's own name, by which files of the kit call the default one.
                    state.thread.ft_fexp_name = DEFAULT
            messages = payload.get("messages") or [{"role": "user", "content": payload.get("text", "")}]
            if not state.thread.ft_title:
                state.thread.ft_title = title_of(as_text(messages[-1].get("content")))
            for message in messages:
                turn.add(
                    str(message.get("role", "user")), message.get("content"), author=str(payload.get("user") or "")
                )
            if first := payload.get("calls"):
                self._take_answer(turn, Said(None, [(str(call["name"]), str(call["arguments"])) for call in first]))
            return None
        if action == "call.confirm":
            return state.answer_confirmation(payload)
        if action in ("subchat.result", "subchat.timeout"):
            problem = state.take_subchat(payload) if action == "subchat.result" else state.give_up_subchats(payload)
            for call in state.finished:
                provenance = {"tool": call.tool, "subchats": list(call.subchats)}
                turn.add("tool", call.result, call_id=call.call, provenance=provenance)
            return problem
        if action == "thread.archive":
            state.thread.ft_archived_ts = turn.now if payload.get("archived", True) else 0.0
            return None
        if action == "thread.title":
            state.titled_by = "person"
            turn.entitle(title_of(str(payload.get("title") or "")))
            return None
        return f"there is no action {action!r}"

    async def _go_on(self, turn: ThreadTurn) -> None:
        """Alternate between tools and the model until something outside has to happen first."""
        state = turn.state
        state.thread.ft_error = None
        if state.thread.ft_archived_ts:
            return
        short = False
        for _ in range(MAX_ROUNDS):
            if state.ready_calls():
                await self._call_tools(turn)
            if state.waiting or not state.wants_model():
                return
            before = await self._kernel(turn)
            if before.subchat_result is not None:
                return
            if not short and compaction.is_due(state):
                await self._compact(turn)
                short = True
            answer = said(await self._model(turn.io, self._body(turn, tools=not before.kill_tools)))
            self._take_answer(turn, answer)
            after = await self._kernel(turn)
            if after.kill_tools or after.subchat_result is not None:
                self._kill_calls(turn)
            if after.subchat_result is not None:
                return
        message = f"The model wanted tools {MAX_ROUNDS} times in one turn; it may be going in circles."
        raise ModelFailed(message, "too_many_rounds")

    async def _kernel(self, turn: ThreadTurn) -> KernelResult:
        """Let the expert's kernel look at the thread, and do what it says.

        Raises:
            ModelFailed: It fails, or wants the thread to.
        """
        state = turn.state
        source = self._expert(state.thread.ft_fexp_name).fexp_python_kernel
        if not source.strip():
            return KernelResult()
        try:
            result = await self._kernels.run(source, state.window, coins=state.thread.ft_coins, budget=turn.budget)
        except KernelFailed as error:
            raise ModelFailed(str(error), "kernel_failed") from error
        if result.error:
            raise ModelFailed(result.error, "kernel")
        if result.subchat_result is not None:
            state.result = result.subchat_result
        elif result.post_cd_instruction:
            if state.ready_calls():
                turn.later.append(result.post_cd_instruction)
            else:
                turn.add("cd_instruction", result.post_cd_instruction, provenance={"kernel": True})
        return result

    def _kill_calls(self, turn: ThreadTurn) -> None:
        for call in turn.state.ready_calls():
            turn.add("tool", KILLED, call_id=call.fcall_id, provenance={"tool": call.fcall_name, "killed": True})
            turn.state.close_call(call.fcall_id)

    async def _compact(self, turn: ThreadTurn) -> None:
        """Have the model sum up what is old, so that the rest fits."""
        state = turn.state
        if not (old := compaction.cut(state)):
            return
        through = state.window[old - 1].ftm_num

        async def run(key: str) -> dict[str, Any]:
            try:
                return compaction.summary_of(
                    await self._model(Silent(turn.io), compaction.request_of(state, state.window[:old]))
                )
            except ModelFailed as error:
                if error.code in BUDGET_CODES:
                    raise
                log.warning("the thread %s could not be summed up: %s", state.thread.ft_id, error)
                return {"failed": error.code}

        # A step, also where it fails: what the model is asked next depends on it, and must be the same on a re-run.
        done = await turn.io.step("sum up", through, run)
        if compaction.can_wait(state, str(done.get("failed", ""))):
            return
        state.thread.ft_coins += int(done.get("coins", 0))
        summary = str(done.get("summary", ""))
        state.summed_up(old, summary or state.summary)
        turn.say(Output(type="thread.compacted", data={"through": through, "summary": summary}))

    def _body(self, turn: ThreadTurn, *, tools: bool = True) -> dict[str, Any]:
        state, expert = turn.state, self._expert(turn.state.thread.ft_fexp_name)
        offered = [tool.openai_style_tool() for tool in self._tools.values() if tools and expert.allows(tool.name)]
        messages = as_model_messages(expert.prompt(), state.window, state.summary)
        # A role of the Bot, or a model that it declares; anything else means the Bot's model.
        named = expert.fexp_model_class or expert.fexp_preferred_model_default
        return {"messages": messages} | ({"tools": offered} if offered else {}) | ({"model": named} if named else {})

    def _expert(self, name: str) -> FMarketplaceExpertInput:
        return self._installation.experts.get(name) or self._installation.experts[DEFAULT]

    def _take_answer(self, turn: ThreadTurn, answer: Said) -> None:
        number = turn.state.next
        calls = [
            {
                "id": keys.call_id(turn.state.thread.ft_id, number, position),
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for position, (name, arguments) in enumerate(answer.calls)
        ]
        turn.state.thread.ft_coins += answer.coins
        turn.add("assistant", answer.text, calls=calls or None, usage=answer.usage, model=answer.model)
        turn.state.open_calls(calls)

    async def _call_tools(self, turn: ThreadTurn) -> None:
        """Make all calls that can be made now, at once; their results come in the order of the calls."""
        ready = turn.state.ready_calls()
        outcomes = await asyncio.gather(*(self._call(turn, call) for call in ready))
        for call, outcome in zip(ready, outcomes, strict=True):
            turn.caused += outcome.actions
            turn.state.thread.ft_coins += outcome.coins
            if outcome.kind == "result":
                content = content_of_result(outcome)
                turn.add("tool", content, call_id=call.fcall_id, provenance={"tool": call.fcall_name})
                turn.state.close_call(call.fcall_id)
            else:
                turn.state.wait(call, outcome)
                if outcome.kind == "confirmation":
                    data = {"call": call.fcall_id, "tool": call.fcall_name, "arguments": call.fcall_arguments}
                    turn.say(Output(type="thread.confirmation", data=data | outcome.confirmation))
        while turn.later and not turn.state.waiting:
            turn.add("cd_instruction", turn.later.pop(0), provenance={"kernel": True})

    async def _call(self, turn: ThreadTurn, call: FCloudtoolCall) -> CallOutcome:
        answered = turn.state.rejection(call.fcall_id)
        if answered is not None:
            return CallOutcome(content=answered)
        asked = {"id": call.fcall_id, "arguments": call.fcall_arguments, "confirmed": call.confirmed_by_human}

        async def run(key: str) -> dict[str, Any]:
            call.fcall_untrusted_key = key
            expert = self._expert(turn.state.thread.ft_fexp_name)
            if call.fcall_name not in self._tools or not expert.allows(call.fcall_name):
                return no_handler(call.fcall_name).as_record()
            if problem := self._checks[call.fcall_name].problem_of(call):
                return CallOutcome(content=problem, failed=True).as_record()
            thread, messages = replace(turn.state.thread), tuple(turn.state.window)
            # Handlers look up the thread that calls them, also in its first turn.
            parked = Parked(
                "call", (call,), key, call.fcall_name, before=lambda rcx: rcx.remember_thread(thread, messages)
            )
            outcome = await turn.loop.deliver(parked, seconds=self._tool_seconds)
            return (outcome or timed_out(call.fcall_name, self._tool_seconds)).as_record()

        return CallOutcome(**await turn.io.step(f"tool:{call.fcall_name}", asked, run))
