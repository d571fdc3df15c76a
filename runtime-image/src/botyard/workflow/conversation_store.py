"""The conversation store: what belongs to conversations and is too large for a database, in the bundle's storage.

conversations/<tenant>/<project>/<user>/<conversation>/<turn>/<name>
"""

import asyncio
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from botyard.workflow.storage import Storage, open_storage

VARIABLE = "KDCUBE_STORAGE_PATH"
_UNSAFE = re.compile(r"[^A-Za-z0-9._@+=-]+")


class ConversationStore:
    """Files of the conversations of one bot."""

    def __init__(self, storage: Storage, *, tenant: str, project: str) -> None:
        self._storage = storage
        self._root = f"conversations/{_part(tenant)}/{_part(project)}"

    @classmethod
    def from_env(cls, *, tenant: str, project: str) -> "ConversationStore | None":
        """Return the store in the storage that KDCUBE_STORAGE_PATH names, or None."""
        uri = os.environ.get(VARIABLE)
        return cls(open_storage(uri), tenant=tenant, project=project) if uri else None

    async def put(
        self,
        *,
        user_id: str | None,
        conversation_id: str,
        turn_id: str,
        name: str,
        content: bytes | str | Mapping[str, Any],
    ) -> str:
        """Keep a file of a turn and return its path; an object is kept as JSON.

        Raises:
            botyard.workflow.storage.StorageError: It cannot be kept.
        """
        path = f"{self._folder(user_id, conversation_id)}/{_part(turn_id)}/{_part(name)}"
        if isinstance(content, Mapping):
            content = json.dumps(content, ensure_ascii=False)
        data = content.encode() if isinstance(content, str) else content
        await asyncio.to_thread(self._storage.write, path, data)
        return path

    async def get(self, path: str) -> bytes:
        """Return a file; raises FileNotFoundError."""
        return await asyncio.to_thread(self._storage.read, path)

    async def list(self, *, user_id: str | None, conversation_id: str) -> list[str]:
        """Return the paths of a conversation's files."""
        folder = self._folder(user_id, conversation_id)
        return await asyncio.to_thread(lambda: list(self._storage.walk(folder)))

    def _folder(self, user_id: str | None, conversation_id: str) -> str:
        return f"{self._root}/{_part(user_id or 'anonymous')}/{_part(conversation_id)}"


def _part(name: str) -> str:
    """Return a name as one part of a path: it leads nowhere else."""
    return _UNSAFE.sub("_", name).lstrip(".") or "_"
