// Serves the page, opens it in headless Chromium, and checks what a person would see.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { chromium } from 'playwright-core';

const [root, port, gateway, screenshot] = process.argv.slice(2);
const { CHROMIUM, TOKEN } = process.env;
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const origin = `http://127.0.0.1:${port}`;

const server = createServer(async (request, response) => {
  const name = new URL(request.url, origin).pathname.slice(1) || 'index.html';
  const type = /^[a-z]+\.[a-z]+$/.test(name) && types[extname(name)];
  const body = type && (await readFile(join(root, name)).catch(() => undefined));
  response.writeHead(body ? 200 : 404, { 'content-type': type || 'text/plain', 'x-content-type-options': 'nosniff' });
  response.end(body);
});
await new Promise((resolve, reject) => server.once('error', reject).listen(Number(port), '127.0.0.1', resolve));

const profile = await mkdtemp(join(tmpdir(), 'page-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: CHROMIUM,
  chromiumSandbox: false,
  args: [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
  viewport: { width: 1200, height: 1000 },
  ignoreHTTPSErrors: true, // The rig's CA is not the browser's.
});
try {
  for (const [scheme, protocol] of [
    ['dark', 'grpc-web'],
    ['light', 'connect'],
  ]) {
    const page = await browser.newPage();
    page.setDefaultTimeout(40_000);
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    const faults = [];
    page.on('console', (message) => {
      // Chromium reports each answer that is not 200, which the refusal is over Connect.
      const refused = /status of 40[03]/.test(message.text()) && message.location().url.endsWith('/CreateProject');
      if (['error', 'warning'].includes(message.type()) && !refused) faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (![origin, new URL(gateway).origin].includes(url.origin)) faults.push(`a request to ${url.origin}`);
    });
    const fragment = new URLSearchParams({ address: gateway, token: TOKEN, protocol });
    await page.goto(`${origin}/#${fragment}`);
    await page.waitForSelector('body[data-done]');

    const text = (selector) => page.locator(selector).innerText();
    assert.equal(await page.getAttribute('body', 'data-done'), 'true', await text('main'));
    assert.equal(page.url(), `${origin}/`, 'the token is left in the address');
    const projects = await page.locator('#projects tbody tr').count();
    assert.ok(projects > 20, `${projects} projects are not those of several pages`);
    assert.equal(await text('#projects .note'), `${projects} projects`);
    assert.match(await text('#inventory .note'), /^Complete/);
    assert.equal(await page.$eval('progress', (bar) => bar.value / bar.max), 1);
    const keys = await page.$$eval('#projects td:last-child', (cells) => cells.map((cell) => Number(cell.textContent)));
    assert.equal(await text('#keys'), String(keys.reduce((a, b) => a + b, 0)));
    assert.equal(await text('#owners'), String(projects));
    assert.equal(await page.locator('#bars rect').count(), 7);
    assert.match(await text('#costs .note'), /^\$[\d,]+ in all, /);
    assert.match(await text('#refusal .note'), /PermissionDenied: .*projects\.create|InvalidArgument: .*name.*req_/s);
    assert.equal(
      await page.evaluate(() => document.documentElement.scrollWidth > innerWidth),
      false,
      'the page is too wide',
    );
    assert.deepEqual(faults, []);
    const name = scheme === 'light' ? screenshot : screenshot.replace(/(\.\w+)?$/, `-${scheme}$1`);
    await page.screenshot({ path: name, fullPage: true });
    console.log(
      `${protocol}, ${scheme}: ${projects} projects, ${await text('#keys')} keys, ${await text('#refusal .note')}`,
    );
    await page.close();
  }
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
