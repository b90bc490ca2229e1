"""The package and the vendor's SDK in one process: both list the same projects."""

import os

import admin_gateway
import openai
from admin_gateway.admin.v1 import project_pb2, project_pb2_grpc

address, token, ca = (os.environ[name] for name in ("GATEWAY", "AUDITOR_TOKEN", "GATEWAY_CA"))

with admin_gateway.connect(address, token=token, ca=ca) as channel:
    projects = project_pb2_grpc.ProjectServiceStub(channel)
    ours = [
        project.id for project in admin_gateway.list_items(projects.ListProjects, project_pb2.ListProjectsRequest())
    ]

http_client = openai.DefaultHttpxClient(verify=ca)
with openai.OpenAI(base_url=f"{address}/v1", admin_api_key=token, http_client=http_client) as vendor:
    theirs = [project.id for project in vendor.admin.organization.projects.list()]

assert ours == theirs, (ours, theirs)
assert ours, "no projects"
print(f"the package and openai {openai.__version__} list the same {len(ours)} projects")
