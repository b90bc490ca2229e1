import asyncio
import contextlib
import inspect
import threading
import time

import admin_gateway
import grpc
import pytest
from admin_gateway import aio, errors
from admin_gateway.lease.v1 import service_pb2 as pb
from gateway import Refusal, serving

CODE = grpc.StatusCode
both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "asyncio"])


class Leases:
    """Answers the calls of leases that live for `life` seconds. `refuse` has refusals by method, which come first."""

    def __init__(self, life=60.0, longest=3600.0):
        self.life, self.longest, self.made, self.refuse, self.log = life, longest, [], {}, []

    def __call__(self, name, request, _):
        self.log.append((name, request))
        refusals = self.refuse.get(name, [])
        if refusals:
            raise refusals.pop(0)
        return getattr(self, name)(request)

    def CreateLease(self, _):  # noqa: N802
        number = len(self.made)
        answer = pb.CreateLeaseResponse(
            secret=f"secret-{number}", lease={"id": f"l{number}", "api_key_id": f"k{number}"}
        )
        now = time.time() + 5000  # The clocks need not agree.
        answer.lease.created_at.FromNanoseconds(int(now * 1e9))
        answer.lease.expires_at.FromNanoseconds(int((now + self.life) * 1e9))
        answer.lease.max_expires_at.FromNanoseconds(int((now + self.longest) * 1e9))
        self.made.append(answer.lease)
        return answer

    def RenewLease(self, _):  # noqa: N802
        lease = self.made[-1]
        more = lease.expires_at.ToNanoseconds() + int(self.life * 1e9)
        lease.expires_at.FromNanoseconds(min(more, lease.max_expires_at.ToNanoseconds()))
        return pb.RenewLeaseResponse(lease=lease)

    def RotateLease(self, _):  # noqa: N802
        self.made[-1].api_key_id += "'"
        return pb.RotateLeaseResponse(lease=self.made[-1], secret="rotated")

    def AcknowledgeLease(self, _):  # noqa: N802
        return pb.AcknowledgeLeaseResponse()

    def RevokeLease(self, _):  # noqa: N802
        return pb.RevokeLeaseResponse()

    def names(self):
        return [name for name, _ in self.log]


def hold(leases, asynchronous, body, **options):
    """Holds a lease while `body`, a generator, runs: it yields what is to be awaited, and gets the outcome."""

    async def run():
        with serving(leases) as (_, address):
            channel = (aio if asynchronous else admin_gateway).connect(address)
            lease = (aio if asynchronous else admin_gateway).Lease(channel, "role", **options)
            try:
                await maybe(lease.acquire())
                try:
                    await through(body(lease))
                finally:
                    await maybe(lease.release(timeout=5))
            finally:
                await maybe(channel.close())

    asyncio.run(run())
    assert not [one.name for one in threading.enumerate() if one.name == "admin-gateway-lease"]


async def through(steps):
    outcome = None
    with contextlib.suppress(StopIteration):
        while True:
            step = steps.send(outcome)
            outcome = await (asyncio.sleep(step) if isinstance(step, float) else maybe(step))


async def maybe(value):
    return await value if inspect.isawaitable(value) else value


def nothing(_):
    yield 0.0


