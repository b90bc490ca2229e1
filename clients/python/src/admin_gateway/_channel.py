"""The channel of programs without asyncio."""

import inspect
import threading
from collections.abc import Callable
from typing import Any

import grpc

from . import errors
from ._connect import Plan, opens, prepare
from ._rules import Call, Rules


class _Interceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """What holds for every call: a credential, safe retries, typed errors."""

    def __init__(self, rules: Rules):
        if inspect.iscoroutinefunction(rules.tokens.provider):
            raise errors.InvalidConfig("token_provider", "is a coroutine function: that takes admin_gateway.aio")
        self._rules, self._asking = rules, threading.Lock()

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _Unary(Call(self._rules, client_call_details, request), self._attempts(continuation, request))

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        call = Call(self._rules, client_call_details, request, stream=True)
        return _Stream(call, self._attempts(continuation, request))

    def _attempts(self, continuation: Any, request: Any) -> Callable[[Call], Any]:
        return lambda call: continuation(self._attempt(call), request)

    def _attempt(self, call: Call) -> Any:
        """The details of the next attempt, with a token that the provider was asked for if need be."""
        left, tokens = call.left(), self._rules.tokens
        if not self._asking.acquire(timeout=-1 if left is None else min(left, threading.TIMEOUT_MAX)):
            raise errors.late("the token provider did not answer in time")
        try:
            if not tokens.fresh():
                tokens.keep(tokens.provider())  # type: ignore[misc, arg-type]
            return call.attempt()
        finally:
            self._asking.release()


class _Made:
    """A call, of which grpcio's own is the last attempt."""

    def __init__(self, call: Call, attempt: Callable[[Call], Any]):
        self._call, self._next, self._stop = call, attempt, threading.Event()
        self._inner = attempt(call)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def cancel(self) -> bool:
        self._stop.set()
        return bool(self._inner.cancel())

    def _again(self, error: Exception) -> None:
        """Makes the next attempt after an error, or raises it."""
        if self._stop.wait(self._call.failed(errors.from_grpc(error))):
            raise errors.canceled()
        self._inner = self._next(self._call)
        if self._stop.is_set():
            self._inner.cancel()


class _Unary(_Made):
    """The outcome of a unary call. `result` makes further attempts, so that a future can be cancelled in between."""

    def result(self, timeout: float | None = None) -> Any:
        while True:
            try:
                return self._inner.result(timeout)
            except (grpc.RpcError, grpc.FutureCancelledError) as error:
                failed = error
            self._again(failed)

    def exception(self, timeout: float | None = None) -> Exception | None:
        try:
            self.result(timeout)
        except errors.GatewayError as error:
            return error
        return None

    def add_done_callback(self, function: Callable[[Any], None]) -> None:
        self._inner.add_done_callback(lambda _: function(self))


class _Stream(_Made):
    """The messages of a stream. Another attempt is made ahead of the first one only, where a token was refused."""

    _begun = False

    def __iter__(self) -> "_Stream":
        return self

    def __next__(self) -> Any:
        while True:
            try:
                message = next(self._inner)
            except grpc.RpcError as error:
                failed = error
            else:
                self._begun = True
                return message
            if self._begun:
                raise self._call.over(errors.from_grpc(failed))
            self._again(failed)


def _open(plan: Plan) -> grpc.Channel:
    interceptor = _Interceptor(plan.rules)
    if plan.credentials is None:
        return grpc.intercept_channel(grpc.insecure_channel(plan.target, plan.options), interceptor)
    return grpc.intercept_channel(grpc.secure_channel(plan.target, plan.credentials, plan.options), interceptor)


connect = opens(prepare, _open)
