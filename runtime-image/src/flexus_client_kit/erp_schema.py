"""Rows of ERP tables; see `botyard.loop.erp_schema`."""

from botyard.loop.erp_schema import *  # noqa: F403
from botyard.loop.erp_schema import TABLES

ERP_TABLE_TO_SCHEMA = TABLES
