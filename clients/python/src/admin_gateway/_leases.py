"""Leases: a key that ends by itself, held for as long as a program needs one."""

import contextlib
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from typing_extensions import Self

from . import errors
from ._rules import jittered
from .lease.v1 import lease_pb2
from .lease.v1 import service_pb2 as pb
from .lease.v1.service_pb2_grpc import LeaseServiceStub

log = logging.getLogger("admin_gateway")
CALL_TIME, _CREATE_TIME, _FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 120.0, 1.0, 30.0
_SHORTEST_PAUSE, _SHORTEST_CALL = 0.05, 1.0
_AGAIN, _ANEW, _REFUSED = range(3)
# The steps of a procedure: seconds to wait, or a call with its timeout, whose answer comes back.
Steps: TypeAlias = Generator[float | tuple[str, Any, float], Any, None]


@dataclass(frozen=True, repr=False)
class Key:
    """A key with its lease. It prints without its secret."""

    lease: lease_pb2.Lease
    secret: str

    def __repr__(self) -> str:
        return f"Key({self.lease.api_key_id} of lease {self.lease.id})"


class LeaseLost(Exception):
    """The lease `lease_id` is over, and there is no other because of `cause`."""

    def __init__(self, lease_id: str, cause: Exception):
        super().__init__(lease_id, cause)
        self.lease_id, self.cause = lease_id, cause

    def __str__(self) -> str:
        return f"lease {self.lease_id} is over, and there is no other: {self.cause}"


class UnusableAnswer(Exception):
    """The answer of the gateway has no secret, no times, or another key."""


class _OtherKey(UnusableAnswer):
    """Somebody else has rotated the lease, and has its secret."""


