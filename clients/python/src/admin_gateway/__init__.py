"""A client of Admin Gateway: the OpenAI Admin API as typed calls.

`connect` returns a channel for the generated stubs, such as those of `admin_gateway.admin.v1.project_pb2_grpc`.
`admin_gateway.aio` has the same on asyncio.
"""

from ._channel import connect
from ._freshness import Freshness, freshness
from ._inventories import IncompleteInventory, Inventory
from ._leases import Key, Lease, LeaseLost
from ._pages import EndlessList, list_items
from ._rules import NO_IDEMPOTENCY_KEY
from ._version import __version__

__all__ = [
    "NO_IDEMPOTENCY_KEY",
    "EndlessList",
    "Freshness",
    "IncompleteInventory",
    "Inventory",
    "Key",
    "Lease",
    "LeaseLost",
    "__version__",
    "connect",
    "freshness",
    "list_items",
]
