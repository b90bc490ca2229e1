"""A program of a caller's, for mypy --strict: it needs no annotations beyond those of its own functions."""

from collections.abc import Awaitable, Callable

import admin_gateway
from admin_gateway import aio, errors
from admin_gateway.admin.v1 import project_api_key_pb2, project_pb2, project_pb2_grpc
from admin_gateway.inventory.v1 import inventory_pb2, inventory_pb2_grpc


def sync(address: str, sdk: Callable[[Callable[[], str]], None]) -> project_api_key_pb2.ProjectApiKey | None:
    with admin_gateway.connect(address, token="t", deadline=10) as channel:
        stub = project_pb2_grpc.ProjectServiceStub(channel)
        for project in admin_gateway.list_items(stub.ListProjects, project_pb2.ListProjectsRequest()):
            name: str = project.name
            print(name)
        inventories = inventory_pb2_grpc.InventoryServiceStub(channel)
        for page in admin_gateway.Inventory(inventories.ListApiKeys, inventory_pb2.ListApiKeysRequest()):
            for key in page.keys.items:
                return key
        with admin_gateway.Lease(channel, "role", on_key=lambda key: print(key.lease.id)) as lease:
            sdk(lease.key)
        try:
            _, call = stub.GetProject.with_call(project_pb2.GetProjectRequest())
            age: int | None = admin_gateway.freshness(call.initial_metadata()).age
            print(age)
        except errors.PermissionDenied as error:
            permission: str = error.permission
            print(permission)
    return None


async def asynchronous(address: str, sdk: Callable[[Callable[[], Awaitable[str]]], None]) -> str:
    async with aio.connect(address, token_provider=lambda: ("t", None)) as channel:
        stub = project_pb2_grpc.ProjectServiceStub(channel)
        async for project in aio.list_items(stub.ListProjects, project_pb2.ListProjectsRequest()):
            return project.name
        inventories = inventory_pb2_grpc.InventoryServiceStub(channel)
        async for page in aio.Inventory(inventories.ListApiKeys, inventory_pb2.ListApiKeysRequest()):
            return page.keys.project_id
        async with aio.Lease(channel, "role") as lease:
            sdk(lease.key)
    return ""
