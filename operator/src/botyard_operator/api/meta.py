"""Metadata and conditions, as every object of the Kubernetes API has them."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from botyard_operator.api.base import Model


class ObjectMeta(Model):
    """The part of an object's metadata that Botyard reads."""

    name: str = ""
    """Name of the object."""
    namespace: str = ""
    """Namespace of the object."""
    uid: str = ""
    """Identity of the object, never used again after its deletion."""
    generation: int = 0
    """Counts the changes of the spec."""
    resource_version: str = ""
    """Opaque version of the object, changed by every write."""
    creation_timestamp: str | None = None
    """When the object was created (RFC 3339)."""
    deletion_timestamp: str | None = None
    """When deletion was requested (RFC 3339); None for an object that stays."""
    labels: dict[str, str] = {}
    """Labels of the object."""
    annotations: dict[str, str] = {}
    """Annotations of the object."""
    finalizers: tuple[str, ...] = ()
    """What must still clean up before a deleted object goes."""

    @field_validator("labels", "annotations", "finalizers", mode="before")
    @classmethod
    def _absent(cls, value: Any, info: ValidationInfo) -> Any:
        # Go clients write null for an empty map or list.
        if value is None:
            return () if info.field_name == "finalizers" else {}
        return value


class Condition(Model):
    """One aspect of an object's state, in the sense of the Kubernetes API conventions."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Which aspect: Ready, Reconciling, Stalled or one of the kind's own."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why, in one word of the documented list."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """What happened, to which object, and what to do about it."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the spec that this condition speaks of."""
    last_transition_time: str = ""
    """When `status` last changed (RFC 3339)."""
