import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code, ConnectError, createContextValues } from '@connectrpc/connect';
import * as client from '@admin-gateway/client';
import { GroupService, ProjectService } from '@admin-gateway/client/admin/v1';
import { LeaseService } from '@admin-gateway/client/lease/v1';
import { refusal, serve } from './server.js';

test('a read is made again, with what is left of its deadline', async (t) => {
  const timeouts: number[] = [];
  const { gateway } = await serve(t, ({ service }) =>
    service(ProjectService, {
      listProjects: (_, context) => {
        timeouts.push(context.timeoutMs() ?? 0);
        if (timeouts.length < 3) throw refusal(Code.Unavailable, 'STOPPING');
        return { hasMore: false };
      },
    }),
  );
  await gateway.client(ProjectService).listProjects({}, { timeoutMs: 5_000 });
  assert.equal(timeouts.length, 3);
  assert.ok(timeouts[0]! > 4_000 && timeouts[2]! <= timeouts[0]! - 150, `${timeouts}`);
});

const counts: [string, number, ConnectError, client.ConnectOptions?][] = [
  ['a read, at most as often as it may', 3, refusal(Code.Unavailable, 'UPSTREAM_UNAVAILABLE'), { attempts: 3 }],
  ['a read that a limit refuses with a time', 2, refusal(Code.ResourceExhausted, 'CALLER_LIMIT', 1), { attempts: 2 }],
  ['a read that a limit refuses without a time', 1, refusal(Code.ResourceExhausted, 'LEASE_LIMIT')],
  ['a read that is refused', 1, refusal(Code.PermissionDenied, 'PERMISSION_DENIED')],
  ['a read whose answer is bad each time', 1, refusal(Code.Unavailable, 'UPSTREAM_BAD_RESPONSE')],
  [
    'a read whose pause would end behind its deadline',
    1,
    refusal(Code.Unavailable, 'NO_BUDGET', 800),
    { deadlineMs: 500 },
  ],
];
for (const [name, expected, error, options] of counts) {
  test(`calls of ${name}`, async (t) => {
    let calls = 0;
    const fail = () => {
      calls++;
      throw error;
    };
    const { gateway } = await serve(t, ({ service }) => service(ProjectService, { listProjects: fail }), options);
    await assert.rejects(gateway.client(ProjectService).listProjects({}), (caught: unknown) => {
      assert.ok(caught instanceof client.GatewayError && !(caught instanceof client.NotFound));
      assert.deepEqual(
        [caught.kind, caught.code, caught.permission, caught.requestId],
        [Code[error.code], error.code, 'a.b', 'req_1'],
      );
      return true;
    });
    assert.equal(calls, expected);
  });
}

