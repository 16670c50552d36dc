"""What is wrong with a field of a record, in the words of this software instead of those of the library that checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic_core import ErrorDetails

from minivess.foundation.implements import implements

_WORDS: Mapping[str, str] = {
    "missing": "the field is missing",
    "extra_forbidden": "the field is unknown",
    "none_required": "must be left out",
    "string_type": "must be text, in quotation marks where it looks like a number or a date",
    "string_pattern_mismatch": "has the wrong form: it must match {pattern}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_unicode": "must be text in UTF-8",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "multiple_of": "must be a multiple of {multiple_of}",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "must be {expected_tags}",
    "union_tag_not_found": "must state {discriminator}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a mapping of fields",
    "mapping_type": "must be a mapping of fields",
    "model_type": "must be a mapping of fields",
    "model_attributes_type": "must be a mapping of fields",
    "json_invalid": "is not valid JSON",
    "json_type": "must be JSON text",
    "bytes_type": "must be bytes",
    "path_type": "must be a path",
    "date_type": "must be a date, for example 2026-01-31",
    "date_parsing": "must be a date, for example 2026-01-31",
    "date_from_datetime_parsing": "must be a date, for example 2026-01-31",
    "date_from_datetime_inexact": "must be a date without a time",
    "datetime_type": "must be a date and a time, for example 2026-01-31T12:00:00Z",
    "datetime_parsing": "must be a date and a time, for example 2026-01-31T12:00:00Z",
    "datetime_from_date_parsing": "must be a date and a time, for example 2026-01-31T12:00:00Z",
    "timezone_aware": "must have a time zone",
    "time_delta_type": "must be a duration",
    "time_delta_parsing": "must be a duration",
}
"""By the type of the problem (pydantic-core); names in braces are of its context."""
_OURS = ("value_error", "assertion_error")
_PLACE = re.compile(r"line ([0-9]+) column ([0-9]+)")
_OTHER = "has a value that is not allowed here"


@implements("REQ-308")
def problem_in_words(problem: ErrorDetails) -> str:
    """What was expected of the field, without its name and its value.

    Args:
        problem: from `ValidationError.errors(include_context=True)`.
    """
    kind = problem["type"]
    if kind in _OURS:  # raised by a validator of a record, in words for people
        return str(problem["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    template = _WORDS.get(kind)
    if template is None:
        return _OTHER
    context = _Context(problem.get("ctx", {}))
    place = _PLACE.search(str(context.get("error", ""))) if kind == "json_invalid" else None
    if place is not None:
        return f"is not valid JSON (line {place[1]}, column {place[2]})"
    if context.get("min_length") == 1:
        return "must not be empty"
    return template.format_map(context)


class _Context(dict[str, object]):
    """The facts of a problem; one that is absent is shown as an ellipsis."""

    def __missing__(self, name: str) -> str:
        return "…"
