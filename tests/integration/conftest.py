"""Servers that integration tests share."""

from tests.integration.apiserver.fixture import apiserver, namespace

__all__ = ["apiserver", "namespace"]
