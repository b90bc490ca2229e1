"""A tour of Admin Gateway from Python: lists, writes, an inventory, costs, and what can go wrong.

GATEWAY is the address, GATEWAY_TOKEN a caller's token, GATEWAY_CA a file with the authority of its certificate, if that
is a private one. AUDITOR_TOKEN is a caller that may only read.
"""

import os
import shutil
import sys
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import admin_gateway
from admin_gateway import errors
from admin_gateway.admin.v1 import cost_pb2, cost_pb2_grpc, project_pb2, project_pb2_grpc
from admin_gateway.admin.v1 import project_service_account_pb2 as account_pb2
from admin_gateway.admin.v1 import project_service_account_pb2_grpc as account_pb2_grpc
from admin_gateway.inventory.v1 import inventory_pb2, inventory_pb2_grpc

ON_TERMINAL = sys.stdout.isatty()


def connect(token):
    """A channel has the address, the credential and all that holds for every call. Stubs take it."""
    return admin_gateway.connect(
        os.environ["GATEWAY"], token=token, ca=os.environ.get("GATEWAY_CA") or None, user_agent="tour/1.0"
    )


def heading(text):
    print(f"\n\033[1m{text}\033[0m" if ON_TERMINAL else f"\n{text}")


def list_projects(channel):
    """A list comes in pages. `list_items` asks for each, and raises unless it got all of them."""
    heading("Projects")
    stub = project_pb2_grpc.ProjectServiceStub(channel)
    projects = list(admin_gateway.list_items(stub.ListProjects, project_pb2.ListProjectsRequest(limit=10)))
    for project in projects[:5]:
        print(f"  {project.id}  {project.created_at.ToDatetime():%Y-%m-%d}  {project.name}")
    print(f"  … and {len(projects) - 5} more" if len(projects) > 5 else "")
    return projects


def make_and_delete_account(channel, project):
    """A write gets an idempotency key by itself: where its answer is lost, it is sent again, and made once."""
    heading("A service account")
    stub = account_pb2_grpc.ProjectServiceAccountServiceStub(channel)
    made = patiently(
        stub.CreateProjectServiceAccount,
        account_pb2.CreateProjectServiceAccountRequest(project_id=project.id, name="tour"),
    )
    print(f"  made     {made.id} in {project.name}")
    gone = patiently(
        stub.DeleteProjectServiceAccount,
        account_pb2.DeleteProjectServiceAccountRequest(project_id=project.id, service_account_id=made.id),
    )
    print(f"  deleted  {gone.id}")


def patiently(call, request, attempts=3):
    """Makes a call, and waits where the gateway asks for more time than the call's deadline leaves."""
    while True:
        try:
            return call(request)
        except (errors.ResourceExhausted, errors.Unavailable) as error:
            attempts -= 1
            if error.retry_delay is None or attempts == 0:
                raise
            print(f"  {error.reason}: the next attempt is in {error.retry_delay:.1f} s")
            time.sleep(error.retry_delay)


def stream_keys(channel):
    """An inventory is every key of every project, in one stream that is resumed where it is cut off."""
    heading("API keys of all projects")
    stub = inventory_pb2_grpc.InventoryServiceStub(channel)
    bar, keys, used = Bar(), 0, 0
    inventory = admin_gateway.Inventory(
        stub.ListApiKeys, inventory_pb2.ListApiKeysRequest(), on_progress=bar.show, timeout=600
    )
    try:
        for page in inventory:
            keys += len(page.keys.items)
            used += sum(key.HasField("last_used_at") for key in page.keys.items)
    except admin_gateway.IncompleteInventory as error:
        bar.end()
        print(f"  {error}; {keys} keys came")
        return
    bar.end()
    print(f"  {keys} keys, {used} of which were used at some time")


class Bar:
    """A bar on a terminal, and lines elsewhere."""

    def __init__(self):
        self.begun = time.monotonic()

    def show(self, progress):
        # What is known grows until all projects are listed, so the bar says only then how long it takes.
        part = progress.calls_done / max(progress.calls_known, 1)
        counts = f"{progress.calls_done}/{progress.calls_known} calls  {progress.items} items"
        left = f"  {progress.time_left.ToTimedelta().total_seconds():.0f} s left" if progress.all_listed else ""
        if not ON_TERMINAL:
            print(f"  {counts}{left}")
            return
        width = max(min(shutil.get_terminal_size().columns - 52, 40), 8)
        eighths = round(part * width * 8)
        bar = ("█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8]).ljust(width)[:width]
        print(f"\r\033[K  \033[36m{bar}\033[0m {part:4.0%}  {counts}{left}", end="", flush=True)

    def end(self):
        took = f"  done in {time.monotonic() - self.begun:.1f} s"
        print(f"\r\033[K{took}" if ON_TERMINAL else took)


def print_costs(channel):
    """Costs are decimal numbers, digit for digit, so that sums are exact."""
    heading("A week of costs")
    stub = cost_pb2_grpc.CostServiceStub(channel)
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    request = cost_pb2.ListCostsRequest(limit=7)
    request.start_time.FromDatetime(today - timedelta(days=7))
    request.end_time.FromDatetime(today)
    days = [
        (bucket.start_time.ToDatetime(), sum((Decimal(result.amount.value) for result in bucket.results), Decimal(0)))
        for bucket in admin_gateway.list_items(stub.ListCosts, request)
    ]
    most = max((cost for _, cost in days), default=Decimal(0)) or Decimal(1)
    for day, cost in days:
        print(f"  {day:%a %d %b}  {cost:>12,.2f}  {'▇' * round(20 * cost / most)}")
    print(f"  {'total':10}  {sum(cost for _, cost in days):>12,.2f}")


def be_refused():
    """Each code of gRPC is a class, and the error says what is missing."""
    heading("A refusal")
    with connect(os.environ["AUDITOR_TOKEN"]) as channel:
        try:
            project_pb2_grpc.ProjectServiceStub(channel).CreateProject(project_pb2.CreateProjectRequest(name="mine"))
        except errors.PermissionDenied as error:
            print(f"  the auditor lacks {error.permission}; the gateway's log has {error.request_id}")


def be_late(channel):
    """A call takes 30 seconds at most, or what is left of the caller's own time. Attempts and waits are within it."""
    heading("A deadline")
    stub, end = project_pb2_grpc.ProjectServiceStub(channel), time.monotonic() + 0.2
    calls = 0
    try:
        while True:
            stub.ListProjects(project_pb2.ListProjectsRequest(), timeout=end - time.monotonic())
            calls += 1
            time.sleep(0.05)
    except errors.DeadlineExceeded as error:
        print(f"  {calls} calls were answered within 200 ms; then {error}")


def main():
    with connect(os.environ["GATEWAY_TOKEN"]) as channel:
        projects = list_projects(channel)
        make_and_delete_account(channel, projects[0])
        stream_keys(channel)
        print_costs(channel)
        be_refused()
        be_late(channel)


if __name__ == "__main__":
    try:
        main()
    except errors.GatewayError as error:
        sys.exit(f"{type(error).__name__}: {error}")
