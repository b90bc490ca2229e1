"""The same on asyncio: `connect`, `list_items`, `Inventory`, `Lease`."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from typing_extensions import Self

from . import _pages, errors
from ._connect import Plan, opens, prepare
from ._inventories import Cut, M, Walk
from ._leases import CALL_TIME, Holder, Steps, log
from ._pages import Item_co, Page, Request
from ._rules import Call, Rules


class _Interceptor:
    """What holds for every call: a credential, safe retries, typed errors."""

    def __init__(self, rules: Rules, asking: asyncio.Lock):
        self._rules, self._asking = rules, asking

    async def _attempt(self, call: Call) -> Any:
        """The details of the next attempt, with a token that the provider was asked for if need be."""
        if not self._rules.tokens.fresh():
            try:
                await asyncio.wait_for(self._ask(), call.left())
            except asyncio.TimeoutError:
                raise errors.late("the token provider did not answer in time") from None
        details = call.attempt()
        return details._replace(metadata=grpc.aio.Metadata(*details.metadata))

    async def _ask(self) -> None:
        async with self._asking:
            tokens = self._rules.tokens
            if tokens.fresh() or tokens.provider is None:
                return
            asynchronous = inspect.iscoroutinefunction(tokens.provider)
            answer = tokens.provider() if asynchronous else await asyncio.to_thread(tokens.provider)
            tokens.keep(await answer if inspect.isawaitable(answer) else answer)


class _Unary(_Interceptor, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        call = Call(self._rules, client_call_details, request)
        while True:
            try:
                made = await continuation(await self._attempt(call), request)
                await made
                return made  # Not its response: the caller may want its metadata.
            except grpc.RpcError as error:
                failed = errors.from_grpc(error)
            await asyncio.sleep(call.failed(failed))


class _Stream(_Interceptor, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        call = Call(self._rules, client_call_details, request, stream=True)
        while True:
            try:
                made = await continuation(await self._attempt(call), request)
                return _messages(call, made, await made.read())
            except grpc.RpcError as error:
                failed = errors.from_grpc(error)
            call.failed(failed)


async def _messages(call: Call, made: Any, message: Any) -> AsyncIterator[Any]:
    try:
        while message is not grpc.aio.EOF:
            yield message
            message = await made.read()
        return
    except grpc.RpcError as error:
        failed = errors.from_grpc(error)
    raise call.over(failed)


def _open(plan: Plan) -> grpc.aio.Channel:
    asking = asyncio.Lock()
    interceptors: list[Any] = [_Unary(plan.rules, asking), _Stream(plan.rules, asking)]
    if plan.credentials is None:
        return grpc.aio.insecure_channel(plan.target, plan.options, interceptors=interceptors)
    return grpc.aio.secure_channel(plan.target, plan.credentials, plan.options, interceptors=interceptors)


connect = opens(prepare, _open)


async def _items(
    call: Callable[[Request], Awaitable[Page[Item_co]]], walk: _pages.Walk[Request]
) -> AsyncIterator[Item_co]:
    while walk.request is not None:
        page = await call(walk.request)
        for item in page.data:
            yield item
        walk.follow(page)


def list_items(
    call: Callable[[Request], Awaitable[Page[Item_co]]], request: Request, max_pages: int = 10_000
) -> AsyncIterator[Item_co]:
    """`admin_gateway.list_items` on asyncio."""
    return _items(call, _pages.Walk(request, max_pages))


class Inventory(Walk[M]):
    __doc__ = Walk.__doc__

    async def __aiter__(self) -> AsyncIterator[M]:
        wait: float | None = 0.0
        while wait is not None:
            await asyncio.sleep(wait)
            error: Exception | None = None
            stream = self._open()
            try:
                while (message := await asyncio.wait_for(stream.read(), self._silence)) is not grpc.aio.EOF:
                    for page in self._take(message):
                        yield page
            except grpc.RpcError as failed:
                error = errors.from_grpc(failed)
            except asyncio.TimeoutError:
                error = Cut(f"the stream said nothing for {self._silence:g} seconds")
            finally:
                stream.cancel()
            wait = self._after(error)


class Lease(Holder):
    __doc__ = Holder.__doc__

    async def acquire(self) -> Self:
        """Gets the lease, and has a task keep it. `async with` does so too."""
        self._turn = asyncio.Lock()
        await self._run(self._acquiring())
        self._keeper = asyncio.create_task(self._run(self._keeping()))
        return self

    async def key(self) -> str:
        """The secret of the current key, for `AsyncOpenAI(api_key=lease.key)`. Raises `LeaseLost` without one."""
        return self.current.secret

    async def renew(self) -> None:
        """Renews the lease now. It is renewed by itself too."""
        await self._run(self._renewing(CALL_TIME))

    async def rotate(self, overlap: float = 0.0) -> None:
        """Gets another key for the lease. The one before works for `overlap` seconds more."""
        await self._run(self._rotating(overlap))

    async def release(self, timeout: float = 30.0) -> None:
        """Revokes the lease, and those before it. What cannot be revoked ends by itself; the last error is raised."""
        if self._key is None:
            return
        self._released = True
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        await self._run(self._releasing(timeout))

    async def __aenter__(self) -> Self:
        return await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.release()
        except Exception as error:
            log.error("a lease was not revoked: %s", error)

    async def _run(self, steps: Steps) -> None:
        """Takes the steps, one caller at a time but for the pauses."""
        wait: float | None = 0.0
        while wait is not None:
            await asyncio.sleep(wait)
            async with self._turn:
                wait = await self._until_pause(steps)

    async def _until_pause(self, steps: Steps) -> float | None:
        answer, error = None, None
        with contextlib.suppress(StopIteration):
            while True:
                step = steps.throw(error) if error else steps.send(answer)
                if isinstance(step, float):
                    return step
                (name, request, timeout), answer, error = step, None, None
                try:
                    answer = await getattr(self._stub, name)(request, timeout=timeout)
                except Exception as failed:
                    error = failed
        return None