class Holder:
    """A lease of a role that is held: renewed, and replaced when it cannot be renewed any more, until it is released.

    ttl: seconds that it lives without a renewal; 0 means as long as the role says. holder: whom it is for, if not the
    caller. labels: what it is for. timeout: seconds to get it. on_key: gets each key that takes the place of another;
    the one before works until its lease ends. on_error: gets each error, with the seconds until the next attempt.
    """

    # All times are differences of the gateway's, or of this process's monotonic clock: the two need not agree.
    def __init__(
        self,
        channel: Any,
        role: str,
        *,
        ttl: float = 0.0,
        holder: str = "",
        labels: Mapping[str, str] | None = None,
        timeout: float = 300.0,
        on_key: Callable[[Key], object] = lambda _: None,
        on_error: Callable[[Exception, float], object] = lambda _, __: None,
    ):
        self._stub: Any = LeaseServiceStub(channel)
        self._ttl = Duration(seconds=int(ttl), nanos=int(ttl % 1 * 1e9)) if ttl > 0 else None
        self._new = pb.CreateLeaseRequest(role=role, ttl=self._ttl, holder=holder, labels=labels or {})
        self._on_key, self._on_error, self._timeout = on_key, on_error, timeout
        self._key: Key | None = None
        self._lost: LeaseLost | None = None
        self._former: list[tuple[str, float]] = []
        self._error: Exception | None = None
        self._pause, self._wait, self._last, self._released = _FIRST_PAUSE, 0.0, True, False
        self._asked = self._ends = self._life = 0.0

    @property
    def current(self) -> Key:
        """The current key with its lease. Raises `LeaseLost` when there is none any more."""
        if self._key is None or self._lost is not None:
            raise self._lost or RuntimeError("there is no lease yet")
        return self._key

    def _acquiring(self) -> Steps:
        give_up = time.monotonic() + self._timeout
        while self._key is None:
            if (left := give_up - time.monotonic() - self._wait) <= 0 and self._error:
                raise self._error
            yield self._wait
            yield from self._step(left)

    def _keeping(self) -> Steps:
        with contextlib.suppress(LeaseLost):  # `current` raises it.
            while True:
                yield self._wait
                yield from self._step(_CREATE_TIME)

    def _step(self, at_most: float) -> Steps:
        """One call that renews the lease, or gets one, and what follows from it."""
        left, before = self._ends - time.monotonic(), self._key
        try:
            if not self._last:
                yield from self._renewing(_within(CALL_TIME, left / 3))
                return
            if not self._new.request_id:
                self._new.request_id, self._asked = str(uuid.uuid4()), time.monotonic()
            at_most = min(at_most, left / 3) if left > 0 else at_most
            self._created((yield "CreateLease", self._new, _within(_CREATE_TIME, at_most)))
        except Exception as error:
            self._failed(error)
        else:
            yield from self._new_key(replaces=before is not None)

    def _created(self, answer: pb.CreateLeaseResponse) -> None:
        lease, before = _usable(answer), self._key
        if before is not None:  # It is left to its end: what has its key may go on, and an end costs no call.
            former = [*self._former, (before.lease.id, self._ends)]
            self._former = [one for one in former if one[1] > time.monotonic()]
        self._life = _between(lease.created_at, lease.expires_at)
        self._ends, self._new.request_id = self._asked + self._life, ""
        self._have(Key(lease, answer.secret), last=False)

    def _renewing(self, timeout: float) -> Steps:
        key = self.current
        answer = yield "RenewLease", pb.RenewLeaseRequest(lease_id=key.lease.id, ttl=self._ttl), timeout
        lease = _usable(answer)
        if lease.api_key_id != key.lease.api_key_id:
            raise _OtherKey("the lease has another key")
        moved = _between(key.lease.expires_at, lease.expires_at)
        self._ends += moved
        self._have(Key(lease, key.secret), last=moved <= 0)

    def _rotating(self, overlap: float) -> Steps:
        request = pb.RotateLeaseRequest(lease_id=self.current.lease.id, request_id=str(uuid.uuid4()))
        request.overlap.FromMicroseconds(int(overlap * 1e6))
        answer = yield "RotateLease", request, _CREATE_TIME
        lease = _usable(answer)
        self._ends += _between(self.current.lease.expires_at, lease.expires_at)
        self._have(Key(lease, answer.secret), last=False)
        yield from self._new_key(replaces=True)

    def _new_key(self, replaces: bool) -> Steps:
        if replaces:
            _quietly(self._on_key, self.current)
        request = pb.AcknowledgeLeaseRequest(lease_id=self.current.lease.id)
        with contextlib.suppress(errors.GatewayError):  # The first renewal says the same.
            yield "AcknowledgeLease", request, _within(CALL_TIME, (self._ends - time.monotonic()) / 10)

    def _have(self, key: Key, last: bool) -> None:
        lease, self._key, self._pause = key.lease, key, _FIRST_PAUSE
        latest = lease.HasField("max_expires_at") and _between(lease.expires_at, lease.max_expires_at) <= 0
        self._last, left = last or latest, self._ends - time.monotonic()
        # A third of the life is left for attempts that fail, and up to a fifteenth more, so that not all renew at once.
        self._wait = max(left - max(left, self._life) * (1 / 3 + random.random() / 15), _SHORTEST_PAUSE)

    def _failed(self, error: Exception) -> None:
        """Decides what comes after an error. Raises it where nothing does."""
        if self._released:
            return
        verdict, left, self._error = _judge(error), self._ends - time.monotonic(), error
        pause, asked = self._next_pause(), getattr(error, "retry_delay", None) or 0.0
        if verdict == _ANEW and self._last:
            self._new.request_id = ""
        if self._key is None and verdict == _REFUSED:
            raise error
        if not self._last and (left <= 0 or _is_over(error)):  # Another one is asked for.
            self._last, self._ends, self._wait = True, min(self._ends, time.monotonic()), 0.0
        elif self._key is not None and left <= 0 and verdict == _REFUSED:
            self._lost = LeaseLost(self._key.lease.id, error)
            _quietly(self._on_error, self._lost, 0.0)
            raise self._lost
        elif left <= 0:
            self._wait = max(pause, asked)
        else:  # One attempt is made at the end, whatever the gateway asks for: then another lease is needed.
            self._wait = max(min(max(min(pause, left / 4), asked), left), _SHORTEST_PAUSE)
        _quietly(self._on_error, error, self._wait)

    def _next_pause(self) -> float:
        pause, self._pause = jittered(self._pause), min(2 * self._pause, _LONGEST_PAUSE)
        return pause

    def _releasing(self, timeout: float) -> Steps:
        end, self._pause, failed = time.monotonic() + timeout, _FIRST_PAUSE, None
        leases = [*self._former, (self._key.lease.id, self._ends)] if self._key else []
        for request in [pb.RevokeLeaseRequest(lease_id=one) for one, ends in leases if ends > time.monotonic()]:
            wait = 0.0
            while True:
                yield wait
                try:
                    yield "RevokeLease", request, _within(CALL_TIME, end - time.monotonic())
                    break
                except Exception as error:
                    wait = max(self._next_pause(), getattr(error, "retry_delay", None) or 0.0)
                    if _is_over(error):
                        break
                    if _judge(error) == _REFUSED or time.monotonic() + wait > end:
                        failed = error
                        break
        if failed is not None:
            raise failed


