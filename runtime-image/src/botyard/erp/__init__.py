"""Rows of the company's database: those that change reach bots, and bots read and write them.

Bots use what this module names:

    from botyard import erp

    contacts = await erp.query("crm_contact", ["contact_country:=:DE"], order=["contact_last_name"])
"""

from botyard.loop.erp_schema import Row, table_class
from botyard.loop.rows import Batch, archive, batch, create, delete, get, patch, query

__all__ = ["Batch", "Row", "archive", "batch", "create", "delete", "get", "patch", "query", "table_class"]
