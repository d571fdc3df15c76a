"""Config: which models a workflow uses, and what else its host tells it."""

import os
from collections.abc import Mapping
from typing import Any

DEFAULT_PROVIDER = "openai"
DEFAULT_MODEL = "gpt-4o-mini"

RoleModel = dict[str, Any]
"""{provider, model, …}"""


class Config:
    """The settings of one request.

    Attributes:
        selected_model: The model of roles that name none.
        role_models: {role: {provider, model}}; write them with `set_role_models`.
        embedder_config: {provider, model, …} of embeddings.
        ai_bundle_spec: The bundle that is served (see `AgenticBundleSpec`), or None.
        tenant: For whom the platform works.
        project: The same, within the tenant.
        values: Everything else that it was made of.
    """

    def __init__(
        self,
        selected_model: str | None = None,
        role_models: Mapping[str, Any] | None = None,
        embedding_model: str | None = None,
        embedding_provider: str | None = None,
        ai_bundle_spec: Any = None,
        **values: Any,
    ) -> None:
        self.selected_model = selected_model or os.environ.get("DEFAULT_LLM_MODEL_ID") or DEFAULT_MODEL
        self.provider = str(values.pop("provider", None) or DEFAULT_PROVIDER)
        self.role_models: dict[str, RoleModel] = {}
        self.embedder_config: dict[str, Any] = {}
        self.ai_bundle_spec = ai_bundle_spec
        self.tenant = str(values.pop("tenant", None) or os.environ.get("TENANT_ID") or "")
        self.project = str(values.pop("project", None) or os.environ.get("DEFAULT_PROJECT_NAME") or "")
        self.values: dict[str, Any] = values
        for name, value in values.items():
            if not hasattr(type(self), name):
                setattr(self, name, value)
        self.set_role_models(role_models or {})
        if embedding_model or embedding_provider:
            self.set_embedding(provider=embedding_provider or DEFAULT_PROVIDER, model=embedding_model)

    def set_role_models(self, role_models: Mapping[str, Any]) -> None:
        """Add models for roles; a role that is there already gets the new one.

        Args:
            role_models: {role: "gpt-4o"} or {role: {"provider": "openai", "model": "gpt-4o"}}.

        Raises:
            ValueError: A model is written in neither way.
        """
        for role, model in role_models.items():
            self.role_models[str(role)] = role_model(model, role=str(role), provider=self.provider)

    def set_embedding(
        self, embedding: Mapping[str, Any] | str | None = None, *, provider: str | None = None, model: str | None = None
    ) -> None:
        """Say which model embeds texts: a name, or {provider, model, …}."""
        given = {"model": embedding} if isinstance(embedding, str) else dict(embedding or {})
        chosen = {"provider": provider or given.pop("provider", None) or DEFAULT_PROVIDER}
        if name := (model or given.pop("model", None) or given.pop("model_name", None) or given.pop("name", None)):
            chosen["model"] = str(name)
        self.embedder_config = chosen | given

    @property
    def embedding_model(self) -> str | None:
        """Name of the model that embeds texts."""
        return self.embedder_config.get("model")

    @embedding_model.setter
    def embedding_model(self, model: str | None) -> None:
        self.embedder_config = {"provider": DEFAULT_PROVIDER, **self.embedder_config, "model": model}

    @property
    def embedding_provider(self) -> str | None:
        """Provider of the model that embeds texts."""
        return self.embedder_config.get("provider")

    def ensure_role(self, role: str) -> RoleModel:
        """Return the model of a role: its own, or that of the nearest role above it (`a.b.c` → `a.b` → `a`)."""
        name = role
        while name:
            if (found := self.role_models.get(name)) is not None:
                return found
            name = name.rpartition(".")[0]
        return {"provider": self.provider, "model": self.selected_model}


def role_model(model: Any, *, role: str, provider: str = DEFAULT_PROVIDER) -> RoleModel:
    """Return a role's model as {provider, model}.

    Raises:
        ValueError: It is neither a name nor an object that has one.
    """
    if isinstance(model, str) and model:
        return {"provider": provider, "model": model}
    if isinstance(model, Mapping):
        given = dict(model)
        name = given.pop("model", None) or given.pop("name", None) or given.pop("model_name", None)
        if name:
            return {"provider": given.pop("provider", None) or provider, "model": str(name), **given}
    raise ValueError(f"role {role!r}: write a model's name or {{provider, model}}, not {model!r}")
