"""The context client: what a conversation should remember, kept and found again."""

from collections.abc import Mapping, Sequence
from typing import Any

from botyard.model import ModelCallError
from botyard.workflow.conversation_store import ConversationStore
from botyard.workflow.database.conv_index import ConvIndex
from botyard.workflow.database.kb_client import Embed


class ContextRAGClient:
    """Finds what was said before that helps now."""

    def __init__(self, conv_idx: ConvIndex, store: ConversationStore | None = None, embed: Embed | None = None) -> None:
        """Prepare.

        Args:
            conv_idx: What was said.
            store: Files of the conversations; None: there is no storage.
            embed: Makes vectors; None, or a Bot without a model: what was said is found by words alone.
        """
        self.conv_idx = conv_idx
        self.store = store
        self._embed = embed

    async def search(
        self,
        query: str,
        *,
        user_id: str | None = None,
        conversation_id: str | None = None,
        roles: Sequence[str] = (),
        top_k: int = 5,
    ) -> list[dict[str, Any]]:
        """Return messages that help with `query`, best first: by meaning where they have vectors, else by words.

        Args:
            query: What is asked now.
            user_id: Of this user's conversations alone.
            conversation_id: Of this conversation alone.
            roles: Of these roles alone.
            top_k: How many at most.

        Raises:
            DatabaseError: The database cannot be asked.
        """
        where = {"user_id": user_id, "conversation_id": conversation_id, "roles": roles, "top_k": top_k}
        if (embedding := await self._vector(query)) is not None:
            found = await self.conv_idx.search(embedding=embedding, **where)  # type: ignore[arg-type]
            if found:
                return found
        return await self.conv_idx.search(query, **where)  # type: ignore[arg-type]

    async def save_turn(
        self,
        *,
        conversation_id: str,
        turn_id: str,
        user_text: str,
        assistant_text: str,
        user_id: str | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep what was said in a turn; a turn that is run again keeps nothing twice.

        Raises:
            DatabaseError: It cannot be kept.
        """
        for role, text in (("user", user_text), ("assistant", assistant_text)):
            await self.conv_idx.add_message(
                conversation_id=conversation_id,
                turn_id=turn_id,
                user_id=user_id,
                role=role,
                text=text,
                payload=payload,
                embedding=await self._vector(text),
                message_id=f"{conversation_id}/{turn_id}/{role}",
            )

    async def recent(self, conversation_id: str, *, limit: int = 20) -> list[dict[str, Any]]:
        """Return the newest messages of a conversation, oldest first.

        Raises:
            DatabaseError: The database cannot be asked.
        """
        return await self.conv_idx.messages(conversation_id, limit=limit)

    async def _vector(self, text: str) -> list[float] | None:
        if self._embed is None or not text.strip():
            return None
        try:
            return (await self._embed([text]))[0]
        except ModelCallError as error:
            if error.code != "no_model":
                raise
            return None
