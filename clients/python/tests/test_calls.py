import asyncio
import itertools
import os
import pickle
import queue
import threading
import time
import types

import admin_gateway
import grpc
import pytest
from admin_gateway import _rules, aio, errors
from admin_gateway.admin.v1 import group_pb2, group_pb2_grpc, project_pb2, project_pb2_grpc
from gateway import Refusal, serving

CODE = grpc.StatusCode
GET, CREATE = project_pb2.GetProjectRequest(project_id="p"), group_pb2.CreateGroupRequest(name="g")


def connect(address, asynchronous=False, **settings):
    return (aio if asynchronous else admin_gateway).connect(address, **settings)


def get(address, asynchronous, **options):
    """Calls GetProject by either client."""
    return made(address, asynchronous, project_pb2_grpc.ProjectServiceStub, GET, **options)


def create(address, asynchronous, **options):
    """Calls CreateGroup by either client."""
    return made(address, asynchronous, group_pb2_grpc.GroupServiceStub, CREATE, **options)


def made(address, asynchronous, stub, request, *, timeout=None, metadata=None, **settings):
    name = request.DESCRIPTOR.name.removesuffix("Request")
    if not asynchronous:
        with admin_gateway.connect(address, **settings) as channel:
            return getattr(stub(channel), name)(request, timeout=timeout, metadata=metadata)

    async def call():
        async with aio.connect(address, **settings) as channel:
            return await getattr(stub(channel), name)(request, timeout=timeout, metadata=metadata)

    return asyncio.run(call())


@pytest.mark.parametrize(
    ("timeout", "message", "kind"),
    [
        (0.01, "Stream removed (RST_STREAM (Received RST_STREAM with error code 8))", errors.DeadlineExceeded),
        (30.0, "Stream removed (RST_STREAM (Received RST_STREAM with error code 8))", errors.Canceled),
        (None, "Stream removed (RST_STREAM (Received RST_STREAM with error code 8))", errors.Canceled),
        (0.01, "Locally cancelled by application!", errors.Canceled),
    ],
)
def test_a_gateway_that_ends_a_call_at_its_deadline(timeout, message, kind):
    details = types.SimpleNamespace(method="/p.S/M", timeout=timeout, metadata=())
    rules = _rules.Rules(_rules.Tokens("token", None, None), 30.0, 3, True)
    made = _rules.Call(rules, details, None).over(errors.Canceled(CODE.CANCELLED, message))
    assert type(made) is kind


def script(*answers):
    """Answers that are given in turn; the last one again."""
    turns = itertools.chain(answers, itertools.repeat(answers[-1]))

    def answer(*_):
        turn = next(turns)
        if isinstance(turn, Exception):
            raise turn
        return turn

    return answer


both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "asyncio"])
PROJECT, GROUP = project_pb2.GetProjectResponse(), group_pb2.CreateGroupResponse()
DOWN = Refusal(CODE.UNAVAILABLE, "UPSTREAM_UNAVAILABLE")


@both
def test_a_read_is_repeated_up_to_its_attempts(asynchronous):
    with serving(script(DOWN, DOWN, PROJECT)) as (gateway, address):
        assert get(address, asynchronous) == PROJECT
        assert len(gateway.calls) == 3
    with serving(script(DOWN)) as (gateway, address):
        with pytest.raises(errors.Unavailable):
            get(address, asynchronous, attempts=2)
        assert len(gateway.calls) == 2


@both
@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(CODE.UNAVAILABLE, "UPSTREAM_BAD_RESPONSE"),
        Refusal(CODE.RESOURCE_EXHAUSTED, "LEASE_LIMIT"),
        Refusal(CODE.UNKNOWN, "OUTCOME_UNKNOWN"),
        Refusal(CODE.ABORTED, "UPSTREAM_CONFLICT", retry=0.1),
    ],
    ids=str,
)
def test_what_another_attempt_does_not_change_is_not_repeated(asynchronous, refusal):
    with serving(script(refusal)) as (gateway, address):
        with pytest.raises(errors.GatewayError) as caught:
            get(address, asynchronous)
        assert len(gateway.calls) == 1
        assert caught.value.reason == str(refusal)


