// A tour of the gateway from Node: lists, a write, an inventory, costs, and what can go wrong.
//
//   GATEWAY=https://gateway.example.org GATEWAY_TOKEN=… AUDITOR_TOKEN=… npm start
import { timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { connect, DeadlineExceeded, freshness, PermissionDenied } from '@admin-gateway/client';
import { ResourceExhausted, Unavailable, type GatewayError } from '@admin-gateway/client';
import { AuditLogService, CostService, ProjectService } from '@admin-gateway/client/admin/v1';
import { ProjectServiceAccountService } from '@admin-gateway/client/admin/v1';
import { InventoryService, type Progress } from '@admin-gateway/client/inventory/v1';
import { bold, dim, ProgressBar, row } from './terminal.js';

const { GATEWAY = 'http://127.0.0.1:8080', GATEWAY_TOKEN = '', AUDITOR_TOKEN, GATEWAY_CA } = process.env;
const ca = GATEWAY_CA ? { ca: GATEWAY_CA } : {};
const gateway = connect(GATEWAY, {
  token: GATEWAY_TOKEN,
  userAgent: 'example/1',
  ...ca,
});

// A list is whole, or the loop throws.
heading('Projects');
const projects = [];
for await (const project of gateway.list(ProjectService.method.listProjects, {
  limit: 20,
}))
  projects.push(project);
for (const { name, id } of projects.slice(0, 5)) row(name ?? '', dim(id));
row(`${projects.length} in all`);

// A write has an idempotency key, so that a repetition after a lost answer makes nothing twice.
heading('A service account');
const accounts = gateway.client(ProjectServiceAccountService);
const projectId = projects[0]?.id ?? '';
const account = await patiently(() => accounts.createProjectServiceAccount({ projectId, name: 'example' }));
row('created', `${account.id} with a key of ${account.apiKey?.value?.length ?? 0} characters`);
await patiently(() =>
  accounts.deleteProjectServiceAccount({
    projectId,
    serviceAccountId: account.id,
  }),
);
row('deleted', account.id);

// An inventory is many calls in one stream. It resumes by itself, and ends complete or throws.
heading('API keys of all projects');
const bar = new ProgressBar();
const onProgress = ({ callsDone, callsKnown, items, timeLeft }: Progress) =>
  bar.show(Number(callsDone), Number(callsKnown), `${items} keys, ${timeLeft?.seconds ?? 0} s left`);
const owners = new Map<string, number>();
for await (const page of gateway.inventory(InventoryService.method.listApiKeys, {}, { onProgress })) {
  owners.set(page.projectId, (owners.get(page.projectId) ?? 0) + page.items.length);
}
bar.clear();
row(`${[...owners.values()].reduce((a, b) => a + b, 0)} keys in ${owners.size} projects`, 'complete');

heading('Costs of a week');
const today = new Date().setUTCHours(0, 0, 0, 0);
const startTime = timestampFromDate(new Date(today - 7 * 24 * 3600 * 1000));
const week = { startTime, endTime: timestampFromDate(new Date(today)) };
let age = '';
const onHeader = (headers: Headers) => (age = freshness(headers).hit ? 'from the cache' : 'fresh');
const costs = await patiently(() => gateway.client(CostService).listCosts(week, { onHeader }));
const days = costs.data.map(({ startTime, results }) => ({
  day: startTime ? timestampDate(startTime).toUTCString().slice(0, 11) : '',
  sum: results.reduce((sum, { amount }) => sum + Number(amount?.value ?? 0), 0),
}));
const most = Math.max(...days.map(({ sum }) => sum));
for (const { day, sum } of days) row(day, `${dollars(sum)}  ${'▇'.repeat(Math.round((24 * sum) / most) || 0)}`);
row('sum', `${dollars(days.reduce((all, { sum }) => all + sum, 0))}  ${dim(age)}`);

heading('A refusal');
const auditor = connect(GATEWAY, {
  token: AUDITOR_TOKEN ?? GATEWAY_TOKEN,
  ...ca,
});
try {
  if (!AUDITOR_TOKEN) row('left out', 'AUDITOR_TOKEN is not set');
  else await auditor.client(ProjectService).createProject({ name: 'not for me' });
} catch (error) {
  if (!(error instanceof PermissionDenied)) throw error;
  row(error.kind, `the caller lacks ${bold(error.permission)} ${dim(error.requestId)}`);
} finally {
  auditor.close();
}

heading('A deadline');
const end = Date.now() + 200;
for (let answers = 0; ; answers++) {
  try {
    await gateway.client(AuditLogService).listAuditLogs({ limit: 100 }, { timeoutMs: Math.max(1, end - Date.now()) });
    await new Promise((resolve) => setTimeout(resolve, 50));
  } catch (error) {
    if (!(error instanceof DeadlineExceeded)) throw error;
    row(error.kind, `${answers} calls were answered within 200 ms`);
    break;
  }
}
gateway.close();

// The client waits by itself where the deadline of a call allows that. This waits for longer.
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const passing = error instanceof ResourceExhausted || error instanceof Unavailable;
      const { retryDelayMs } = error as GatewayError;
      if (!passing || retryDelayMs === undefined || attempt === 3) throw error;
      row('waiting', `${(retryDelayMs / 1000).toFixed(1)} s, as the gateway asks: ${(error as GatewayError).reason}`);
      await new Promise((resolve) => setTimeout(resolve, retryDelayMs));
    }
  }
}

function heading(text: string): void {
  console.log(`\n${bold(text)}`);
}

function dollars(sum: number): string {
  return sum.toLocaleString('en', { style: 'currency', currency: 'USD' }).padStart(10);
}
