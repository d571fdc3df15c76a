"""What a workflow may use beside its models: what was said, documents, files, passages."""

from typing import Any

from botyard.workflow import documents
from botyard.workflow.conversation_store import ConversationStore
from botyard.workflow.database import ContextRAGClient, ConvIndex, Database, KBClient, database_of
from botyard.workflow.models_service import ModelsService


class Services:
    """The part of `BaseEntrypoint` that leads to databases, storages and documents.

    Attributes:
        pg_pool: A pool of Postgres connections (asyncpg), or None.
        ctx_client: What `get_ctx_client` returns, where the bundle has one.
        models_service: Asks the models of the Bot.
    """

    pg_pool: Any
    ctx_client: Any
    models_service: ModelsService

    @property
    def _actor(self) -> tuple[str, str]:
        """Return tenant and project of the request that is served."""
        raise NotImplementedError

    async def get_conv_index(self) -> ConvIndex | None:
        """Return the index of conversations, or None without `pg_pool`."""
        return ConvIndex(self._database()) if self.pg_pool is not None else None

    async def get_kb_client(self) -> KBClient | None:
        """Return the knowledge base, or None without `pg_pool`."""
        return KBClient(self._database(), self.models_service.embed) if self.pg_pool is not None else None

    async def get_ctx_client(self) -> Any:
        """Return the `ctx_client` of the constructor, or one on the index of conversations; None without `pg_pool`."""
        if self.ctx_client is None and (index := await self.get_conv_index()) is not None:
            tenant, project = self._actor
            store = ConversationStore.from_env(tenant=tenant, project=project)
            return ContextRAGClient(index, store, self.models_service.embed)
        return self.ctx_client

    def get_conversation_store(self) -> ConversationStore | None:
        """Return the store of what belongs to conversations, or None without a storage (KDCUBE_STORAGE_PATH)."""
        tenant, project = self._actor
        return ConversationStore.from_env(tenant=tenant, project=project)

    async def retrieve(
        self, question: str, *, collection: str = "", count: int = 5, hybrid: bool = True
    ) -> list[dict[str, Any]]:
        """Return the passages of the bot's documents that answer a question best, best first.

        Args:
            question: Words; nothing in them is an operator.
            collection: Folder below the bundle's `knowledge/`, or where documents were uploaded; empty: all of them.
            count: How many at most.
            hybrid: By words and by meaning, where the Bot's config has embeddings; else by meaning alone there.

        Returns:
            `{"chunk": text, "metadata": {"source", "heading", "collection", "number", "score"}}` each; none where there
            are no documents.

        Raises:
            botyard.retrieval.RetrievalError: There is no such collection.
        """
        return await documents.ask(question, collection, count, hybrid=hybrid)

    def _database(self) -> Database:
        tenant, project = self._actor
        return database_of(self.pg_pool, tenant, project)