@both
def test_a_wait_past_the_deadline_is_not_begun(asynchronous):
    with serving(script(Refusal(CODE.RESOURCE_EXHAUSTED, "NO_BUDGET", retry=30))) as (gateway, address):
        begun = time.monotonic()
        with pytest.raises(errors.ResourceExhausted) as caught:
            get(address, asynchronous, timeout=3)
        assert time.monotonic() - begun < 2
        assert (caught.value.retry_delay, len(gateway.calls)) == (30, 1)


@both
def test_a_wait_is_as_long_as_the_gateway_asks(asynchronous):
    with serving(script(Refusal(CODE.RESOURCE_EXHAUSTED, "NO_BUDGET", retry=0.3), PROJECT)) as (_, address):
        begun = time.monotonic()
        get(address, asynchronous)
        assert time.monotonic() - begun >= 0.3


@both
def test_a_write_keeps_its_key_and_is_repeated(asynchronous):
    with serving(script(DOWN, GROUP)) as (gateway, address):
        create(address, asynchronous)
        first, second = (metadata["idempotency-key"] for _, _, metadata in gateway.calls)
        assert first == second


@both
@pytest.mark.parametrize("way", ["call", "connection"])
def test_a_write_without_a_key_is_not_repeated(asynchronous, way):
    options = {"metadata": (admin_gateway.NO_IDEMPOTENCY_KEY,)} if way == "call" else {"idempotency_keys": False}
    with serving(script(DOWN, GROUP)) as (gateway, address):
        with pytest.raises(errors.Unavailable):
            create(address, asynchronous, **options)
        assert [metadata.get("idempotency-key") for _, _, metadata in gateway.calls] == [None]


@both
def test_a_gateway_without_keys_gets_the_write_once_without_one(asynchronous):
    with serving(script(Refusal(CODE.FAILED_PRECONDITION, "IDEMPOTENCY_NOT_CONFIGURED"), DOWN)) as (gateway, address):
        with pytest.raises(errors.Unavailable):
            create(address, asynchronous)
        assert ["idempotency-key" in metadata for _, _, metadata in gateway.calls] == [True, False]
    with serving(script(Refusal(CODE.FAILED_PRECONDITION, "IDEMPOTENCY_NOT_CONFIGURED"))) as (gateway, address):
        with pytest.raises(errors.FailedPrecondition):
            create(address, asynchronous, metadata=(("idempotency-key", "own"),))
        assert len(gateway.calls) == 1


@both
def test_a_token_is_kept_until_shortly_before_its_end(asynchronous):
    ends = iter([time.time() + 1000, time.time() + 0.1, None])
    asked = []

    def provide():
        asked.append(f"t{len(asked)}")
        return asked[-1], next(ends)

    with serving(script(PROJECT)) as (gateway, address):
        if asynchronous:

            async def calls():
                async with aio.connect(address, token_provider=provide) as channel:
                    stub = project_pb2_grpc.ProjectServiceStub(channel)
                    await asyncio.gather(stub.GetProject(GET), stub.GetProject(GET))

            asyncio.run(calls())
        else:
            with admin_gateway.connect(address, token_provider=provide) as channel:
                stub = project_pb2_grpc.ProjectServiceStub(channel)
                stub.GetProject(GET)
                stub.GetProject(GET)
        assert (len(gateway.calls), asked) == (2, ["t0"])


def test_calls_at_the_same_time_ask_for_one_token():
    asked = []

    async def provide():
        asked.append(1)
        await asyncio.sleep(0.1)
        return "t"

    async def calls():
        async with aio.connect(address, token_provider=provide) as channel:
            stub = project_pb2_grpc.ProjectServiceStub(channel)
            await asyncio.gather(*(stub.GetProject(GET) for _ in range(5)))

    with serving(script(PROJECT)) as (gateway, address):
        asyncio.run(calls())
        assert (len(gateway.calls), len(asked)) == (5, 1)


@both
def test_a_token_that_does_not_come_in_time(asynchronous):
    def provide():
        time.sleep(0.5)
        return "t"

    with serving(script(PROJECT)) as (gateway, address):
        with pytest.raises(errors.DeadlineExceeded):
            get(address, asynchronous, timeout=0.2, token_provider=provide)
        assert gateway.calls == []


