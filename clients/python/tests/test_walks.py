import asyncio
import contextlib
import importlib
import pkgutil
import time

import admin_gateway
import grpc
import pytest
from admin_gateway import aio, errors
from admin_gateway.admin import v1 as admin
from admin_gateway.admin.v1 import cost_pb2, external_key_pb2, project_pb2
from admin_gateway.inventory.v1 import inventory_pb2, inventory_pb2_grpc
from admin_gateway.inventory.v1.stream_pb2 import Complete, End, Failure, Incomplete, Progress
from gateway import Refusal, serving
from google.protobuf import message_factory

CODE, Message = grpc.StatusCode, inventory_pb2.ListApiKeysResponse
both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "asyncio"])


def by_id(kind, *pages):
    """A list's call whose pages have items with these ids; `+` at the end of a page says that there are more."""
    turns = iter(pages)

    def call(_):
        ids = next(turns)
        page = kind(has_more=ids.endswith("+"), data=[{"id": one} for one in ids.rstrip("+")])
        if "last_id" in kind.DESCRIPTOR.fields_by_name and page.data and kind is project_pb2.ListProjectsResponse:
            page.last_id = page.data[-1].id
        return page

    return call


PROJECTS = project_pb2.ListProjectsResponse


@pytest.mark.parametrize(
    ("reason", "pages", "after"),
    [
        ("SameCursor", ["ab+", "b+"], ""),
        ("SameCursor", ["a+"], "a"),
        ("Cycle", ["a+", "b+", "a+"], ""),
        ("EmptyPage", ["a+", "+"], ""),
        ("PageCap", ["a+", "b+", "c+"], ""),
        ("", ["a+", "b+", "c"], ""),
    ],
)
def test_a_list_is_whole_or_raises(reason, pages, after):
    items, request = [], project_pb2.ListProjectsRequest(after=after)
    walk = admin_gateway.list_items(by_id(PROJECTS, *pages), request, max_pages=3)
    with pytest.raises(admin_gateway.EndlessList) if reason else contextlib.nullcontext() as caught:
        for item in walk:
            items.append(item.id)
    assert not reason or (caught.value.reason, caught.value.pages) == (reason, len(pages))
    assert items == [one for page in pages for one in page.rstrip("+")]
    assert request == project_pb2.ListProjectsRequest(after=after)


@pytest.mark.parametrize(
    ("reason", "page"),
    [
        ("NoCursor", cost_pb2.ListCostsResponse(has_more=True, data=[{}])),
        ("Contradiction", cost_pb2.ListCostsResponse(has_more=False, data=[{}], next_page="more")),
    ],
)
def test_a_page_that_contradicts_itself(reason, page):
    with pytest.raises(admin_gateway.EndlessList, match=reason):
        list(admin_gateway.list_items(lambda _: page, cost_pb2.ListCostsRequest()))


def test_a_list_without_a_promised_cursor_goes_on_after_its_last_item():
    asked = []
    pages = by_id(external_key_pb2.ListExternalKeysResponse, "ab+", "c")

    def call(request):
        asked.append(request.after)
        return pages(request)

    items = list(admin_gateway.list_items(call, external_key_pb2.ListExternalKeysRequest()))
    assert ([item.id for item in items], asked) == (["a", "b", "c"], ["", "b"])


def test_what_is_no_list_is_refused_at_once():
    with pytest.raises(ValueError, match="before"):
        admin_gateway.list_items(PROJECTS, external_key_pb2.ListExternalKeysRequest(before="a"))
    with pytest.raises(TypeError):
        admin_gateway.list_items(PROJECTS, project_pb2.GetProjectRequest())


def test_every_list_of_the_schema_can_be_walked():
    """Whatever release of the schema this is."""
    lists = []
    for module in pkgutil.iter_modules(admin.__path__):
        found = importlib.import_module(f"{admin.__name__}.{module.name}")
        for service in getattr(getattr(found, "DESCRIPTOR", None), "services_by_name", {}).values():
            lists += [method for method in service.methods if "has_more" in method.output_type.fields_by_name]
    assert len(lists) > 30
    for method in lists:
        request, kind = map(message_factory.GetMessageClass, (method.input_type, method.output_type))
        assert list(admin_gateway.list_items(lambda _, kind=kind: kind(), request())) == []


def page(*ids):
    return Message(keys={"project_id": "p", "items": [{"id": one} for one in ids]})


def progress(token="", repeats=False):
    return Message(progress=Progress(resume_token=token, repeats=repeats))


COMPLETE = Message(end=End(complete=Complete()))


def incomplete(*reasons, token="t"):
    return Message(end=End(incomplete=Incomplete(reasons=reasons, resume_token=token)))


def failure(code, reason="X", retry=None):
    return Message(failure=Failure(method="M", code=code, reason=reason, retry_delay=retry))


