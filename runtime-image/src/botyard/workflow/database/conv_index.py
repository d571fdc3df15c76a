"""The index of conversations: what was said, found by words, by meaning, or by place."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from botyard.workflow.database.connection import Database, vector
from botyard.workflow.database.schema import ANY_WORD

_COLUMNS = "id, user_id, conversation_id, turn_id, role, text, tags, payload, at"
_UPSERT = """INSERT INTO botyard_workflow.messages
    (scope, id, user_id, conversation_id, turn_id, role, text, tags, payload, embedding)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10::vector)
    ON CONFLICT (scope, id) DO UPDATE SET text = excluded.text, tags = excluded.tags, payload = excluded.payload,
    embedding = coalesce(excluded.embedding, botyard_workflow.messages.embedding)"""


class ConvIndex:
    """What was said in the conversations of one bot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_message(
        self,
        *,
        conversation_id: str,
        role: str,
        text: str,
        turn_id: str | None = None,
        user_id: str | None = None,
        tags: Sequence[str] = (),
        payload: Mapping[str, Any] | None = None,
        embedding: Sequence[float] | None = None,
        message_id: str | None = None,
    ) -> str:
        """Keep a message and return its id.

        Args:
            conversation_id: Where it was said.
            role: user, assistant, or what the bundle calls it.
            text: What was said.
            turn_id: When.
            user_id: Whose conversation it is.
            tags: Words to find it by.
            payload: What else belongs to it.
            embedding: Its vector, for searches by meaning.
            message_id: A second message of this id takes the first one's place; left out, it follows from turn, role
                and text, so that a turn that is run again keeps nothing twice.

        Raises:
            DatabaseError: It cannot be kept.
        """
        identity = message_id or _identity(conversation_id, turn_id, role, text)
        row = (
            self._database.scope,
            identity,
            user_id,
            conversation_id,
            turn_id,
            role,
            text.replace("\0", ""),
            list(tags),
            None if payload is None else json.dumps(payload),
            None if embedding is None else vector(embedding),
        )
        await self._database.write([(_UPSERT, row)])
        return identity

    async def search(
        self,
        query: str = "",
        *,
        embedding: Sequence[float] | None = None,
        user_id: str | None = None,
        conversation_id: str | None = None,
        roles: Sequence[str] = (),
        tags: Sequence[str] = (),
        top_k: int = 5,
    ) -> list[dict[str, Any]]:
        """Return the messages that fit best, best first, each with its `score` (higher is better).

        Args:
            query: Words; messages with any of them fit.
            embedding: A vector; given, it decides in place of the words.
            user_id: Of this user's conversations alone.
            conversation_id: Of this conversation alone.
            roles: Of these roles alone.
            tags: With all of these tags.
            top_k: How many at most.

        Raises:
            DatabaseError: It cannot be asked.
        """
        arguments: list[Any] = [self._database.scope, user_id, conversation_id, list(roles), list(tags), top_k]
        if embedding is not None:
            arguments += [vector(embedding), len(embedding)]
            score = "1 - (embedding <=> $7::vector)"
            fits = "embedding IS NOT NULL AND vector_dims(embedding) = $8"
        else:
            arguments.append(query)
            words = ANY_WORD.format("$7")
            score, fits = f"ts_rank(words, {words})", f"words @@ {words}"
        rows = await self._database.fetch(
            f"""SELECT {_COLUMNS}, {score} AS score FROM botyard_workflow.messages
            WHERE scope = $1 AND ($2::text IS NULL OR user_id = $2) AND ($3::text IS NULL OR conversation_id = $3)
            AND (cardinality($4::text[]) = 0 OR role = ANY($4)) AND tags @> $5::text[] AND {fits}
            ORDER BY score DESC, number DESC LIMIT $6""",  # noqa: S608 - made of constants; values are parameters
            *arguments,
        )
        return [_message(row) for row in rows]

    async def messages(self, conversation_id: str, *, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest messages of a conversation, oldest first.

        Raises:
            DatabaseError: It cannot be asked.
        """
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM botyard_workflow.messages WHERE scope = $1 AND conversation_id = $2 "  # noqa: S608
            "ORDER BY number DESC LIMIT $3",
            self._database.scope,
            conversation_id,
            limit,
        )
        return [_message(row) for row in reversed(rows)]

    async def delete_conversation(self, conversation_id: str) -> None:
        """Forget a conversation.

        Raises:
            DatabaseError: It cannot be done.
        """
        statement = "DELETE FROM botyard_workflow.messages WHERE scope = $1 AND conversation_id = $2"
        await self._database.write([(statement, (self._database.scope, conversation_id))])


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    payload = row["payload"]
    return {**row, "payload": json.loads(payload) if isinstance(payload, str) else payload, "at": row["at"].isoformat()}


def _identity(*parts: str | None) -> str:
    return hashlib.sha256("\0".join(part or "" for part in parts).encode("utf-8", "replace")).hexdigest()[:32]
