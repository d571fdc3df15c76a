"""What goes wrong with storage."""


class StorageError(Exception):
    """An artifact could not be stored or read; `full` tells whether room is missing."""

    def __init__(self, message: str, *, full: bool) -> None:
        super().__init__(message)
        self.full = full