def read(streams, asynchronous, **options):
    """Reads an inventory from a gateway that sends these streams: the ids, the tokens asked for, the error."""
    turns, got, tokens = iter(streams), [], []

    def answer(_, request, __):
        tokens.append(request.resume_token)
        for message in next(turns):
            if isinstance(message, Exception):
                raise message
            if isinstance(message, float):
                time.sleep(message)
            else:
                yield message

    async def later(address):
        async with aio.connect(address) as channel:
            call = inventory_pb2_grpc.InventoryServiceStub(channel).ListApiKeys
            async for message in aio.Inventory(call, inventory_pb2.ListApiKeysRequest(), **options):
                got.extend(key.id for key in message.keys.items)

    def now(address):
        with admin_gateway.connect(address) as channel:
            call = inventory_pb2_grpc.InventoryServiceStub(channel).ListApiKeys
            for message in admin_gateway.Inventory(call, inventory_pb2.ListApiKeysRequest(), **options):
                got.extend(key.id for key in message.keys.items)

    error = None
    with serving(answer) as (_, address):
        try:
            asyncio.run(later(address)) if asynchronous else now(address)
        except (admin_gateway.IncompleteInventory, errors.GatewayError) as caught:
            error = caught
    return got, tokens, error


@both
def test_a_stream_that_is_cut_off_is_resumed_and_each_page_comes_once(asynchronous):
    cut = Refusal(CODE.UNAVAILABLE)
    got, tokens, error = read(
        [[page("a"), progress("t1"), page("b"), cut], [page("b"), progress("t2"), page("c")], [page("c"), COMPLETE]],
        asynchronous,
    )
    assert (got, tokens, error) == (["a", "b", "c"], ["", "t1", "t2"], None)


@both
def test_a_stream_that_is_silent_is_cut_off(asynchronous):
    got, tokens, error = read([[page("a"), progress("t"), 2.0], [COMPLETE]], asynchronous, silence=0.4)
    assert (got, tokens, error) == (["a"], ["", "t"], None)


@both
def test_a_credential_that_ends_meanwhile(asynchronous):
    refused = Refusal(CODE.UNAUTHENTICATED, "UNAUTHENTICATED")
    got, tokens, error = read([[page("a"), progress("t"), refused], [COMPLETE]], asynchronous)
    assert (got, tokens, error) == (["a"], ["", "t"], None)
    _, tokens, error = read([[page("a"), progress("t"), refused], [refused]], asynchronous)
    assert (tokens, error.resume_token, type(error.cause)) == (["", "t"], "t", errors.Unauthenticated)


@both
def test_a_refusal_is_the_calls_own_error(asynchronous):
    _, tokens, error = read([[Refusal(CODE.PERMISSION_DENIED, "PERMISSION_DENIED")]], asynchronous)
    assert (tokens, type(error)) == ([""], errors.PermissionDenied)


@both
@pytest.mark.parametrize(
    ("first", "streams"),
    [
        ([failure(14), incomplete(Incomplete.REASON_FAILED)], 2),
        ([incomplete(Incomplete.REASON_DRAINING)], 2),
        ([incomplete(Incomplete.REASON_TOO_MANY)], 2),
        ([incomplete(Incomplete.REASON_OUT_OF_TIME)], 2),
        ([failure(14, "ENDLESS_LIST"), incomplete(Incomplete.REASON_FAILED)], 1),
        ([failure(7), incomplete(Incomplete.REASON_DENIED)], 1),
        ([incomplete(Incomplete.REASON_NOT_ALL_JUDGED, token="")], 1),
        ([incomplete(77)], 1),
    ],
)
def test_an_early_end_is_resumed_where_that_helps(asynchronous, first, streams):
    got, tokens, error = read([[page("a"), *first], [page("b"), COMPLETE]], asynchronous)
    assert len(tokens) == streams
    assert got == ["a", "b"][:streams]
    if streams == 1:
        reasons = first[-1].end.incomplete.reasons
        assert error.reasons == [Incomplete.Reason.Name(one) if one < 7 else str(one) for one in reasons]
        assert len(error.failures) == len(first) - 1


@both
def test_it_gives_up_after_streams_that_bring_nothing(asynchronous):
    _, tokens, error = read([[]] * 3, asynchronous, attempts=2)
    assert len(tokens) == 2
    assert "cut off" in str(error)


@both
def test_its_deadline_is_that_of_all_streams(asynchronous):
    begun = time.monotonic()
    got, _, error = read([[page("a"), progress("t"), 3.0, COMPLETE]], asynchronous, timeout=0.6)
    assert time.monotonic() - begun < 5
    assert (got, error.resume_token, type(error.cause)) == (["a"], "t", errors.DeadlineExceeded)


def test_a_loop_that_is_left_ends_the_stream():
    closed = []

    def answer(*_):
        try:
            for one in range(1000):
                yield from (page(str(one)), progress(str(one)))
                time.sleep(0.01)
        finally:
            closed.append(True)

    with serving(answer) as (_, address), admin_gateway.connect(address) as channel:
        call = inventory_pb2_grpc.InventoryServiceStub(channel).ListApiKeys
        for _ in admin_gateway.Inventory(call, inventory_pb2.ListApiKeysRequest()):
            break
        until = time.monotonic() + 5
        while not closed and time.monotonic() < until:
            time.sleep(0.01)
    assert closed


def test_it_can_be_cancelled_from_another_thread():
    def answer(*_):
        yield from (page("a"), progress("t"))
        time.sleep(3)

    with serving(answer) as (_, address), admin_gateway.connect(address) as channel:
        call = inventory_pb2_grpc.InventoryServiceStub(channel).ListApiKeys
        inventory = admin_gateway.Inventory(
            call, inventory_pb2.ListApiKeysRequest(), on_progress=lambda _: inventory.cancel()
        )
        begun = time.monotonic()
        with pytest.raises(admin_gateway.IncompleteInventory) as caught:
            list(inventory)
        assert time.monotonic() - begun < 2
        assert isinstance(caught.value.cause, errors.Canceled)
