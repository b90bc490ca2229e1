"""Lists: the pages of a list, in the three styles of the Admin API, to an end or to an error."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from .errors import InvalidConfig
from .options.v1 import options_pb2

Item_co = TypeVar("Item_co", covariant=True)
Request = TypeVar("Request", bound=Message)
_STRING, _BOOL, _MESSAGE = FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BOOL, FieldDescriptor.TYPE_MESSAGE


class Page(Protocol[Item_co]):
    """A page of a list: the response of its call."""

    @property
    def data(self) -> Sequence[Item_co]:
        """The items."""

    @property
    def has_more(self) -> bool:
        """Whether another page follows."""


class EndlessList(Exception):
    """The pages of a list lead nowhere. The items that came are real, and are not the whole list.

    reason: `SameCursor`, `Cycle`, `EmptyPage`, `NoCursor`, `Contradiction` (there are no more, and they are there) or
        `PageCap`. pages: how many had come, with the wrong one.
    """

    def __init__(self, response: str, reason: str, pages: int):
        super().__init__(response, reason, pages)
        self.response, self.reason, self.pages = response, reason, pages

    def __str__(self) -> str:
        return f"{self.response} does not end: {self.reason} (page {self.pages})"


class Walk(Generic[Request]):
    """A walk through the pages of a list. `request` is the one to make next, None at the end."""

    def __init__(self, request: Request, max_pages: int):
        fields = [name for name in ("after", "page") if _has(request.DESCRIPTOR, name)]
        if len(fields) != 1:
            raise TypeError(f"{request.DESCRIPTOR.full_name} is not the request of a list")
        if getattr(request, "before", ""):
            raise InvalidConfig("before", f"is set in {request.DESCRIPTOR.full_name}: a list is read forward")
        self._field, self._max, self._pages = fields[0], max(max_pages, 1), 0
        self.request: Request | None = _copy(request)
        self._asked: str = getattr(request, self._field)
        self._seen = {_digest(self._asked)}

    def follow(self, page: Any) -> None:
        """Takes note of the page that came, and raises `EndlessList` where it leads nowhere."""
        self._pages += 1
        cursor, only_more = _cursor(page, self._field)
        reason = ""
        if not page.has_more:
            self.request = None
            reason = "Contradiction" if only_more and cursor else ""
        elif not page.data:
            reason = "EmptyPage"
        elif not cursor:
            reason = "NoCursor"
        elif cursor == self._asked:
            reason = "SameCursor"
        elif _digest(cursor) in self._seen:
            reason = "Cycle"
        elif self._pages >= self._max:
            reason = "PageCap"
        if reason:
            raise EndlessList(page.DESCRIPTOR.full_name, reason, self._pages)
        if self.request is not None:
            self._asked = cursor
            self._seen.add(_digest(cursor))
            self.request = _copy(self.request)
            setattr(self.request, self._field, cursor)


def list_items(
    call: Callable[[Request], Page[Item_co]], request: Request, max_pages: int = 10_000
) -> Iterator[Item_co]:
    """Yields the items of all pages of a list, from where the request says.

    `call` is a stub's method, or a function around it. It ends with the last item, or raises: the call's error, or
    `EndlessList` where the pages lead nowhere or are more than `max_pages`.
    """
    return _items(call, Walk(request, max_pages))


def _items(call: Callable[[Request], Page[Item_co]], walk: Walk[Request]) -> Iterator[Item_co]:
    while walk.request is not None:
        page = call(walk.request)
        yield from page.data
        walk.follow(page)


def _cursor(page: Any, field: str) -> tuple[str, bool]:
    """The cursor that a page names, and whether it does so only while there are more pages."""
    kind: Any = page.DESCRIPTOR
    if not (_has(kind, "data", _MESSAGE, repeated=True) and _has(kind, "has_more", _BOOL)):
        raise TypeError(f"{kind.full_name} is not a page of a list")
    for name in ("next_page",) if field == "page" else ("next",):
        if _has(kind, name):
            return getattr(page, name), True
    item = kind.fields_by_name["data"].message_type
    last, last_item = _has(kind, "last_id"), _has(item, "id")
    promised = last and not kind.fields_by_name["last_id"].GetOptions().Extensions[options_pb2.field].or_last_item
    if field == "page" or not (promised or last_item):
        raise TypeError(f"{kind.full_name} has no cursor")
    cursor = page.last_id if last else ""
    return cursor or (page.data[-1].id if page.data and not promised else ""), False


def _has(kind: Any, name: str, type_: int = _STRING, repeated: bool = False) -> bool:
    found = kind.fields_by_name.get(name)
    return found is not None and found.type == type_ and found.is_repeated == repeated


def _digest(cursor: str) -> bytes:
    return hashlib.sha256(cursor.encode()).digest()


def _copy(request: Request) -> Request:
    copy = type(request)()
    copy.CopyFrom(request)
    return copy
