"""Calls the gateway with stubs that were generated from its schema."""

import os

import grpc
import openai
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from admingateway.admin.v1 import project_pb2, project_pb2_grpc

gateway = os.environ["GATEWAY"]  # http://host:port
auditor = [("authorization", "Bearer " + os.environ["AUDITOR"])]


def detail(error, kind):
    """The detail of an error that has a type, or None."""
    for packed in rpc_status.from_call(error).details:
        if packed.Is(kind.DESCRIPTOR):
            unpacked = kind()
            packed.Unpack(unpacked)
            return unpacked
    return None


def refused(call, request):
    try:
        call(request, metadata=auditor, timeout=10)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call was not refused")


with grpc.insecure_channel(gateway.removeprefix("http://")) as channel:
    projects = project_pb2_grpc.ProjectServiceStub(channel)

    page = projects.ListProjects(project_pb2.ListProjectsRequest(limit=3), metadata=auditor, timeout=10)
    print("python: ListProjects:", ", ".join(project.name for project in page.data))

    error = refused(projects.CreateProject, project_pb2.CreateProjectRequest(name="mine"))
    info = detail(error, error_details_pb2.ErrorInfo)
    print("python: CreateProject:", error.code().name, info.reason, dict(info.metadata))
    assert info.reason == "PERMISSION_DENIED", info

    error = refused(projects.GetProject, project_pb2.GetProjectRequest(project_id="../users"))
    info, request = detail(error, error_details_pb2.ErrorInfo), detail(error, error_details_pb2.BadRequest)
    print("python: GetProject:", error.code().name, info.reason, request.field_violations[0].field)
    assert info.reason == "INVALID_REQUEST", info

# The vendor's SDK in the same process, over the REST door.
vendor = openai.OpenAI(base_url=gateway + "/v1", admin_api_key=os.environ["AUDITOR"])
listed = vendor.admin.organization.projects.list(limit=3).data
assert [project.id for project in listed] == [project.id for project in page.data]
print("python: the vendor's SDK lists the same projects")
