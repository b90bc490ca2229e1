"""Runs the commands of the conformance script, a JSON line each, against the installed package.

With RUNNER_ASYNC=1 it does so on asyncio.
"""

import asyncio
import importlib
import inspect
import json
import os
import pkgutil
import sys
import threading
import time

import admin_gateway
from admin_gateway import aio, errors
from google.protobuf import json_format, message_factory

ASYNC = os.environ.get("RUNNER_ASYNC") == "1"
CLIENT = aio if ASYNC else admin_gateway
STUBS, METHODS = {}, {}

for module in pkgutil.walk_packages(admin_gateway.__path__, "admin_gateway."):
    if module.name.endswith("_pb2_grpc"):
        stubs = importlib.import_module(module.name)
        services = importlib.import_module(module.name.removesuffix("_grpc")).DESCRIPTOR.services_by_name
        for service in services.values():
            STUBS[service.full_name] = getattr(stubs, service.name + "Stub")
            METHODS.update({f"{service.full_name}/{method.name}": method for method in service.methods})


def stub_call(channel, name):
    """A stub's method, by its full name."""
    service, _, method = name.rpartition("/")
    return getattr(STUBS[service](channel), method)


def request_of(name, fields):
    kind = message_factory.GetMessageClass(METHODS[name].input_type)
    return json_format.ParseDict(fields or {}, kind())


def error_of(error):
    """What the script compares of an error."""
    if isinstance(error, asyncio.CancelledError):
        return {"kind": "Canceled", "code": "CANCELED"}
    if isinstance(error, errors.GatewayError):
        code = error.code().name.replace("CANCELLED", "CANCELED")
        found = {"kind": error.kind, "code": code, "reason": error.reason, "message": error.message}
        found.update(permission=error.permission, project=error.project, request_id=error.request_id)
        found.update(fields=[violation.field for violation in error.fields], retry_delay=error.retry_delay or 0.0)
        return found
    found = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, errors.InvalidConfig):
        found["fields"] = [error.argument]
    elif isinstance(error, admin_gateway.EndlessList):
        found["reason"] = error.reason
    elif isinstance(error, admin_gateway.IncompleteInventory):
        found.update(reason=(error.reasons or [""])[0], missing=len(error.failures) + error.more_failures)
    return found


async def maybe(value):
    """The two kinds of client by the same code: what the one returns, the other one awaits."""
    return await value if inspect.isawaitable(value) else value


async def each(items):
    if ASYNC:
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class Case:
    """One command."""

    def __init__(self, command):
        self.command, self.result, self.canceller = command, {"case": command["case"]}, None
        self.name = command.get("method", "")
        self.metadata = [(name.lower(), value) for name, value in command.get("headers", {}).items()]
        if key := command.get("idempotency_key"):
            self.metadata.append(("idempotency-key", key))
        if command.get("no_idempotency_key"):
            self.metadata.append(admin_gateway.NO_IDEMPOTENCY_KEY)

    def connect(self):
        settings = {name: value for name, value in self.command["client"].items() if value is not None}
        if tokens := settings.get("token_provider"):
            self.result["provider_calls"] = 0

            def provide():
                self.result["provider_calls"] += 1
                return tokens[min(self.result["provider_calls"], len(tokens)) - 1]

            async def provide_later():
                return provide()

            settings["token_provider"] = provide_later if ASYNC else provide
        return CLIENT.connect(settings.pop("address"), **settings)

    async def run(self):
        try:
            channel = self.connect()
            try:
                await getattr(self, self.command["do"])(channel)
                self.result["ok"] = True
            finally:
                await maybe(channel.close())
        except (Exception, asyncio.CancelledError) as error:
            print(self.command["case"], repr(error), file=sys.stderr)
            self.result.update(ok=False, error=error_of(error))
        if self.canceller is not None:
            await asyncio.to_thread(self.canceller.join)  # The line is this case's, also where it came too late.
        return self.result

    def options(self):
        return {"metadata": tuple(self.metadata), "timeout": self.command.get("timeout")}

    async def call(self, channel):
        method = stub_call(channel, self.name)
        request = request_of(self.name, self.command.get("request"))
        if ASYNC:
            made = method(request, **self.options())
            self.cancel_on_demand(made.cancel)
            response = await made
            headers = await made.initial_metadata()
        else:
            made = method.future(request, **self.options())
            self.cancel_on_demand(made.cancel)
            response, headers = made.result(), made.initial_metadata()
        self.result["response"] = json_format.MessageToDict(response)
        fresh = admin_gateway.freshness(headers)
        self.result["freshness"] = {"age": fresh.age or 0, "hit": fresh.hit}

    async def list(self, channel):
        method, options = stub_call(channel, self.name), self.options()
        request = request_of(self.name, self.command.get("request"))
        ids = self.result["ids"] = []
        try:
            async for item in each(CLIENT.list_items(lambda page: method(page, **options), request)):
                ids.append(getattr(item, "id", ""))
        finally:
            self.result["items"] = len(ids)

    async def inventory(self, channel):
        self.result.update(items=0, pages=0, progress=0, failures=0)
        inventory = CLIENT.Inventory(
            stub_call(channel, self.name),
            request_of(self.name, self.command.get("request")),
            timeout=self.command.get("timeout"),
            on_progress=lambda _: self.count("progress", 1),
            on_failure=lambda _: self.count("failures", 1),
        )
        self.cancel_on_demand(asyncio.current_task().cancel if ASYNC else inventory.cancel)
        async for message in each(inventory):
            page = getattr(message, message.WhichOneof("event") or "", None)  # None: one of tomorrow.
            self.count("pages", 1)
            self.count("items", len(getattr(page, "items", ())))

    def count(self, name, more):
        self.result[name] += more

    async def lease(self, channel):
        wanted = self.command["request"]
        found = self.result["response"] = {}
        lease = CLIENT.Lease(channel, wanted["role"], ttl=float(wanted.get("ttl", "0s").removesuffix("s")), timeout=30)
        await maybe(lease.acquire())
        try:
            first = await maybe(lease.key())
            found.update(key_given=bool(first), lease_id=lease.current.lease.id)
            before = lease.current.lease.expires_at.ToNanoseconds()
            time.sleep(0.01)
            await maybe(lease.renew())
            found["renewed"] = lease.current.lease.expires_at.ToNanoseconds() > before
            await maybe(lease.rotate())
            found["rotated"] = await maybe(lease.key()) not in ("", first)
        finally:
            await maybe(lease.release())
        found["released"] = True

    async def all_rpcs(self, channel):
        """Calls every RPC once. Whatever it answers, it is there unless that is UNIMPLEMENTED."""
        missing = self.result["ids"] = []
        for name, method in METHODS.items():
            try:
                made = stub_call(channel, name)(request_of(name, {}), timeout=5)
                if method.server_streaming:
                    async for _ in each(made):
                        break
                    made.cancel()
                else:
                    await maybe(made)
            except errors.Unimplemented:
                missing.append(name)
            except errors.GatewayError:
                pass
        self.result["items"] = len(METHODS)

    def cancel_on_demand(self, cancel):
        if not self.command.get("cancel"):
            return
        loop = asyncio.get_running_loop()

        def wait():
            sys.stdin.readline()
            if ASYNC:
                loop.call_soon_threadsafe(cancel)
            else:
                cancel()

        self.canceller = threading.Thread(target=wait)
        self.canceller.start()


def main():
    for line in iter(sys.stdin.readline, ""):
        if line.strip():
            print(json.dumps(asyncio.run(Case(json.loads(line)).run())), flush=True)


if __name__ == "__main__":
    main()
