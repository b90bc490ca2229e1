"""Calls the API with the vendor's SDK for Python and leased keys, for longer than a key
lives.

Run it beside a testbed with leases: see tools/sdk-go. It runs itself again, as the program
that `gateway lease exec` runs, and looks at what that has done.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import openai

# A key of both roles is alive for 5 seconds after its last renewal, one of the role
# "brief" for 11 seconds at most.
SECONDS = 20


def work(log):
    """Makes calls until a signal comes. The first failure ends it: the SDK tries nothing again."""
    client = openai.OpenAI(base_url=os.environ["UPSTREAM_URL"] + "/v1", max_retries=0)
    assert "ADMIN_GATEWAY_TOKEN" not in os.environ, "the program has the token"
    with open(log, "a", encoding="utf-8") as out:
        print("begin", client.api_key, file=out, flush=True)
        while True:
            answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
            assert answer.choices[0].message.content, answer
            print("answer", answer.id, file=out, flush=True)
            time.sleep(0.1)


def leased(role):
    """Runs the work with a leased key; returns the keys that it had, and the number of its answers."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log")
        command = [os.environ["GATEWAY"], "lease", "exec", role, "--", sys.executable, __file__, str(log)]
        process = subprocess.Popen(command)
        try:
            code = process.wait(SECONDS)
            sys.exit(f"{role}: it ended with {code} after {log.read_text(encoding='utf-8')}")
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
        code = process.wait(30)
        assert code == 128 + signal.SIGTERM, f"{role}: exit code {code}"
        lines = log.read_text(encoding="utf-8").split("\n")
    return [line.split()[1] for line in lines if line.startswith("begin")], sum(line.startswith("answer") for line in lines)


def alive():
    """The leased keys that are alive upstream."""
    with urllib.request.urlopen(os.environ["UPSTREAM_URL"] + "/_sandbox/keys", timeout=30) as reply:
        return [key["name"] for key in json.load(reply) if key["alive"] and key["name"].startswith("agw.")]


def ends(keys):
    """Every key is dead soon after its program."""
    deadline = time.monotonic() + 30
    while alive():
        assert time.monotonic() < deadline, f"alive: {alive()}"
        time.sleep(0.1)
    for key in keys:
        try:
            openai.OpenAI(base_url=os.environ["UPSTREAM_URL"] + "/v1", api_key=key, max_retries=0).chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
            sys.exit("a key outlives its program")
        except openai.AuthenticationError as error:
            assert error.code == "invalid_api_key", error


if len(sys.argv) > 1:
    work(sys.argv[1])
for name, fewest, most in [("lasting", 1, 1), ("brief", 2, SECONDS)]:
    had, answers = leased(name)
    assert fewest <= len(had) <= most, f"{name}: {len(had)} keys"
    assert answers > SECONDS, f"{name}: {answers} answers"
    ends(had)
    print(f"python: {answers} calls in {SECONDS} seconds with {len(set(had))} leased keys of the role {name}, which live for 5 seconds")
