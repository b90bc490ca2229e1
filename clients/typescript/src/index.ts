/** The client for Node: gRPC, or Connect, over HTTP/2. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { Code, ConnectError } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { InvalidConfig } from './errors.js';
import { Gateway } from './gateway.js';
import { checkedAddress, checkedOptions, tokenSource, type CommonOptions } from './options.js';
import { isToken, type TokenSource } from './tokens.js';
import { GatewayTransport } from './transport.js';
import { version } from './version.js';

export * from './common.js';

/** How to connect from Node. A credential is one of `token`, `tokenFile`, `tokenProvider`; or `cert` and `key`, with or without it. */
export interface ConnectOptions extends CommonOptions {
  /** A file with a token. It is read again when it changes. */
  tokenFile?: string;
  /** The certificate of this client: a PEM file. */
  cert?: string;
  /** Its key: a PEM file. */
  key?: string;
  /** The CA of the gateway's certificate, in place of the system's: PEM, or a file of it. */
  ca?: string;
  /** The protocol: gRPC. */
  protocol?: 'grpc' | 'connect';
}

/** Connects to a gateway at `https://host[:port]`. */
export function connect(address: string, options: ConnectOptions = {}): Gateway {
  const baseUrl = checkedAddress(address, options.plaintext);
  checkedOptions(options, ['token', 'tokenFile', 'tokenProvider']);
  const tls = tlsOptions(options);
  const tokens = options.tokenFile === undefined ? tokenSource(options) : new TokenFile(options.tokenFile);
  const sessionManager = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs: 60_000 },
    // Node's own limits are 64 KiB and 128 headers.
    { ...tls, settings: { maxHeaderListSize: 1 << 20 }, maxHeaderListPairs: 4096, maxSendHeaderBlockLength: 1 << 20 },
  );
  const settings = { baseUrl, sessionManager, readMaxBytes: 64 << 20, useBinaryFormat: true };
  const inner =
    options.protocol === 'connect'
      ? createConnectTransport({ ...settings, httpVersion: '2' })
      : createGrpcTransport(settings);
  const agent = [options.userAgent, `admin-gateway-typescript/${version}`].filter(Boolean).join(' ');
  const transport = new GatewayTransport(inner, tokens, { 'user-agent': agent }, options);
  return new Gateway(transport, () => sessionManager.abort());
}

class TokenFile implements TokenSource {
  readonly #path: string;
  #token = '';
  #state = '';

  constructor(path: string) {
    this.#path = path;
    checked('tokenFile', () => readFileSync(path));
  }

  async get(): Promise<string> {
    const { mtimeMs, ino, size } = await stat(this.#path);
    const state = `${mtimeMs} ${ino} ${size}`;
    return state === this.#state ? this.#token : this.#read(state);
  }

  renew(): Promise<string> {
    return this.#read('');
  }

  async #read(state: string): Promise<string> {
    const token = (await readFile(this.#path, 'utf8')).trim();
    if (!isToken(token)) throw new ConnectError(`${this.#path} has no token`, Code.Unauthenticated);
    this.#state = state;
    return (this.#token = token);
  }
}

function tlsOptions({ ca, cert, key }: ConnectOptions): { ca?: string; cert?: string; key?: string } {
  if ((cert === undefined) !== (key === undefined)) throw new InvalidConfig(cert ? 'key' : 'cert', 'is missing');
  const own = ca && pem('ca', ca, (text) => new X509Certificate(text));
  if (!cert || !key) return own ? { ca: own } : {};
  const pair = { cert: pem('cert', cert, (text) => new X509Certificate(text)), key: pem('key', key, () => undefined) };
  checked('key', () => createSecureContext(pair));
  return { ...(own && { ca: own }), ...pair };
}

// The text of an argument that is PEM or a file of it. Its errors name the argument and no content.
function pem(argument: string, value: string, check: (text: string) => unknown): string {
  return checked(argument, () => {
    const text = value.includes('-----BEGIN') ? value : readFileSync(value, 'utf8');
    check(text);
    return text;
  });
}

function checked<T>(argument: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new InvalidConfig(argument, cause instanceof Error ? cause.message : 'cannot be used');
  }
}
