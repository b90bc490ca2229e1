"""hvac against the gateway: login, read, lookup, renew, revoke, errors."""

import importlib.metadata
import os
import urllib.error
import urllib.request

import hvac

ADDRESS, UPSTREAM = os.environ["VAULT_ADDR"], os.environ["UPSTREAM_URL"]


def works(key):
    """Whether the data plane takes a key."""
    request = urllib.request.Request(UPSTREAM + "/v1/models", headers={"Authorization": "Bearer " + key})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        assert error.code == 401, error
        return False


def refused(kind, words, call, *args, **kwargs):
    """The call fails with an error of a kind, and with words."""
    try:
        call(*args, **kwargs)
    except kind as error:
        assert words in str(error), error
        return
    raise AssertionError(f"not refused: {call}")


def life(client, role):
    """A lease, from its key to its end."""
    made = client.read("openai/creds/" + role)
    key, lease = made["data"]["api_key"], made["lease_id"]
    assert works(key) and made["renewable"] and made["lease_duration"] > 3500, made
    looked = client.sys.read_lease(lease_id=lease)
    assert looked["data"]["id"] == lease and looked["data"]["ttl"] > 3500, looked
    renewed = client.sys.renew_lease(lease_id=lease, increment=7200)
    assert renewed["lease_id"] == lease and renewed["lease_duration"] > 7100, renewed
    # hvac does not know "sync"; the key is deleted soon after.
    client.sys.revoke_lease(lease_id=lease)
    refused(hvac.exceptions.InvalidRequest, "over", client.sys.renew_lease, lease_id=lease)
    refused(hvac.exceptions.InvalidRequest, "invalid lease", client.sys.read_lease, lease_id=lease)


pod = hvac.Client(url=ADDRESS)
assert pod.sys.read_health_status(method="GET")["initialized"]
assert not pod.seal_status["sealed"]

login = pod.auth.kubernetes.login(role="search", jwt=os.environ["POD_JWT"])
assert pod.token == login["auth"]["client_token"] and pod.is_authenticated()
assert 0 < pod.lookup_token()["data"]["ttl"] <= 3600
assert pod.auth.token.renew_self()["auth"]["client_token"] == pod.token
life(pod, "search")
pod.auth.token.revoke_self()
assert not pod.is_authenticated()
assert pod.auth.jwt.jwt_login(role="search", jwt=os.environ["POD_JWT"])["auth"]["client_token"]

ann, bob = (hvac.Client(url=ADDRESS, token=os.environ[name]) for name in ("ANN_TOKEN", "BOB_TOKEN"))
life(ann, "search")
one, two = (ann.write("openai/creds/search", ttl="10m") for _ in range(2))
assert one["lease_id"] != two["lease_id"] and one["lease_duration"] <= 600, (one, two)
refused(hvac.exceptions.InvalidRequest, "no such lease", bob.sys.renew_lease, lease_id=one["lease_id"])
refused(hvac.exceptions.InvalidRequest, "no such lease", bob.sys.revoke_lease, lease_id=one["lease_id"])
bob.sys.revoke_prefix(prefix="openai/creds/search")
assert works(one["data"]["api_key"])
ann.sys.revoke_prefix(prefix="openai/creds/search")
refused(hvac.exceptions.InvalidRequest, "invalid lease", ann.sys.read_lease, lease_id=one["lease_id"])

static = ann.read("openai/static-creds/site")
assert works(static["data"]["api_key"]) and static["lease_id"] == "" and static["data"]["rotation_period"] == 60, static
ann.write("openai/rotate-role/site")
assert ann.read("openai/static-creds/site")["data"]["api_key"] != static["data"]["api_key"]

refused(hvac.exceptions.Forbidden, "permission denied", hvac.Client(url=ADDRESS, token="none").read, "openai/creds/search")
refused(hvac.exceptions.InvalidRequest, "X-Vault-Namespace", hvac.Client(url=ADDRESS, token=ann.token, namespace="team").read, "openai/creds/search")
refused(hvac.exceptions.InvalidRequest, "wrapping", ann.read, "openai/creds/search", wrap_ttl="60s")
assert ann.read("secret/data/none") is None  # For this client 404 is an empty answer.
print("vaultclients: hvac", importlib.metadata.version("hvac"), "passed")
