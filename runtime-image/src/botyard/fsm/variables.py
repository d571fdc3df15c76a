"""A session's variables, in the two ways that bots declare them.

A bot that declares `variable_names` gets an instance of that pydantic model, every other bot gets a dict. Both know
indexing and calling (`self.variables("name")`), so that a bot may write either.
"""

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from botyard.fsm.errors import VariableError


class Variables(BaseModel):
    """Base of the models that bots give as `variable_names`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True, ser_json_inf_nan="constants")

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def __contains__(self, name: object) -> bool:
        return name in type(self).model_fields

    def __call__(self, name: str, default: Any = None) -> Any:
        """Return a variable, or `default` where it does not exist."""
        return getattr(self, name, default)


class DictVariables(dict[str, Any]):
    """Variables of a bot that declares none."""

    def __call__(self, name: str, default: Any = None) -> Any:
        """Return a variable, or `default` where it has not been set."""
        return self.get(name, default)


def declared_model(declared: Any) -> type[BaseModel] | None:
    """Return the model that a class declares as `variable_names`, or None where its variables are a dict."""
    if isinstance(declared, type) and issubclass(declared, BaseModel) and declared is not Variables:
        return declared
    return None


def fresh(model: type[BaseModel] | None, initial: Mapping[str, Any] | None = None) -> Any:
    """Return the variables of a new session.

    Raises:
        VariableError: The model has a variable without a default.
    """
    if model is None:
        return DictVariables(copy.deepcopy(dict(initial or {})))
    try:
        return model()
    except ValidationError as error:
        names = ", ".join(str(item["loc"][0]) for item in error.errors() if item["loc"])
        raise VariableError(f"{model.__name__} needs a default for: {names}.") from error


def dump(variables: Any) -> dict[str, Any]:
    """Return the variables as plain data.

    Raises:
        VariableError: A value of a model cannot be written as JSON, or one contains itself; the message names its
            variable.
    """
    if not isinstance(variables, BaseModel):
        return {name: _copy_named(name, value) for name, value in dict(variables).items()}
    try:
        return variables.model_dump(mode="json", warnings=False)
    except Exception as error:
        for name in [*type(variables).model_fields, *(variables.model_extra or {})]:
            try:
                variables.model_dump(mode="json", include={name}, warnings=False)
            except Exception as cause:
                raise VariableError(f"Variable {name!r} cannot be saved as JSON: {cause}") from cause
        raise VariableError(f"The variables cannot be saved as JSON: {error}") from error


def load(model: type[BaseModel] | None, saved: Mapping[str, Any]) -> Any:
    """Return saved variables, validated; unknown names of a model are dropped.

    A value that equals its variable's default is taken as it is, as pydantic does with defaults: `name: str = None`
    is a common way to write a variable.

    Raises:
        pydantic.ValidationError: A value does not fit its variable.
    """
    if model is None:
        return DictVariables(plain_copy(dict(saved)))
    changed = {
        name: plain_copy(value)
        for name, value in saved.items()
        if name not in model.model_fields or model.model_fields[name].is_required() or value != _default(model, name)
    }
    return model.model_validate(changed)


def names(model: type[BaseModel] | None) -> frozenset[str] | None:
    """Return the names that may be set, or None where every name may."""
    if model is None or model.model_config.get("extra") == "allow":
        return None
    return frozenset(model.model_fields)


def read(variables: Any, name: str, default: Any = None) -> Any:
    """Return one variable of either kind."""
    return getattr(variables, name, default) if isinstance(variables, BaseModel) else variables.get(name, default)


def has(variables: Any, name: str) -> bool:
    """Tell whether there is such a variable."""
    return hasattr(variables, name) if isinstance(variables, BaseModel) else name in variables


def write(variables: Any, name: str, value: Any) -> None:
    """Set one variable of either kind.

    Raises:
        VariableError: The model does not declare it.
    """
    if not isinstance(variables, BaseModel):
        variables[name] = value
        return
    allowed = names(type(variables))
    if allowed is not None and name not in allowed:
        raise VariableError(f"{type(variables).__name__} declares no variable {name!r}.")
    setattr(variables, name, value)


def as_dict(variables: Any) -> dict[str, Any]:
    """Return the variables by name, values not copied."""
    return dict(variables)


def plain_copy(value: Any) -> Any:
    """Copy containers, so that neither side writes into the other's; what is not plain data is shared."""
    if isinstance(value, dict):
        return {key: plain_copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_copy(item) for item in value]
    return value


def _copy_named(name: str, value: Any) -> Any:
    try:
        return plain_copy(value)
    except RecursionError:
        raise VariableError(f"Variable {name!r} cannot be saved: it contains itself.") from None


def _default(model: type[BaseModel], name: str) -> Any:
    field = model.model_fields[name]
    if field.default_factory is not None:
        return _NOTHING
    default = field.default
    return default if default is None or isinstance(default, str | int | float | bool) else _NOTHING


_NOTHING = object()
