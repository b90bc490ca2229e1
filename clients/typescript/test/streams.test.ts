import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import * as client from '@admin-gateway/client';
import { AuditLogService, GroupService, ProjectService } from '@admin-gateway/client/admin/v1';
import { Incomplete_Reason, InventoryService } from '@admin-gateway/client/inventory/v1';
import { LeaseService } from '@admin-gateway/client/lease/v1';
import { refusal, serve } from './server.js';

const keys = (projectId: string) => ({ event: { case: 'keys' as const, value: { projectId } } });
const progress = (resumeToken: string) => ({ event: { case: 'progress' as const, value: { resumeToken } } });
const complete = { event: { case: 'end' as const, value: { outcome: { case: 'complete' as const, value: {} } } } };
const pausesMs: [number, number] = [1, 2];

async function collect(pages: AsyncIterable<{ projectId: string }>, into: string[] = []): Promise<string[]> {
  for await (const { projectId } of pages) into.push(projectId);
  return into;
}

test('an inventory that is cut off, or silent, goes on from the last token, and each page comes once', async (t) => {
  const tokens: string[] = [];
  const server = await serve(t, ({ service }) =>
    service(InventoryService, {
      async *listApiKeys({ resumeToken }, { signal }) {
        tokens.push(resumeToken);
        yield keys(`${resumeToken}a`);
        if (tokens.length > 3) return yield complete;
        yield progress(`${resumeToken}1`);
        yield keys('comes again');
        if (tokens.length === 1) throw refusal(Code.Unavailable, 'STOPPING', 1);
        if (tokens.length === 2) setTimeout(server.cut, 50);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    }),
  );
  const options = { pausesMs, silenceMs: 2000 };
  const pages = await collect(server.gateway.inventory(InventoryService.method.listApiKeys, {}, options));
  assert.deepEqual(pages, ['a', '1a', '11a', '111a']);
  assert.deepEqual(tokens, ['', '1', '11', '111']);
});

test('an inventory says what is missing', async (t) => {
  let streams = 0;
  const failure = { method: 'm', code: Code.Unavailable, reason: 'R', retryDelay: durationFromMs(1) };
  const value = { reasons: [Incomplete_Reason.FAILED], resumeToken: 'rest' };
  const { gateway } = await serve(t, ({ service }) =>
    service(InventoryService, {
      async *listApiKeys() {
        streams++;
        yield {
          event: { case: 'failure', value: streams < 3 ? failure : { ...failure, code: Code.PermissionDenied } },
        };
        yield { event: { case: 'end', value: { outcome: { case: 'incomplete', value } } } };
      },
      async *listUsers() {
        throw refusal(Code.PermissionDenied, 'PERMISSION_DENIED');
      },
    }),
  );
  let failures = 0;
  const options = { pausesMs, onFailure: () => failures++ };
  await assert.rejects(collect(gateway.inventory(InventoryService.method.listApiKeys, {}, options)), (error) => {
    assert.ok(error instanceof client.IncompleteInventory);
    assert.deepEqual([error.reasons, error.failures.length, error.resumeToken], [value.reasons, 1, 'rest']);
    return /REASON_FAILED; 1 reads failed, the first m: R/.test(error.message);
  });
  assert.deepEqual([streams, failures], [3, 3]);
  const refused = gateway.inventory(InventoryService.method.listUsers, {})[Symbol.asyncIterator]().next();
  await assert.rejects(refused, client.PermissionDenied);
});

test('leaving the loop of an inventory ends its stream', async (t) => {
  let ended: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (ended = resolve));
  const { gateway } = await serve(t, ({ service }) =>
    service(InventoryService, {
      async *listApiKeys(_, { signal }) {
        signal.addEventListener('abort', ended);
        yield keys('a');
        yield progress('1');
        await end;
      },
    }),
  );
  for await (const page of gateway.inventory(InventoryService.method.listApiKeys, {})) {
    assert.equal(page.projectId, 'a');
    break;
  }
  await end;
});

