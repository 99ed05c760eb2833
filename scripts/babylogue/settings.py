"""What all settings classes share; each stage keeps its own settings beside its code."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError


class Settings(BaseModel):
    """Typed settings: unknown keys are errors, and the text under a field describes it in the JSON schema.

    Numbers are finite. A default is checked like a value that is given, so that stating it changes nothing.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False, validate_default=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _no_boolean_for_a_number(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """YAML reads no, off, yes and on as booleans, which pydantic would take for the numbers 0 and 1."""
        settings = handler(values)
        for name, value in values.items() if isinstance(values, dict) else ():
            if _is_boolean_for_another(value, getattr(settings, name)):
                nullable = type(None) in get_args(cls.model_fields[name].annotation)
                message = "must be a number, and YAML reads no, off, yes and on as booleans"
                message += "; write null to switch it off" if nullable else ""
                error = PydanticCustomError("value_error", message)
                raise ValidationError.from_exception_data(
                    cls.__name__, [InitErrorDetails(type=error, loc=(name,), input=value)]
                )
        return settings


def _is_boolean_for_another(value: Any, checked: Any) -> bool:
    """Whether a boolean, or one in a list or table, has become something else by being checked."""
    if isinstance(value, bool):
        return not isinstance(checked, bool)
    if isinstance(value, list) and isinstance(checked, list):
        return any(map(_is_boolean_for_another, value, checked))
    if isinstance(value, dict) and isinstance(checked, dict):
        return any(_is_boolean_for_another(item, checked.get(key)) for key, item in value.items())
    return False


def sorted_by_key(table: dict) -> dict:
    """The same table in the order of its keys."""
    return dict(sorted(table.items()))


_Key, _Value = TypeVar("_Key"), TypeVar("_Value")
UnorderedTable = Annotated[dict[_Key, _Value], AfterValidator(sorted_by_key)]
"""A table whose order means nothing: sorted, so that the same entries in another order are the same settings."""
UnorderedList = Annotated[list[_Value], AfterValidator(sorted)]
"""A list whose order means nothing, sorted likewise."""

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def _expanded_path(text: str) -> str:
    """A path with `~` and environment variables put in, without a slash at its end or `./` in it."""
    if not text.strip():
        raise ValueError("a path must not be empty")
    path = os.path.expandvars(text)
    if unset := _VARIABLE.search(path):
        raise ValueError(f"{text!r}: the environment variable {unset[1].strip('{}')} is not set")
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise ValueError(f"{text!r}: there is no home folder {path.split('/')[0]}; write the whole path")
    if braces := set("{}") & set(expanded):
        raise ValueError(f"{text!r}: a path must not have {' or '.join(sorted(braces))} in it")
    return str(Path(expanded))


LocalPath = Annotated[str, AfterValidator(_expanded_path)]
"""A file or folder on this machine; `~` and environment variables ($HOME, ${DATA}) are put in."""
