// Calls every admin operation with the vendor's SDK for Node, directly and through
// the gateway, and compares the results.
//
// Run it beside a testbed: see tools/sdk-go, which has the operations and
// describes the environment.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import OpenAI from 'openai';

const { DIRECT_URL, DIRECT_KEY, GATEWAY_URL, GATEWAY_TOKEN, READER_TOKEN, UPSTREAM_URL, CERTIFICATE } = process.env;
const file = process.env.OPERATIONS;
const form = /^([\w.]+)((?: \w+=\S+)*)(?: (\{.*?\}))?(?: => (.+))?$/;

const pairs = (text) => (text ?? '').split(' ').filter(Boolean).map((pair) => pair.split('='));

// operations are those of the file: line, method, path, parameters, values to keep.
function* operations() {
  for (const [i, text] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (text === '' || text.startsWith('#')) continue;
    const [, method, path, params, keep] = form.exec(text);
    yield { line: i + 1, method, path: pairs(path), params: JSON.parse(params ?? '{}'), keep: pairs(keep) };
  }
}

// fill replaces "$name" by its value.
function fill(value, world) {
  if (Array.isArray(value)) return value.map((member) => fill(member, world));
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, fill(member, world)]));
  return typeof value === 'string' && value.startsWith('$') ? world[value.slice(1)] : value;
}

// call makes one call. The last parameter of the path comes first, the others are
// among the rest.
async function call(client, { method, path, params }, world) {
  const names = method.split('.').map((name) => name.replace(/_([a-z]+)/g, (_, word) => (word === 'api' ? 'API' : word[0].toUpperCase() + word.slice(1))));
  const service = names.slice(0, -1).reduce((found, name) => found[name], client.admin.organization);
  const ids = path.map(([name, value]) => [name, fill(value, world)]);
  const last = ids.pop();
  const rest = { ...Object.fromEntries(ids), ...fill(params, world) };
  const args = [...(last ? [last[1]] : []), ...(Object.keys(rest).length > 0 ? [rest] : [])];
  return service[names.at(-1)](...args).asResponse().then((response) => response.text());
}

function learn({ keep }, answer, world) {
  for (const [name, path] of keep) world[name] = path.split('.').reduce((value, step) => value[step], answer);
}

const at = (url, key) => new OpenAI({ baseURL: url, adminAPIKey: key });

async function everyOperation() {
  const places = [at(DIRECT_URL, DIRECT_KEY), at(GATEWAY_URL, GATEWAY_TOKEN)].map((client) => ({ client, world: { pem: CERTIFICATE } }));
  const methods = new Set();
  let calls = 0;
  for (const operation of operations()) {
    const answers = [];
    for (const { client, world } of places) {
      const answer = await call(client, operation, world).catch((error) => {
        throw new Error(`operations.txt:${operation.line}: ${operation.method} at ${client.baseURL}`, { cause: error });
      });
      learn(operation, JSON.parse(answer), world);
      answers.push(answer);
    }
    assert.equal(answers[1], answers[0], `operations.txt:${operation.line}: ${operation.method}`);
    methods.add(operation.method);
    calls++;
  }
  console.log(`node: ${methods.size} operations in ${calls} calls, the same directly and through the gateway`);
}

async function refusals() {
  const reader = at(GATEWAY_URL, READER_TOKEN).admin.organization;
  let users = 0;
  for await (const _ of reader.users.list({ limit: 7 })) users++;
  assert.ok(users > 50, `${users} users`);
  await assert.rejects(reader.projects.create({ name: 'mine' }), (error) => error.status === 403 && error.code === 'permission_denied' && error.type === 'permission_error');
  await assert.rejects(reader.projects.retrieve('proj_nobody'), (error) => error.status === 404);
  console.log('node: pages and refusals are understood');
}

// The SDK retries failed calls by itself, but must not retry a write that may have
// been done.
async function lostWrite() {
  const operation = 'POST /organization/projects';
  const count = async () => (await (await fetch(`${UPSTREAM_URL}/_sandbox/counts`)).json()).counts[operation] ?? 0;
  const before = await count();
  await fetch(`${UPSTREAM_URL}/_sandbox/faults`, { method: 'POST', body: JSON.stringify({ op: operation, kind: 'lost' }) });
  const client = at(GATEWAY_URL, GATEWAY_TOKEN);
  await assert.rejects(client.admin.organization.projects.create({ name: 'mine' }), (error) => error.status === 424 && error.code === 'outcome_unknown');
  assert.equal((await count()) - before, 1, 'projects were made');
  console.log('node: a write whose answer was lost was made once');
}

await everyOperation();
await refusals();
await lostWrite();
