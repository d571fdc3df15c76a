"""The configuration that all models of the API share, and the rules that they carry."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from botyard_operator.api.rules import VALIDATIONS, Rule


class Model(BaseModel):
    """A part of an object: camelCase outside, immutable, blind to fields that it does not know.

    Unknown fields are ignored because a newer CRD may be installed before the newer operator; with an equal CRD the API
    server has pruned or refused them already.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()
    """Rules about this object as a whole."""

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        for rule in self.rules:
            rule.check(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = handler(schema)
        if cls.rules:
            handler.resolve_ref_schema(json_schema)[VALIDATIONS] = [rule.to_schema() for rule in cls.rules]
        return json_schema
