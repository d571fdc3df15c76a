"""What workflows keep in PostgreSQL, where the Bot has one: conversations and documents, by words and by meaning."""

from botyard.workflow.database.connection import Database, DatabaseError, database_of, open_pool
from botyard.workflow.database.context_client import ContextRAGClient
from botyard.workflow.database.conv_index import ConvIndex
from botyard.workflow.database.kb_client import KBClient

__all__ = ["ContextRAGClient", "ConvIndex", "Database", "DatabaseError", "KBClient", "database_of", "open_pool"]