def _usable(answer: Any) -> lease_pb2.Lease:
    """The lease of an answer, with its times, and its secret where it has one."""
    lease: lease_pb2.Lease = answer.lease
    if not (lease.HasField("created_at") and lease.HasField("expires_at")) or getattr(answer, "secret", "-") == "":
        raise UnusableAnswer("the answer lacks the secret, or the times")
    return lease


def _judge(error: Exception) -> int:
    """Whether the same request may succeed later, another one may, or none."""
    reason = getattr(error, "reason", "")
    passing = (errors.Unavailable, errors.ResourceExhausted, errors.DeadlineExceeded, errors.Canceled)
    if isinstance(error, (UnusableAnswer, errors.Aborted)) or reason == "LEASE_OVER":
        return _ANEW
    if isinstance(error, (ValueError, TypeError)):
        return _REFUSED  # A channel that was closed, or a mistake.
    if isinstance(error, passing) or not reason:
        return _AGAIN  # Without a reason it comes from what lies in between: the request may have been done.
    return _ANEW if isinstance(error, errors.Unknown) else _REFUSED


def _is_over(error: Exception) -> bool:
    """Whether an error means that the lease cannot be renewed any more."""
    return isinstance(error, _OtherKey) or getattr(error, "reason", "") in ("LEASE_OVER", "LEASE_NOT_FOUND")


def _between(start: Timestamp, end: Timestamp) -> float:
    return (end.ToNanoseconds() - start.ToNanoseconds()) / 1e9


def _within(at_most: float, part: float) -> float:
    return min(at_most, max(part, _SHORTEST_CALL))


def _quietly(function: Callable[..., object], *args: object) -> None:
    """Calls a program's function, whose faults do not end the lease."""
    try:
        function(*args)
    except Exception:
        log.exception("a function that a lease calls failed")


class Lease(Holder):
    __doc__ = Holder.__doc__

    def acquire(self) -> Self:
        """Gets the lease, and has a thread keep it. `with` does so too."""
        self._turn, self._stop, self._calling = threading.RLock(), threading.Event(), None
        self._run(self._acquiring())
        keeping = (self._keeping(), self._stop.wait)
        self._keeper = threading.Thread(target=self._run, args=keeping, name="admin-gateway-lease", daemon=True)
        self._keeper.start()
        return self

    def key(self) -> str:
        """The secret of the current key, for `OpenAI(api_key=lease.key)`. Raises `LeaseLost` when there is none."""
        return self.current.secret

    def renew(self) -> None:
        """Renews the lease now. It is renewed by itself too."""
        self._run(self._renewing(CALL_TIME))

    def rotate(self, overlap: float = 0.0) -> None:
        """Gets another key for the lease. The one before works for `overlap` seconds more."""
        self._run(self._rotating(overlap))

    def release(self, timeout: float = 30.0) -> None:
        """Revokes the lease, and those before it. What cannot be revoked ends by itself; the last error is raised."""
        if self._key is None:
            return
        self._released = True
        self._stop.set()
        if (calling := self._calling) is not None:
            calling.cancel()
        if threading.current_thread() is not self._keeper:
            self._keeper.join()
        self._run(self._releasing(timeout))

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        _quietly(self.release)

    def _run(self, steps: Steps, pause: Callable[[float], object] = time.sleep) -> None:
        """Takes the steps, one caller at a time but for the pauses. It stops where `pause` returns True."""
        wait: float | None = 0.0
        while wait is not None and not pause(wait):
            with self._turn:
                wait = self._until_pause(steps)

    def _until_pause(self, steps: Steps) -> float | None:
        answer, error = None, None
        with contextlib.suppress(StopIteration):
            while True:
                step = steps.throw(error) if error else steps.send(answer)
                if isinstance(step, float):
                    return step
                answer, error = None, None
                try:
                    answer = self._make(*step)
                except Exception as failed:
                    error = failed
        return None

    def _make(self, name: str, request: Any, timeout: float) -> Any:
        self._calling = made = getattr(self._stub, name).future(request, timeout=timeout)
        try:
            if self._released and threading.current_thread() is self._keeper:
                made.cancel()
            return made.result()
        except BaseException:
            made.cancel()
            raise
