// Runs the cases of the conformance script with the package as a program has it: a command a
// line on standard input, a result a line on standard output.
import { createInterface } from 'node:readline';
import { createRegistry, fromJson, isMessage, toJson } from '@bufbuild/protobuf';
import type {
  DescMethodServerStreaming,
  DescMethodStreaming,
  DescMethodUnary,
  DescService,
  JsonValue,
  Message,
} from '@bufbuild/protobuf';
import { Code, createContextValues } from '@connectrpc/connect';
import * as admin from '@admin-gateway/client/admin/v1';
import * as control from '@admin-gateway/client/control/v1';
import * as inventory from '@admin-gateway/client/inventory/v1';
import * as lease from '@admin-gateway/client/lease/v1';
import * as client from '@admin-gateway/client';

interface Command {
  case: string;
  client: Record<string, unknown> & { address: string; token_provider?: string[]; deadline?: number };
  do: 'call' | 'list' | 'inventory' | 'lease';
  method?: string;
  request?: JsonValue;
  timeout?: number;
  idempotency_key?: string;
  no_idempotency_key?: boolean;
  headers?: Record<string, string>;
  cancel?: boolean;
}

const services = [admin, control, inventory, lease]
  .flatMap((module) => Object.values<unknown>(module))
  .filter((value): value is DescService => (value as DescService).kind === 'service');
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

for (let line = await lines.next(); !line.done; line = await lines.next()) {
  const command = JSON.parse(line.value) as Command;
  process.stdout.write(`${JSON.stringify({ case: command.case, ...(await run(command)) })}\n`);
}

async function run(command: Command): Promise<object> {
  const { address, token_provider: tokens, deadline, ...rest } = command.client;
  let result: Record<string, unknown> = {};
  let asked = 0;
  let gateway: client.Gateway | undefined;
  try {
    const named = Object.entries(rest).map(([name, value]) => [camelCase(name), value] as const);
    gateway = client.connect(address, {
      ...(Object.fromEntries(named) as client.ConnectOptions),
      ...(tokens && { tokenProvider: () => tokens[Math.min(asked++, tokens.length - 1)] ?? '' }),
      ...(deadline !== undefined && { deadlineMs: deadline * 1000 }),
    });
    await perform(command, gateway, result);
    result = { ok: true, ...result };
  } catch (error) {
    result = { ok: false, ...result, error: described(error) };
  } finally {
    gateway?.close();
  }
  return { ...result, ...(tokens && { provider_calls: asked }) };
}

async function perform(command: Command, gateway: client.Gateway, result: Record<string, unknown>): Promise<void> {
  const controller = new AbortController();
  const options = {
    headers: {
      ...command.headers,
      ...(command.idempotency_key !== undefined && { 'idempotency-key': command.idempotency_key }),
    },
    contextValues: createContextValues().set(client.randomKey, command.no_idempotency_key ? false : undefined),
    signal: controller.signal,
    ...(command.timeout !== undefined && { timeoutMs: command.timeout * 1000 }),
  };
  const work = command.do === 'lease' ? hold(command, gateway) : call(command, gateway, options);
  if (command.cancel) {
    work.catch(() => undefined); // It is awaited below.
    await lines.next();
    controller.abort();
  }
  return work;

  async function call(command: Command, gateway: client.Gateway, rpc: typeof options): Promise<void> {
    const method = methodNamed(command.method ?? '');
    const request = fromJson(method.input, command.request ?? {});
    if (command.do === 'inventory') {
      Object.assign(result, { items: 0, pages: 0, progress: 0, failures: 0 });
      const count = (name: string, n = 1) => (result[name] = (result[name] as number) + n);
      const counted = { ...rpc, onProgress: () => count('progress'), onFailure: () => count('failures') };
      for await (const page of gateway.inventory(method as DescMethodServerStreaming, request, counted)) {
        count('pages');
        count('items', (page as unknown as { items?: unknown[] }).items?.length ?? 0);
      }
    } else if (command.do === 'list') {
      const ids: string[] = [];
      Object.assign(result, { items: 0, ids });
      for await (const item of gateway.list(method as DescMethodUnary, request, rpc)) {
        result['items'] = ids.push((item as { id?: string }).id ?? '');
      }
    } else {
      const onHeader = (headers: Headers) => (result['freshness'] = client.freshness(headers));
      const functions = gateway.client(method.parent) as Record<string, Function>;
      const message = (await functions[method.localName]!(request, { ...rpc, onHeader })) as Message;
      const registry = createRegistry(method.parent.file);
      result['response'] = toJson(method.output, message, { registry });
    }
  }

  async function hold(command: Command, gateway: client.Gateway): Promise<void> {
    const { role, ttl } = command.request as { role: string; ttl?: string };
    const held = await gateway.lease({ role, ...(ttl !== undefined && { ttlMs: Number.parseFloat(ttl) * 1000 }) });
    const first = await held.key();
    const ends = held.lease.expiresAt;
    await held.renew();
    const renewed = held.lease.expiresAt!.seconds >= ends!.seconds;
    await held.rotate();
    const rotated = (await held.key()) !== first;
    await held.release();
    result['response'] = { key_given: first !== '', renewed, rotated, released: true, lease_id: held.lease.id };
  }
}

function methodNamed(name: string): DescMethodUnary | DescMethodStreaming {
  const [type, method] = name.split('/');
  const found = services.find((s) => s.typeName === type)?.methods.find((m) => m.name === method);
  if (!found) throw new Error(`there is no method ${name}`);
  return found;
}

function described(error: unknown): object {
  if (error instanceof client.GatewayError) {
    return {
      kind: error.kind,
      code: Code[error.code].replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase(),
      reason: error.reason,
      message: error.rawMessage,
      permission: error.permission,
      project: error.project,
      fields: error.fields.map(({ field }) => field),
      ...(error.retryDelayMs !== undefined && { retry_delay: error.retryDelayMs / 1000 }),
      request_id: error.requestId,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof client.InvalidConfig) return { kind: error.kind, message, fields: [snakeCase(error.argument)] };
  if (error instanceof client.EndlessList) return { kind: error.kind, message, reason: error.reason };
  if (error instanceof client.LeaseLost) return { kind: error.kind, message };
  if (error instanceof client.IncompleteInventory) {
    const [reason] = error.reasons;
    const missing = error.failures.length + error.moreFailures;
    return {
      kind: error.kind,
      message,
      reason: reason === undefined ? '' : inventory.Incomplete_ReasonSchema.value[reason]!.name,
      missing,
    };
  }
  console.error(error);
  return { kind: 'Error', message };
}

function camelCase(name: string): string {
  return name.replace(/_./g, (found) => found.slice(1).toUpperCase());
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (found) => `_${found.toLowerCase()}`);
}
