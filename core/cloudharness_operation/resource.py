"""Base class, string types and rules of the resource's models.

`form` defines the form of a string once: pydantic applies its pattern, and the API server a rule
whose message is a sentence, while that of a bare pattern would be the pattern.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel


class Resource(BaseModel):
    """A piece of the resource: camelCase outside, frozen inside."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


Rule = tuple[str, str] | tuple[str, str, str]
"""A CEL expression that must hold, the message if it does not, and the field that it is about."""


def rules(*given: Rule) -> dict[str, Any]:
    """Return the CEL rules of a model or of a field, for its JSON schema."""
    return {"x-kubernetes-validations": [_rule(*one) for one in given]}


def _rule(rule: str, message: str, field: str = "") -> dict[str, str]:
    return {"rule": rule, "message": message, **({"fieldPath": f".{field}"} if field else {})}


def keyed_by(key: str) -> dict[str, Any]:
    """Return what makes a list one of unique keys, for its JSON schema."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def cel(text: str) -> str:
    """Return a text as CEL writes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def form(pattern: str, most: int, message: str, *more: Rule, rule: str = "") -> Any:  # noqa: ANN401
    """Return what makes a string one of a form: at most `most` characters that match `pattern`.

    `message` says how to write it. `more` are rules that take more than a pattern. `rule` says the
    same as the pattern where matching it may cost too much: the API server multiplies the lengths
    of text and pattern with how often the field can occur, and allows 10 million.
    """
    matches = (rule or f"self.matches({cel(pattern)})", message)
    return Field(pattern=pattern, max_length=most, json_schema_extra=rules(matches, *more))


LABEL_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]+((-+|[.])[a-z0-9]+)*$"
QUALIFIED_NAME_PATTERN: Final = (
    r"^([a-z0-9]+((-+|[.])[a-z0-9]+)*/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$"
)
LABEL_VALUE_PATTERN: Final = r"^([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$"
LABEL_VALUE_LENGTH: Final = 63

Label = Annotated[
    str,
    form(
        LABEL_PATTERN,
        63,
        "use lower-case letters, digits and '-', with a letter or a digit at both ends",
    ),
]
Subdomain = Annotated[
    str,
    form(
        SUBDOMAIN_PATTERN,
        253,
        "write the name of an object: lower-case letters, digits, '-' and '.', with a letter or "
        "a digit at both ends",
    ),
]
QualifiedName = Annotated[
    str,
    form(
        QUALIFIED_NAME_PATTERN,
        317,
        "write a label's key: letters, digits, '-', '_' and '.', at most 63, after a domain "
        "and '/' if need be, such as example.org/disk",
    ),
]
LabelValue = Annotated[
    str,
    form(
        LABEL_VALUE_PATTERN,
        LABEL_VALUE_LENGTH,
        "write a label's value: letters, digits, '-', '_' and '.', with a letter or a digit "
        "at both ends",
    ),
]

QUANTITY_PATTERN: Final = (
    r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]{1,2})?$"
)
"""apimachinery, pkg/api/resource/quantity.go, without signs and what is less than a milli,
and with exponents of two digits, which is more than a quantity can hold."""

_AS_TEXT: Final = BeforeValidator(lambda value: str(value) if type(value) is int else value)

Quantity = Annotated[
    str,
    _AS_TEXT,
    Field(pattern=QUANTITY_PATTERN, max_length=32),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "pattern": QUANTITY_PATTERN,
            "maxLength": 32,
            "minimum": 0,
        }
    ),
]
"""As in a pod: `2`, `"500m"`, `"1.5Gi"`. No CEL rule: before Kubernetes 1.34 the API server takes
any int-or-string for one of 3 MiB when it adds up what rules may cost, and would refuse the CRD."""

Size = Annotated[
    str,
    _AS_TEXT,
    form(
        QUANTITY_PATTERN,
        32,
        "write a number with a unit, such as 500Mi or 10Gi",
        (
            "!isQuantity(self) || quantity(self).isGreaterThan(quantity('0'))",
            "a volume needs some room: write a size of more than 0, such as 10Gi",
        ),
    ),
]
"""A quantity of storage."""

FREE_FORM: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""The schema of an object with any fields."""