def until(condition, seconds=5.0):
    """Waits for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        yield 0.02


@both
def test_a_lease_is_made_acknowledged_renewed_rotated_and_revoked(asynchronous):
    leases, keys = Leases(), []

    def body(lease):
        assert (yield lease.key()) == "secret-0"
        assert "secret" not in repr(lease.current)
        yield lease.renew()
        assert (yield lease.key()) == "secret-0"
        yield lease.rotate(overlap=1.5)
        assert (yield lease.key()) == "rotated"

    hold(leases, asynchronous, body, ttl=1.5, labels={"why": "test"}, on_key=keys.append)
    assert leases.names() == [
        "CreateLease",
        "AcknowledgeLease",
        "RenewLease",
        "RotateLease",
        "AcknowledgeLease",
        "RevokeLease",
    ]
    assert leases.log[0][1].ttl.ToMilliseconds() == leases.log[2][1].ttl.ToMilliseconds() == 1500
    assert leases.log[3][1].overlap.ToMilliseconds() == 1500
    assert [key.secret for key in keys] == ["rotated"]


@both
def test_it_is_renewed_by_itself_and_replaced_at_its_latest_end(asynchronous):
    leases, keys = Leases(life=0.4, longest=0.7), []

    def body(lease):
        yield from until(lambda: len(leases.made) == 2 and keys)
        assert (yield lease.key()) == "secret-1"

    hold(leases, asynchronous, body, on_key=keys.append)
    assert leases.names()[:4] == ["CreateLease", "AcknowledgeLease", "RenewLease", "CreateLease"]
    assert leases.log[0][1].request_id != leases.log[3][1].request_id


@both
@pytest.mark.parametrize(
    "refusal", [Refusal(CODE.FAILED_PRECONDITION, "LEASE_OVER"), Refusal(CODE.NOT_FOUND, "LEASE_NOT_FOUND")], ids=str
)
def test_one_that_is_over_is_replaced(asynchronous, refusal):
    leases, seen = Leases(life=0.4), []
    leases.refuse = {"RenewLease": [refusal]}

    def body(lease):
        yield from until(lambda: len(leases.made) == 2)
        yield from until(lambda: lease.current.secret == "secret-1")

    hold(leases, asynchronous, body, on_error=lambda error, _: seen.append(error.reason))
    assert seen == [str(refusal)]


@both
def test_one_that_somebody_else_rotated_is_replaced(asynchronous):
    leases = Leases(life=0.4)

    def body(lease):
        leases.made[-1].api_key_id = "other"
        yield from until(lambda: lease.current.secret == "secret-1")

    hold(leases, asynchronous, body)


@both
def test_a_request_is_made_again_and_a_new_one_where_it_is_hopeless(asynchronous):
    leases = Leases()
    leases.refuse = {
        "CreateLease": [
            Refusal(CODE.UNAVAILABLE, "LEASE_IN_PROGRESS", retry=0.1),
            Refusal(CODE.ABORTED, "LEASE_DOUBTFUL"),
        ]
    }
    hold(leases, asynchronous, nothing)
    first, second, third = (request.request_id for name, request in leases.log if name == "CreateLease")
    assert first == second != third


@both
def test_a_refusal_ends_it(asynchronous):
    leases, seen = Leases(life=0.4), []
    leases.refuse = {"CreateLease": [Refusal(CODE.PERMISSION_DENIED, "PERMISSION_DENIED")]}
    with pytest.raises(errors.PermissionDenied):
        hold(leases, asynchronous, nothing)
    refused = [Refusal(CODE.PERMISSION_DENIED, "PERMISSION_DENIED") for _ in range(100)]

    def body(lease):
        leases.refuse = {"RenewLease": [Refusal(CODE.FAILED_PRECONDITION, "LEASE_OVER")], "CreateLease": refused}
        yield from until(lambda: isinstance(seen[-1:] and seen[-1], admin_gateway.LeaseLost))
        with pytest.raises(admin_gateway.LeaseLost, match="PERMISSION_DENIED"):
            assert lease.current

    hold(leases, asynchronous, body, on_error=lambda error, _: seen.append(error))


@both
def test_a_revocation_is_tried_again_and_a_release_does_not_wait_for_a_call(asynchronous):
    leases = Leases(life=0.4)
    leases.refuse = {"RevokeLease": [Refusal(CODE.UNAVAILABLE, "LEASES_UNAVAILABLE", retry=0.1)]}
    begun = []

    def renew(_):
        begun.append(time.monotonic())
        time.sleep(3)

    leases.RenewLease = renew

    def body(_):
        yield from until(lambda: begun)

    hold(leases, asynchronous, body)
    assert time.monotonic() - begun[0] < 5
    assert leases.names().count("RevokeLease") >= 1


@both
def test_a_fault_of_the_programs_own_function_does_not_end_it(asynchronous):
    leases = Leases(life=0.3, longest=0.3)

    def fault(_):
        raise ZeroDivisionError

    def body(_):
        yield from until(lambda: len(leases.made) == 3)

    hold(leases, asynchronous, body, on_key=fault)
