"""How a delivery or a request of a vendor fails."""


class DeliveryFailed(Exception):
    """A message could not be delivered this time."""

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float = 0.0) -> None:
        """Describe a failure.

        Args:
            message: What happened; holds no secret.
            permanent: To try again cannot help.
            retry_after: Seconds that the receiver asked to wait for.
        """
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


class NotGenuine(Exception):
    """A request does not come from the vendor: a signature or secret is missing or wrong."""


class Unreadable(Exception):
    """A request is genuine and not what the vendor's protocol says; the message names the member."""


class ChannelsInvalid(ValueError):
    """The file of channels cannot be used; the message says what to change."""
