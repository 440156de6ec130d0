"""Any message: made from its own fields."""

import typing
from typing import Any, Literal, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from schemas.records import Message

FLOAT = st.floats(allow_nan=False, allow_infinity=False)
INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INT64 | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    plain = {
        str: st.text(),
        int: INT64,
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        bytes: st.binary(),
        type(None): st.none(),
        Any: JSON,
    }
    if kind in plain:
        return plain[kind]
    if kind is msgspec.Raw:
        return st.dictionaries(st.text(), JSON).map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
    arguments = get_args(kind)
    match get_origin(kind):
        case origin if origin is Literal:
            return st.sampled_from(arguments)
        case origin if origin is list:
            return st.lists(values(arguments[0]), max_size=3)
        case origin if origin is dict:
            return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
        case origin if origin is tuple:
            return st.lists(values(arguments[0]), max_size=3).map(tuple) if arguments[-1] is ... else st.tuples(*map(values, arguments))
        case _ if arguments:
            return st.one_of(*map(values, arguments))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return structs(kind)
    raise TypeError(f"no values for {kind}")


def structs(kind: type[Any]) -> st.SearchStrategy[Any]:
    fields = {field.name: typing.get_type_hints(kind)[field.name] for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **{name: values(type_) for name, type_ in fields.items()})


def any_message(kind: type[Message]) -> st.SearchStrategy[Message]:
    """Any instance of one message type."""
    return structs(kind)
