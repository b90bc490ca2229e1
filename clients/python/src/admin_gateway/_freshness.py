"""How old an answer is, and where it comes from."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Freshness(NamedTuple):
    """Of the headers Age and Cache-Status. None where the answer has none, as that to a write has no age.

    age: seconds since it was fetched. hit: it was stored. forwarded: why it was fetched, such as `miss`, `stale` or
    `bypass`. ttl: the seconds for which it stays fresh; below zero it is stale.
    """

    age: int | None
    hit: bool
    forwarded: str
    ttl: int | None


def freshness(metadata: Iterable[Any] | None) -> Freshness:
    """Reads the initial metadata of a call: `answer, call = stub.GetProject.with_call(…)`."""
    headers = {pair[0]: str(pair[1]) for pair in metadata or ()}
    # Caches in between have members of their own.
    members = [member.split(";") for member in headers.get("cache-status", "").split(",")]
    own = next((member[1:] for member in members if member[0].strip() == "admin-gateway"), [])
    parts = {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in own)}
    return Freshness(_number(headers.get("age")), "hit" in parts, parts.get("fwd", ""), _number(parts.get("ttl")))


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
