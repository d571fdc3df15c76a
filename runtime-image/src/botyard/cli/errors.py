"""How commands fail: a message for the person at the terminal and an exit code, never a traceback."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class CommandError(Exception):
    """A failure that the user can do something about.

    Args:
        message: What is wrong and what to do.
        code: The process's exit code.
    """

    def __init__(self, message: str, *, code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.code = code
