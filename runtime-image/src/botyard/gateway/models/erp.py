"""Bodies of changes of the company's database."""

from pydantic import Field

from botyard.gateway.models.base import Answer


class ErpAnswer(Answer):
    """The changes are stored for everybody who subscribed to them."""

    accepted: int = Field(description="Changes that were new, also those that nobody subscribed to.")
    duplicate: int = Field(description="Changes that were sent before, by their id.")
    deliveries: int = Field(description="Events that were stored: one for each Persona that gets a change.")
