"""A scripted gateway: the tests say what each call answers."""

import contextlib
from concurrent import futures

import grpc
from admin_gateway.admin.v1 import group_pb2_grpc, project_pb2_grpc
from admin_gateway.inventory.v1 import inventory_pb2_grpc
from admin_gateway.lease.v1 import service_pb2_grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2


class Gateway:
    """Answers calls by `answer(name, request, metadata)`, which returns a response or messages, or raises `Refusal`."""

    def __init__(self, answer):
        self.answer, self.calls = answer, []

    def __getattr__(self, name):
        def call(request, context):
            metadata = dict(context.invocation_metadata())
            self.calls.append((name, request, metadata))
            try:
                answer = self.answer(name, request, metadata)
                if not name.startswith("List") or hasattr(answer, "data"):
                    return answer
                return stream(answer, context)
            except Refusal as refusal:
                refusal.give(context)

        def stream(messages, context):
            try:
                yield from messages
            except Refusal as refusal:
                refusal.give(context)

        if not name[0].isupper():
            raise AttributeError(name)
        return call


class Refusal(Exception):
    """An error as the gateway gives it."""

    def __init__(self, code, reason="", retry=None, **metadata):
        super().__init__(reason)
        self.code, self.details = code, []
        if reason:
            self.details.append(error_details_pb2.ErrorInfo(reason=reason, domain="admin-gateway", metadata=metadata))
        if retry is not None:
            delay = duration_pb2.Duration(nanos=int(retry % 1 * 1e9), seconds=int(retry))
            self.details.append(error_details_pb2.RetryInfo(retry_delay=delay))

    def give(self, context):
        status = status_pb2.Status(code=self.code.value[0], message="refused")
        for detail in self.details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(self.code, "refused")


@contextlib.contextmanager
def serving(answer):
    """Runs a gateway, and gives its address with it."""
    gateway, server = Gateway(answer), grpc.server(futures.ThreadPoolExecutor(8))
    project_pb2_grpc.add_ProjectServiceServicer_to_server(gateway, server)
    group_pb2_grpc.add_GroupServiceServicer_to_server(gateway, server)
    inventory_pb2_grpc.add_InventoryServiceServicer_to_server(gateway, server)
    service_pb2_grpc.add_LeaseServiceServicer_to_server(gateway, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield gateway, f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
