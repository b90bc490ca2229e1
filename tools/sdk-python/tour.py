"""Calls every admin operation with the vendor's SDK for Python, directly and
through the gateway, and compares the results.

Run it beside a testbed: see tools/sdk-go, which has the operations and
describes the environment.
"""

import json
import os
import pathlib
import re
import sys
import urllib.request

import openai

OPERATIONS = pathlib.Path(os.environ["OPERATIONS"])
LINE = re.compile(r"^([\w.]+)((?: \w+=\S+)*)(?: (\{.*?\}))?(?: => (.+))?$")


def operations():
    """The operations of the file: number, method, path, parameters, values to keep."""
    for number, text in enumerate(OPERATIONS.read_text(encoding="utf-8").splitlines(), 1):
        if not text or text.startswith("#"):
            continue
        method, path, params, keep = LINE.match(text).groups()
        pairs = [pair.split("=", 1) for pair in path.split()]
        kept = [pair.split("=", 1) for pair in (keep or "").split()]
        yield number, method, pairs, json.loads(params or "{}"), kept


def fill(value, world):
    """Replaces "$name" by its value."""
    if isinstance(value, dict):
        return {name: fill(member, world) for name, member in value.items()}
    if isinstance(value, list):
        return [fill(member, world) for member in value]
    if isinstance(value, str) and value.startswith("$"):
        return world[value[1:]]
    return value


def call(client, method, path, params, world):
    """Makes one call; returns the SDK's result and the answer."""
    function = client.admin.organization
    for name in method.split("."):
        function = getattr(function, name)
    arguments = {name: fill(value, world) for name, value in path}
    arguments.update(fill(params, world))
    result = function(**arguments)
    return result, result.to_dict(mode="json")


def learn(kept, answer, world):
    for name, path in kept:
        value = answer
        for step in path.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
        world[name] = value


def every_operation():
    clients = [
        openai.OpenAI(base_url=os.environ["DIRECT_URL"], admin_api_key=os.environ["DIRECT_KEY"]),
        openai.OpenAI(base_url=os.environ["GATEWAY_URL"], admin_api_key=os.environ["GATEWAY_TOKEN"]),
    ]
    worlds = [{"pem": os.environ["CERTIFICATE"]}, {"pem": os.environ["CERTIFICATE"]}]
    methods = set()
    calls = 0
    for number, method, path, params, kept in operations():
        answers = []
        for client, world in zip(clients, worlds):
            try:
                _, answer = call(client, method, path, params, world)
            except Exception as error:
                sys.exit(f"operations.txt:{number}: {method} at {client.base_url}: {error!r}")
            learn(kept, answer, world)
            answers.append(answer)
        if answers[0] != answers[1] or not answers[0]:
            sys.exit(f"operations.txt:{number}: {method}: {answers[1]} through the gateway, {answers[0]} directly")
        methods.add(method)
        calls += 1
    print(f"python: {len(methods)} operations in {calls} calls, the same directly and through the gateway")


def refusals():
    reader = openai.OpenAI(base_url=os.environ["GATEWAY_URL"], admin_api_key=os.environ["READER_TOKEN"])
    assert sum(1 for _ in reader.admin.organization.users.list(limit=7)) > 50
    try:
        reader.admin.organization.projects.create(name="mine")
        sys.exit("a reader has made a project")
    except openai.PermissionDeniedError as error:
        assert error.code == "permission_denied" and error.type == "permission_error", error
    try:
        reader.admin.organization.projects.retrieve("proj_nobody")
        sys.exit("there is an unknown project")
    except openai.NotFoundError:
        pass
    print("python: pages and refusals are understood")


def control(path, fault=None):
    request = urllib.request.Request(os.environ["UPSTREAM_URL"] + path, method="POST" if fault else "GET")
    with urllib.request.urlopen(request, json.dumps(fault).encode() if fault else None, timeout=30) as reply:
        return json.load(reply)


def lost_write():
    """The SDK retries failed calls by itself, but must not retry a write that may have been done."""
    operation = "POST /organization/projects"
    before = control("/_sandbox/counts")["counts"].get(operation, 0)
    control("/_sandbox/faults", {"op": operation, "kind": "lost"})
    client = openai.OpenAI(base_url=os.environ["GATEWAY_URL"], admin_api_key=os.environ["GATEWAY_TOKEN"])
    try:
        client.admin.organization.projects.create(name="mine")
        sys.exit("the answer was not lost")
    except openai.APIStatusError as error:
        assert error.status_code == 424 and error.code == "outcome_unknown", error
    made = control("/_sandbox/counts")["counts"][operation] - before
    assert made == 1, f"{made} projects were made"
    print("python: a write whose answer was lost was made once")


every_operation()
refusals()
lost_write()
