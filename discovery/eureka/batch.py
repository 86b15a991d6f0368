"""The batch in which Eureka servers tell each other what their clients have said, as JSON both ways.

    {"replicationList": [{"appName", "id", "action", "lastDirtyTimestamp"?, "status"?, "overriddenStatus"?,
                          "instanceInfo"?}]}        instanceInfo: an instance's document, without a wrapper
    {"responseList": [{"statusCode", "responseEntity"?}]}       one for each item, in their order

What has no value is left out. An item that cannot be read does not disturb the others: it stands as None in its place.

Source: Netflix Eureka, ReplicationList and ReplicationListResponse; what two of its servers say to each other.

Not here: what an item does (`discovery.eureka.inbound`), which are sent (`discovery.eureka.outbox`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from discovery.eureka.decode import Unparsable
from discovery.hearer import Action
from shared.errors import BadInput

PATH: Final = "peerreplication/batch/"


class Item(msgspec.Struct, omit_defaults=True, rename="camel"):
    app_name: str
    id: str
    action: Action
    last_dirty_timestamp: int | None = None
    status: str | None = None
    overridden_status: str | None = None
    instance_info: dict[str, Any] | None = None


class Response(msgspec.Struct, omit_defaults=True, rename="camel"):
    status_code: int
    response_entity: dict[str, Any] | None = None


class _Items(msgspec.Struct, rename="camel"):
    replication_list: list[Item]


class _RawItems(msgspec.Struct, rename="camel"):
    replication_list: list[msgspec.Raw]


class _Responses(msgspec.Struct, rename="camel"):
    response_list: list[Response]


_encode = msgspec.json.Encoder().encode
_raw = msgspec.json.Decoder(_RawItems)
_item = msgspec.json.Decoder(Item, strict=False)
_responses = msgspec.json.Decoder(_Responses, strict=False)


def encode_items(items: list[Item]) -> bytes:
    return _encode(_Items(items))


def decode_items(body: bytes) -> list[Item | None]:
    """Raises Unparsable: it is no JSON; BadInput: it is no batch."""
    try:
        raw = _raw.decode(body).replication_list
    except msgspec.ValidationError as error:
        raise BadInput(f'replication batch: expected {{"replicationList": [{{...}}]}}: {error}') from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unparsable(error) from error
    return [_read(each) for each in raw]


def encode_responses(responses: list[Response]) -> bytes:
    return _encode(_Responses(responses))


def decode_responses(body: bytes, expected: int) -> Sequence[Response]:
    """Raises BadInput: not one response for each item."""
    try:
        found = _responses.decode(body).response_list
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f'replication answer: expected {{"responseList": [{{...}}]}}: {error}') from error
    if len(found) != expected:
        raise BadInput(f"responseList: {len(found)} responses, expected {expected}, one for each item")
    return found


def _read(raw: msgspec.Raw) -> Item | None:
    try:
        return _item.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
