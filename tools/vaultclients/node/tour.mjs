// node-vault against the gateway: login, read, lookup, renew, revoke, errors.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import nodeVault from "node-vault";

const { VAULT_ADDR, ANN_TOKEN, BOB_TOKEN, POD_JWT, UPSTREAM_URL } = process.env;
const client = (token, options = {}) => nodeVault({ endpoint: VAULT_ADDR, token, ...options });

// Whether the data plane takes a key.
async function works(key) {
  const answer = await fetch(`${UPSTREAM_URL}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  assert.ok(answer.status === 200 || answer.status === 401, `status ${answer.status}`);
  return answer.status === 200;
}

// The call fails with a status, and with words.
async function refused(call, status, words) {
  await assert.rejects(call, (error) => {
    assert.equal(error.response?.statusCode, status, String(error));
    assert.match(String(error), words);
    return true;
  });
}

// A lease, from its key to its end.
async function life(vault, role) {
  const made = await vault.read(`openai/creds/${role}`);
  assert.ok((await works(made.data.api_key)) && made.renewable && made.lease_duration > 3500);
  const looked = await vault.write("sys/leases/lookup", { lease_id: made.lease_id });
  assert.equal(looked.data.id, made.lease_id);
  const renewed = await vault.write("sys/leases/renew", { lease_id: made.lease_id, increment: 7200 });
  assert.ok(renewed.lease_id === made.lease_id && renewed.lease_duration > 7100);
  await vault.write("sys/leases/revoke", { lease_id: made.lease_id, sync: true });
  assert.equal(await works(made.data.api_key), false);
  await refused(() => vault.write("sys/leases/renew", { lease_id: made.lease_id }), 400, /over/);
}

const pod = client();
assert.equal((await pod.health()).sealed, false);
assert.equal((await pod.status()).sealed, false);
const login = await pod.kubernetesLogin({ mount_point: "kubernetes", role: "search", jwt: POD_JWT });
assert.equal(pod.token, login.auth.client_token);
assert.equal((await pod.tokenLookupSelf()).data.display_name, "pod");
assert.equal((await pod.tokenRenewSelf()).auth.client_token, pod.token);
await life(pod, "search");
await pod.tokenRevokeSelf();
await refused(() => pod.tokenLookupSelf(), 403, /permission denied/);

const ann = client(ANN_TOKEN), bob = client(BOB_TOKEN);
await life(ann, "search");
const made = await ann.read("openai/creds/search?ttl=10m");
assert.ok(made.lease_duration <= 600);
await refused(() => bob.write("sys/leases/renew", { lease_id: made.lease_id }), 400, /no such lease/);
await bob.write("sys/leases/revoke-prefix/openai/creds/search", {});
assert.ok(await works(made.data.api_key));
await ann.write("sys/leases/revoke-prefix/openai/creds/search", {});
await refused(() => ann.write("sys/leases/lookup", { lease_id: made.lease_id }), 400, /invalid lease/);
assert.ok(await works((await ann.read("openai/static-creds/site")).data.api_key));

await refused(() => client("none").read("openai/creds/search"), 403, /permission denied/);
await refused(() => client(ANN_TOKEN, { namespace: "team" }).read("openai/creds/search"), 400, /X-Vault-Namespace/);
await refused(() => ann.read("secret/data/none"), 404, /no handler for route/);
const { version } = createRequire(import.meta.url)("node-vault/package.json");
console.log("vaultclients: node-vault", version, "passed");
