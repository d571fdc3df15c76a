"""Rows of the company's database as bots ask for them and write them, in PostgreSQL, with the Persona's own role."""

from botyard.erp.store.audit import Actor
from botyard.erp.store.database import Database, Databases
from botyard.erp.store.errors import StoreError
from botyard.erp.store.requests import Get, Query, read
from botyard.erp.store.rows import get, query
from botyard.erp.store.writing import write

__all__ = ["Actor", "Database", "Databases", "Get", "Query", "StoreError", "get", "query", "read", "write"]