test('a list is whole, or says why not', async (t) => {
  const pages: Record<string, { ids: string[]; lastId: string; hasMore: boolean }> = {
    '': { ids: ['1', '2'], lastId: '2', hasMore: true },
    '2': { ids: ['3'], lastId: '3', hasMore: true },
    '3': { ids: ['4'], lastId: '4', hasMore: false },
    same: { ids: ['5'], lastId: 'same', hasMore: true },
    back: { ids: ['6'], lastId: 'there', hasMore: true },
    there: { ids: ['7'], lastId: 'back', hasMore: true },
    empty: { ids: [], lastId: 'x', hasMore: true },
    none: { ids: ['8'], lastId: '', hasMore: true },
  };
  const { gateway } = await serve(t, ({ service }) => {
    service(ProjectService, {
      listProjects: ({ after }) => {
        const { ids, lastId, hasMore } = pages[after ?? '']!;
        return { data: ids.map((id) => ({ id })), lastId, hasMore };
      },
    });
    service(GroupService, { listGroups: () => ({ data: [{ id: 'g' }], hasMore: false, next: 'more' }) });
  });
  const walk = async (after: string, maxPages = 100) => {
    const ids: string[] = [];
    for await (const { id } of gateway.list(ProjectService.method.listProjects, { after }, { maxPages })) ids.push(id);
    return ids.join();
  };
  const reason = (expected: string) => (error: unknown) =>
    error instanceof client.EndlessList && error.reason === expected;
  assert.equal(await walk(''), '1,2,3,4');
  await assert.rejects(walk('', 2), reason('PageCap'));
  await assert.rejects(walk('same'), reason('SameCursor'));
  await assert.rejects(walk('back'), reason('Cycle'));
  await assert.rejects(walk('empty'), reason('EmptyPage'));
  await assert.rejects(walk('none'), reason('NoCursor'));
  const groups = gateway.list(GroupService.method.listGroups, {});
  await groups.next();
  await assert.rejects(groups.next(), reason('Contradiction'));
  const before = gateway.list(AuditLogService.method.listAuditLogs, { before: 'x' });
  await assert.rejects(before.next(), client.InvalidConfig);
});

test('a lease is renewed, replaced at its latest end, rotated, and lost when it is refused', async (t) => {
  const calls: string[] = [];
  let [made, refuse] = [0, false];
  const lease = (life: number, apiKeyId: string) => ({
    id: `l${made}`,
    apiKeyId,
    createdAt: timestampFromMs(0),
    expiresAt: timestampFromMs(life),
    maxExpiresAt: timestampFromMs(450),
  });
  const { gateway } = await serve(t, ({ service }) =>
    service(LeaseService, {
      createLease: ({ requestId }) => {
        calls.push('create');
        if (refuse) throw refusal(Code.PermissionDenied, 'PERMISSION_DENIED');
        if (made === 0 && calls.length === 1) throw refusal(Code.Aborted, 'LEASE_DOUBTFUL');
        assert.notEqual(requestId, '');
        return { lease: lease(300, `k${++made}`), secret: `s${made}` };
      },
      acknowledgeLease: () => ({}),
      renewLease: () => {
        calls.push('renew');
        return { lease: lease(450, `k${made}`) };
      },
      rotateLease: () => ({ lease: lease(450, 'rotated'), secret: 'rotated' }),
      revokeLease: ({ leaseId }) => {
        calls.push(`revoke ${leaseId}`);
        return {};
      },
    }),
  );
  const got: string[] = [];
  const errors: Error[] = [];
  const options = { pausesMs, onKey: (key: string) => got.push(key), onError: (error: Error) => errors.push(error) };
  const held = await gateway.lease({ role: 'r', ...options });
  assert.equal(await held.key(), 's1');
  assert.ok(errors[0] instanceof client.Aborted);
  while (got.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(calls.slice(0, 4), ['create', 'create', 'renew', 'create']);
  assert.equal(await held.key(), 's2');
  await held.rotate();
  assert.equal(await held.key(), 'rotated');
  await held.release();
  assert.ok(calls.includes('revoke l2'), `${calls}`);
  await assert.rejects(held.key(), client.LeaseLost);

  const other = await gateway.lease({ role: 'r', ...options });
  refuse = true;
  while (!(errors.at(-1) instanceof client.LeaseLost)) await new Promise((resolve) => setTimeout(resolve, 10));
  await assert.rejects(other.key(), client.LeaseLost);
});
