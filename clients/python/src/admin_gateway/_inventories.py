"""Inventories: the streams of one, resumed where they are cut off, to an end or to what is missing."""

import threading
import time
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message
from typing_extensions import Self

from . import errors
from ._rules import jittered
from .inventory.v1.stream_pb2 import End, Failure, Incomplete, Progress

M = TypeVar("M")
MAX_STREAMS, MAX_HELD, MAX_FAILURES = 1000, 4096, 1000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0
# So long before the caller's deadline, or less, a gateway ends a stream.
_OWN_TIME = 10.0
# A failed read can succeed at the next attempt with UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED and DEADLINE_EXCEEDED,
# but for these reasons.
_PASSING, _LASTING = (14, 8, 10, 4), ("ENDLESS_LIST", "UPSTREAM_BAD_RESPONSE", "UPSTREAM_REDIRECTED")
# What comes after a stream that ended by itself.
_COMPLETE, _NEVER, _LATER, _AT_ONCE = range(4)


class IncompleteInventory(Exception):
    """A part of an inventory is missing. The messages that came before are real.

    reasons: those of `Incomplete.Reason` that the gateway gave. failures: the reads that failed in the last stream, at
    most 1,000; more_failures: how many others. resume_token: the same request with it brings what is missing.
    repeats: some of what came may come again, or came twice. cause: the last error, None where the gateway ended it.
    """

    def __init__(self, resume_token: str = "") -> None:
        super().__init__(resume_token)
        self.reasons: list[str] = []
        self.failures: list[Failure] = []
        self.more_failures, self.resume_token, self.repeats = 0, resume_token, False
        self.cause: Exception | None = None

    def __str__(self) -> str:
        count = len(self.failures) + self.more_failures
        failed = [f"{count} reads failed, the first {one.method}: {one.reason}" for one in self.failures[:1]]
        return "incomplete: " + "; ".join([*self.reasons, *failed, *([str(self.cause)] if self.cause else [])])


class Cut(Exception):
    """A stream ended without a message that says so, or said nothing for too long."""


