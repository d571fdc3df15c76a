"""Researcher: answers from the documents of its bundle, thinks aloud, and says where it read what."""

from research import answers, reports
from research.passages import citations, cited, relevant, topics

from botyard.workflow import BaseEntrypoint, agentic_workflow

BUNDLE_ID = "botyard.researcher"
PASSAGES = 4


@agentic_workflow(name=BUNDLE_ID, version="1.0.0", priority=100)
class Researcher(BaseEntrypoint):
    BUNDLE_ID = BUNDLE_ID
    OPERATIONS = ("report",)
    configuration = {"role_models": {"researcher.answer": "gpt-4o-mini"}}

    async def pre_run_hook(self, *, state):
        if not state["history"]:
            await self._tell("chat.conversation.title", "title", {"title": answers.title(state["text"])})

    async def execute_core(self, *, state, thread_id, params):
        question = params["text"].strip()
        await self.comm.step(step="rag_retrieval", status="started", title="Reading", data={"question": question})
        await self._think(f"I look for passages about “{question}”. ", 0)
        passages = relevant(await self.retrieve(question, count=PASSAGES))
        await self.comm.step(step="rag_retrieval", status="completed", data={"hits": len(passages)})
        if not passages:
            return await self._nothing_found()
        await self._think(f"I found {len(passages)} in {topics(passages)}.", 1)

        answer = await answers.written(self, question, passages, state["history"])
        sources = cited(answer, passages)
        await self._tell("chat.citations", "citations", {"items": citations(sources)})
        followups = answers.followups(passages, sources)
        await self._suggest(followups)
        await self._tell("chat.turn.summary", "summary", {"question": question, "sources": topics(sources)})
        return {"final_answer": answer, "followups": followups}

    async def report(self, text="", subject="", **params):
        """Write what the documents say about a subject into a file (an operation: called by its name)."""
        subject = subject or text
        passages = relevant(await self.retrieve(subject, count=PASSAGES))
        content = reports.markdown(subject, passages)
        for index, piece in enumerate(answers.pieces(content)):
            await self.comm.delta(
                text=piece, index=index, marker="canvas", format="markdown", artifact_name=reports.NAME
            )
        file = await reports.keep(content, turn=self.comm_context.routing.turn_id)
        await self._tell("chat.files", "files", {"items": [file]})
        return {"final_answer": f"I have written {reports.NAME}.", "followups": []}

    async def _nothing_found(self):
        answer = "None of my documents tells of that. I know about swarms, varroa mites and the harvest."
        for index, piece in enumerate(answers.pieces(answer)):
            await self.comm.delta(text=piece, index=index)
        followups = ["When is honey ripe?"]
        await self._suggest(followups)
        return {"final_answer": answer, "followups": followups}

    async def _think(self, text, index):
        await self.comm.delta(text=text, index=index, marker="thinking")

    async def _suggest(self, followups):
        await self._tell("chat.followups", "followups", {"items": followups})

    async def _tell(self, route, step, data):
        """Send an event that every user receives."""
        await self.comm.event(agent=BUNDLE_ID, type=route, route=route, step=step, status="completed", data=data)
