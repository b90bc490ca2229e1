// A page that reads from the gateway: Connect or gRPC-Web, by fetch. It keeps the token in memory alone.
import { timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { connect, freshness, GatewayError, IncompleteInventory, InvalidConfig } from '@admin-gateway/client/web';
import type { ConnectOptions, Gateway } from '@admin-gateway/client/web';
import { CostService, ProjectService, type Project } from '@admin-gateway/client/admin/v1';
import { InventoryService, type Progress } from '@admin-gateway/client/inventory/v1';

const day = 24 * 3600 * 1000;
const form = find<HTMLFormElement>('#connection');
let gateway: Gateway | undefined;

// The fragment never leaves the browser, but it stays in its history: so it is taken away.
const given = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, '', location.pathname);
for (const [name, value] of given) {
  const field = form.elements.namedItem(name);
  if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = value;
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void show();
});
if (given.has('address') && given.has('token')) void show();

async function show(): Promise<void> {
  const { address, token, protocol } = Object.fromEntries(new FormData(form)) as Record<string, string>;
  const button = find<HTMLButtonElement>('#connection button');
  button.disabled = true;
  find('#status').textContent = `Reading from ${address}`;
  try {
    gateway?.close();
    const chosen = { protocol: protocol as NonNullable<ConnectOptions['protocol']> };
    const { list, counts, costs, refusal } = sections(
      (gateway = connect(address ?? '', { token: token ?? '', ...chosen })),
    );
    const done = await Promise.all([part('#projects', list), part('#costs', costs), part('#refusal', refusal)]);
    done.push(await part('#inventory', counts));
    find('#status').textContent = done.every(Boolean)
      ? `Read from ${address}`
      : `Not all could be read from ${address}`;
    document.body.dataset['done'] = String(done.every(Boolean));
  } catch (error) {
    find('#status').textContent = error instanceof InvalidConfig ? error.message : String(error);
  } finally {
    button.disabled = false;
  }
}

function sections(gateway: Gateway) {
  const cells = new Map<string, HTMLElement>(); // The number of keys, by project.
  return {
    async list(note: (text: string) => void): Promise<void> {
      const rows = find('#projects tbody');
      rows.replaceChildren();
      let count = 0;
      for await (const project of gateway.list(ProjectService.method.listProjects, { limit: 20 })) {
        rows.append(projectRow(project, cells));
        note(`${++count} projects`);
      }
    },

    async counts(note: (text: string) => void): Promise<void> {
      const bar = find<HTMLProgressElement>('#inventory progress');
      const keys = new Map<string, number>();
      let unused = 0;
      const onProgress = ({ callsDone, callsKnown, timeLeft }: Progress) => {
        bar.max = Math.max(Number(callsKnown), 1);
        bar.value = Number(callsDone);
        note(`${callsDone} of ${callsKnown} calls, ${timeLeft?.seconds ?? 0} s left`);
      };
      for await (const { projectId, items } of gateway.inventory(
        InventoryService.method.listApiKeys,
        {},
        { onProgress },
      )) {
        keys.set(projectId, (keys.get(projectId) ?? 0) + items.length);
        unused += items.filter(
          ({ lastUsedAt }) => !lastUsedAt || Date.now() - timestampDate(lastUsedAt).getTime() > 90 * day,
        ).length;
        const cell = cells.get(projectId);
        if (cell) cell.textContent = String(keys.get(projectId));
        find('#keys').textContent = String([...keys.values()].reduce((all, n) => all + n, 0));
        find('#owners').textContent = String(keys.size);
        find('#unused').textContent = String(unused);
      }
      bar.value = bar.max;
      note('Complete: every project was read to its end.');
    },

    async costs(note: (text: string) => void): Promise<void> {
      const today = new Date().setUTCHours(0, 0, 0, 0);
      const range = {
        startTime: timestampFromDate(new Date(today - 7 * day)),
        endTime: timestampFromDate(new Date(today)),
      };
      let origin = '';
      const onHeader = (headers: Headers) => {
        const { hit, age } = freshness(headers);
        origin = hit ? `, stored ${age} s ago` : ', read just now';
      };
      const { data } = await gateway.client(CostService).listCosts(range, { onHeader });
      const days = data.map(({ startTime, results }) => ({
        label: startTime
          ? timestampDate(startTime).toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', timeZone: 'UTC' })
          : '',
        sum: results.reduce((sum, { amount }) => sum + Number(amount?.value ?? 0), 0),
      }));
      draw(days);
      note(`${dollars(days.reduce((all, { sum }) => all + sum, 0))} in all${origin}`);
    },

    async refusal(note: (text: string, bad?: boolean) => void): Promise<void> {
      try {
        await gateway.client(ProjectService).createProject({ name: '' });
      } catch (error) {
        if (!(error instanceof GatewayError) || !error.fromGateway) throw error;
        note(described(error), true);
      }
    },
  };
}

/** Fills a section, and says in it what went wrong. */
async function part(
  section: string,
  fill: (note: (text: string, bad?: boolean) => void) => Promise<void>,
): Promise<boolean> {
  const line = find(`${section} .note`);
  const note = (text: string, bad = false) => {
    line.textContent = text;
    line.classList.toggle('error', bad);
  };
  note('…');
  try {
    await fill(note);
    return true;
  } catch (error) {
    note(
      error instanceof GatewayError
        ? described(error)
        : error instanceof IncompleteInventory
          ? error.message
          : String(error),
      true,
    );
    return false;
  }
}

function described(error: GatewayError): string {
  const wait = error.retryDelayMs === undefined ? '' : ` Try again in ${Math.ceil(error.retryDelayMs / 1000)} s.`;
  return `${error.kind}: ${error.rawMessage}.${wait} ${error.requestId && `(${error.requestId})`}`;
}

function projectRow({ id, name, createdAt }: Project, cells: Map<string, HTMLElement>): HTMLElement {
  const row = document.createElement('tr');
  const since = createdAt ? timestampDate(createdAt).toISOString().slice(0, 10) : '';
  const made = [name ?? '', id, since, '–'].map((text) => {
    const cell = document.createElement('td');
    cell.textContent = text;
    return cell;
  });
  row.append(...made);
  cells.set(id, made[3]!);
  return row;
}

function draw(days: { label: string; sum: number }[]): void {
  const most = Math.max(...days.map(({ sum }) => sum), 1);
  const width = 420 / Math.max(days.length, 1);
  find('#bars').replaceChildren(
    ...days.flatMap(({ label, sum }, i) => {
      const height = (120 * sum) / most;
      const x = i * width + width / 2;
      return [
        shape('rect', { x: i * width + 6, y: 145 - height, width: width - 12, height, rx: 4 }),
        shape('text', { x, y: 138 - height }, dollars(sum)),
        shape('text', { x, y: 164 }, label),
      ];
    }),
  );
  find('#costs tbody').replaceChildren(
    ...days.map(({ label, sum }) => {
      const row = document.createElement('tr');
      row.insertCell().textContent = label;
      row.insertCell().textContent = dollars(sum);
      return row;
    }),
  );
}

function shape(name: string, attributes: Record<string, number>, text = ''): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value.toFixed(1));
  element.textContent = text;
  return element;
}

function dollars(sum: number): string {
  return sum.toLocaleString('en', { style: 'currency', currency: 'USD', maximumFractionDigits: 0 });
}

function find<E extends Element = HTMLElement>(selector: string): E {
  const found = document.querySelector<E>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}