class Walk(Generic[M]):
    """The messages of an inventory that have items, each once, about a second after it came.

    `call` is a stub's method. The loop ends when nothing is missing, or raises `IncompleteInventory`, or the call's own
    error where it was refused at once. Streams that are cut off, or ended early, are resumed.

    timeout: seconds for all of it. attempts: how many streams in a row may bring nothing. silence: seconds after which
    a stream that says nothing counts as cut off; a gateway says every second how far it is. on_progress, on_failure:
    get these messages. A failure may come again with a later stream.
    """

    def __init__(
        self,
        call: Callable[..., Iterable[M] | AsyncIterable[M]],
        request: Message,
        *,
        timeout: float | None = None,
        attempts: int = 6,
        silence: float = 30.0,
        on_progress: Callable[[Progress], object] = lambda _: None,
        on_failure: Callable[[Failure], object] = lambda _: None,
    ):
        if "resume_token" not in request.DESCRIPTOR.fields_by_name:
            raise TypeError(f"{request.DESCRIPTOR.full_name} is not the request of an inventory")
        self._call, self._request = call, type(request).FromString(request.SerializeToString())
        self._attempts, self._silence = attempts, silence
        self._on_progress, self._on_failure = on_progress, on_failure
        self._end = None if timeout is None else time.monotonic() + timeout
        self._left = IncompleteInventory(getattr(request, "resume_token"))  # noqa: B009
        self._held: list[M] = []
        self._fruitless = self._streams = self._came = self._before = 0
        self._next: int | None = None
        self._first, self._passed, self._passing, self._asked = True, False, False, 0.0
        self._stream: Any = None
        self._stop = threading.Event()

    def _time_left(self) -> float | None:
        return None if self._end is None else max(self._end - time.monotonic(), 0.0)

    def _open(self) -> Any:
        self._streams, self._before, self._first, self._next = self._streams + 1, self._came, True, None
        setattr(self._request, "resume_token", self._left.resume_token)  # noqa: B010
        return self._call(self._request, timeout=self._time_left())

    def _take(self, message: Any) -> list[M]:
        """Takes a message, and returns what lies ahead of a token now: that does not come again."""
        left = self._left
        if self._first:  # The stream makes again what had failed.
            left.reasons, left.failures, left.more_failures = [], [], 0
            self._first, self._passing, self._asked = False, False, 0.0
        match getattr(message, message.WhichOneof("event") or "", None):
            case Progress() as progress:
                self._on_progress(progress)
                return self._release(progress) if progress.resume_token else []
            case Failure() as failure:
                self._failed(failure)
                return []
            case End() as end:
                self._next = self._ended(end)
                return self._release(end.incomplete)
        self._held.append(message)
        self._passed = self._passed or len(self._held) > MAX_HELD
        return self._pass_on() if len(self._held) > MAX_HELD else []

    def _after(self, error: Exception | None) -> float | None:
        """The seconds until the next stream, None where nothing is missing. Raises where there is to be no other."""
        left, ended, time_left = self._left, self._next, self._time_left()
        if ended == _COMPLETE:
            return None
        # What comes behind an end says nothing; without one, the stream was cut off.
        error = (error or Cut("the stream was cut off")) if ended is None else None
        self._held, left.repeats, self._passed, left.cause = [], left.repeats or self._passed, False, error
        if isinstance(error, errors.GatewayError) and not self._passes(error):
            if self._streams == 1 and self._came == 0 and time_left != 0:
                raise error
            ended = _NEVER
        self._fruitless = 0 if self._came > self._before else self._fruitless + 1
        pause = jittered(min(_FIRST_PAUSE * 2.0 ** max(self._fruitless - 1, 0), _LONGEST_PAUSE))
        wait = 0.0 if ended == _AT_ONCE else max(pause, getattr(error, "retry_delay", None) or 0.0, self._asked)
        late = time_left is not None and time_left <= wait
        if ended == _NEVER or late or self._fruitless >= max(self._attempts, 1) or self._streams >= MAX_STREAMS:
            raise left from error
        return wait

    def _passes(self, error: errors.GatewayError) -> bool:
        if isinstance(error, (errors.Unavailable, errors.ResourceExhausted)):
            return True
        if isinstance(error, errors.Unauthenticated):  # A credential ended meanwhile. The next stream has another.
            return not self._first
        between = (errors.Internal, errors.Unknown, errors.Canceled, errors.DeadlineExceeded, errors.DataLoss)
        return isinstance(error, between) and not error.reason  # It comes from what lies in between.

    def _failed(self, failure: Failure) -> None:
        self._on_failure(failure)
        if len(self._left.failures) < MAX_FAILURES:
            self._left.failures.append(failure)
        else:
            self._left.more_failures += 1
        if failure.code in _PASSING and failure.reason not in _LASTING:
            self._passing, self._asked = True, max(self._asked, failure.retry_delay.ToNanoseconds() / 1e9)

    def _release(self, token: Progress | Incomplete) -> list[M]:
        self._left.resume_token, self._passed = token.resume_token, False
        self._left.repeats = self._left.repeats or token.repeats
        return self._pass_on()

    def _pass_on(self) -> list[M]:
        held, self._held = self._held, []
        self._came += len(held)
        return held

    def _ended(self, end: End) -> int:
        if not end.HasField("incomplete"):
            return _COMPLETE
        reasons, time_left = end.incomplete.reasons, self._time_left()
        names = Incomplete.Reason.DESCRIPTOR.values_by_number
        self._left.reasons = [names[number].name if number in names else str(number) for number in reasons]
        out_of_time = Incomplete.REASON_OUT_OF_TIME in reasons
        if not end.incomplete.resume_token or (out_of_time and time_left is not None and time_left < _OWN_TIME):
            return _NEVER
        if Incomplete.REASON_DRAINING in reasons or self._passing:
            return _LATER
        return _AT_ONCE if out_of_time or Incomplete.REASON_TOO_MANY in reasons else _NEVER


class Inventory(Walk[M]):
    __doc__ = Walk.__doc__

    def __iter__(self) -> Iterator[M]:
        wait = 0.0
        while not self._stop.wait(wait):
            error: Exception | None = None
            try:
                self._stream = self._open()
                with _Watch(self._stream, self._silence) as watch:
                    for message in watch:
                        yield from self._take(message)
                error = watch.error
            except grpc.RpcError as failed:
                error = errors.from_grpc(failed)
            if self._stop.is_set():
                break
            after = self._after(error)
            if after is None:
                return
            wait = after
        self._left.cause = errors.canceled()
        raise self._left

    def cancel(self) -> None:
        """Ends the stream, from any thread. The loop gets an `IncompleteInventory`."""
        self._stop.set()
        if self._stream is not None:
            self._stream.cancel()


class _Watch:
    """The messages of a stream, on which a thread hangs up when it is silent. The thread ends with the stream."""

    def __init__(self, stream: Any, silence: float):
        self._stream, self._silence, self._since = stream, silence, float("inf")
        self._over = threading.Event()
        self.error: Cut | None = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="admin-gateway-silence", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._stream.cancel()

    def __iter__(self) -> Iterator[Any]:
        while True:
            self._since = time.monotonic()  # The time in which the program works on a message is not the stream's.
            try:
                message = next(self._stream, None)
            except grpc.RpcError:
                if self.error is None:
                    raise
                return
            self._since = float("inf")
            if message is None:
                return
            yield message

    def _watch(self) -> None:
        while not self._over.wait(self._silence / 10):
            if time.monotonic() - self._since > self._silence:
                self.error = Cut(f"the stream said nothing for {self._silence:g} seconds")
                self._stream.cancel()
                return