def test_a_token_file_is_read_again_when_it_changes(tmp_path):
    path = tmp_path / "token"
    path.write_text("one\n")
    with serving(script(PROJECT)) as (gateway, address), admin_gateway.connect(address, token_file=path) as channel:
        stub = project_pb2_grpc.ProjectServiceStub(channel)
        stub.GetProject(GET)
        other = tmp_path / "other"
        other.write_text("two")
        os.replace(other, path)
        stub.GetProject(GET)
        path.write_text("")  # As it is while somebody writes it.
        stub.GetProject(GET)
        assert [metadata["authorization"] for _, _, metadata in gateway.calls] == ["Bearer one", *["Bearer two"] * 2]


def test_a_future_can_be_cancelled_between_two_attempts():
    with serving(script(Refusal(CODE.UNAVAILABLE, "X", retry=20))) as (gateway, address), connect(address) as channel:
        made = project_pb2_grpc.ProjectServiceStub(channel).GetProject.future(GET)
        threading.Timer(0.3, made.cancel).start()
        begun = time.monotonic()
        with pytest.raises(errors.Canceled):
            made.result()
        assert time.monotonic() - begun < 10
        assert len(gateway.calls) == 1


def test_a_future_tells_of_the_call_and_not_of_an_attempt():
    with serving(script(DOWN, PROJECT)) as (_, address), connect(address) as channel:
        told = queue.Queue()
        project_pb2_grpc.ProjectServiceStub(channel).GetProject.future(GET).add_done_callback(told.put)
        assert told.get(timeout=5).result() == PROJECT


def test_errors_say_what_they_know_and_nothing_secret():
    refusal = Refusal(CODE.PERMISSION_DENIED, "PERMISSION_DENIED", permission="projects.create", project="proj_a")
    with serving(script(refusal)) as (_, address), pytest.raises(errors.PermissionDenied) as caught:
        get(address, False, token="secret-token")
    error = caught.value
    assert (error.permission, error.project, error.code()) == ("projects.create", "proj_a", CODE.PERMISSION_DENIED)
    assert "secret" not in repr(error) + str(error) + repr(vars(error))
    assert pickle.loads(pickle.dumps(error)).permission == "projects.create"


@pytest.mark.parametrize(
    ("argument", "settings"),
    [
        ("address", {"address": "example.org"}),
        ("address", {"address": "https://example.org/path"}),
        ("address", {"address": "http://example.org"}),
        ("address", {"address": "http://localhost.example.org"}),
        ("token", {"token": "two words"}),
        ("token", {"token": ""}),
        ("token_file", {"token_file": "/nowhere"}),
        ("token_file", {"token": "a", "token_file": "/nowhere"}),
        ("token_provider", {"token_provider": "a"}),
        ("ca", {"ca": "/nowhere"}),
        ("ca", {"ca": "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----"}),
        ("key", {"cert": "c.pem"}),
        ("cert", {"key": "k.pem"}),
        ("cert", {"address": "http://127.0.0.1", "cert": "c.pem", "key": "k.pem"}),
        ("deadline", {"deadline": 0}),
        ("attempts", {"attempts": 0}),
        ("user_agent", {"user_agent": "a\nb"}),
    ],
)
def test_a_wrong_argument_is_named(argument, settings):
    with pytest.raises(errors.InvalidConfig) as caught:
        admin_gateway.connect(**{"address": "https://example.org", **settings})
    assert caught.value.argument == argument
    assert "two words" not in repr(caught.value)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1", "http://[::1]:8080", "http://localhost", "https://example.org"]
)
def test_clear_text_is_for_this_machine(address):
    admin_gateway.connect(address).close()
    admin_gateway.connect("http://example.org", plaintext=True).close()


def test_freshness():
    found = admin_gateway.freshness([("age", "7"), ("cache-status", "proxy; hit, admin-gateway; fwd=stale; ttl=-60")])
    assert found == (7, False, "stale", -60)
    assert admin_gateway.freshness(None) == (None, False, "", None)