test('a write is made again with the key that it has, and with none only once', async (t) => {
  const keys: (string | null)[] = [];
  let reason = 'STOPPING';
  const { gateway } = await serve(
    t,
    ({ service }) =>
      service(GroupService, {
        createGroup: (_, { requestHeader }) => {
          keys.push(requestHeader.get('idempotency-key'));
          if (reason === 'STOPPING' || keys.at(-1) !== null)
            throw refusal(reason === 'STOPPING' ? Code.Unavailable : Code.FailedPrecondition, reason);
          return {};
        },
      }),
    { attempts: 2 },
  );
  const groups = gateway.client(GroupService);
  await assert.rejects(groups.createGroup({}), client.Unavailable);
  assert.match(String(keys[0]), /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  assert.deepEqual(keys, [keys[0], keys[0]]);

  keys.length = 0;
  await assert.rejects(
    groups.createGroup({}, { contextValues: createContextValues().set(client.randomKey, false) }),
    client.Unavailable,
  );
  assert.deepEqual(keys, [null]);

  for (reason of ['IDEMPOTENCY_NOT_CONFIGURED', 'IDEMPOTENCY_NEEDS_ENCRYPTION']) {
    keys.length = 0;
    await groups.createGroup({});
    assert.equal(keys.length, 2);
    assert.equal(keys[1], null);
  }

  keys.length = 0;
  await assert.rejects(groups.createGroup({}, { headers: { 'idempotency-key': 'mine' } }), client.FailedPrecondition);
  assert.deepEqual(keys, ['mine']);
});

test('a request with an id of its own is made again, and a write of unknown outcome is not', async (t) => {
  let calls = 0;
  let error = refusal(Code.Unavailable, 'LEASE_IN_PROGRESS', 1);
  const fail = () => {
    calls++;
    throw error;
  };
  const { gateway } = await serve(
    t,
    ({ service }) => {
      service(LeaseService, { createLease: fail, renewLease: fail });
      service(ProjectService, { createProject: fail });
    },
    { attempts: 2 },
  );
  await assert.rejects(gateway.client(LeaseService).createLease({ requestId: 'r' }), client.Unavailable);
  assert.equal(calls, 2);
  await assert.rejects(gateway.client(LeaseService).renewLease({ leaseId: 'l' }), client.Unavailable);
  assert.equal(calls, 3);
  error = refusal(Code.Unknown, 'OUTCOME_UNKNOWN');
  await assert.rejects(
    gateway.client(ProjectService).createProject({}),
    (caught) => caught instanceof client.OutcomeUnknown && caught.kind === 'OutcomeUnknown',
  );
  assert.equal(calls, 4);
});

test('a connection that is cut is Unavailable, and a read gets over it', async (t) => {
  let calls = 0;
  const server = await serve(t, ({ service }) =>
    service(ProjectService, {
      listProjects: async () => {
        if (++calls === 1) server.cut();
        return {};
      },
      createProject: async () => {
        server.cut();
        return {};
      },
    }),
  );
  await server.gateway.client(ProjectService).listProjects({});
  assert.equal(calls, 2);
  const contextValues = createContextValues().set(client.randomKey, false);
  await assert.rejects(server.gateway.client(ProjectService).createProject({}, { contextValues }), client.Unavailable);
});

test('a token is asked for once, again before its end, and again when it is refused', async (t) => {
  const seen: (string | null)[] = [];
  let asked = 0;
  const { gateway } = await serve(
    t,
    ({ service }) =>
      service(ProjectService, {
        listProjects: (_, { requestHeader }) => {
          seen.push(requestHeader.get('authorization'));
          if (seen.at(-1) === 'Bearer t1') throw refusal(Code.Unauthenticated, 'UNAUTHENTICATED');
          return {};
        },
      }),
    {
      tokenProvider: async () => ({
        token: `t${++asked}`,
        expiresAt: new Date(Date.now() + (asked === 2 ? 400 : 3_600_000)),
      }),
    },
  );
  const list = () => gateway.client(ProjectService).listProjects({});
  await Promise.all([list(), list()]);
  assert.equal(asked, 2, 'calls at the same time share what they ask for');
  await new Promise((resolve) => setTimeout(resolve, 400));
  await list();
  await list();
  assert.equal(asked, 3);
  assert.deepEqual([...new Set(seen)], ['Bearer t1', 'Bearer t2', 'Bearer t3']);
});

test('a header of 64 KiB comes through, and a message of 8 MiB', async (t) => {
  const { gateway } = await serve(t, ({ service }) =>
    service(ProjectService, {
      getProject: (_, context) => {
        for (let i = 0; i < 300; i++) context.responseHeader.set(`x-${i}`, 'v'.repeat(100));
        context.responseHeader.set('x-long', 'v'.repeat(60_000));
        return { project: { name: 'n'.repeat(8 << 20) } };
      },
    }),
  );
  let long = 0;
  const answer = await gateway
    .client(ProjectService)
    .getProject({}, { onHeader: (headers) => (long = headers.get('x-long')?.length ?? 0) });
  assert.equal(long, 60_000);
  assert.equal(answer.project?.name?.length, 8 << 20);
});

test('a call that is given up is Canceled, and ends at the gateway', async (t) => {
  const controller = new AbortController();
  let ended: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (ended = resolve));
  const { gateway } = await serve(t, ({ service }) =>
    service(ProjectService, {
      getProject: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            ended();
            reject(new ConnectError('over', Code.Canceled));
          });
          controller.abort();
        }),
    }),
  );
  await assert.rejects(gateway.client(ProjectService).getProject({}, { signal: controller.signal }), client.Canceled);
  await end;
});
