"""Artifacts: content-addressed archives on the operator's disk, and the HTTP server that pods fetch them from."""

from botyard_operator.artifacts.errors import StorageError
from botyard_operator.artifacts.server import ArtifactServer
from botyard_operator.artifacts.store import ArtifactStore
from botyard_operator.artifacts.tokens import token_for, token_matches

__all__ = ["ArtifactServer", "ArtifactStore", "StorageError", "token_for", "token_matches"]
