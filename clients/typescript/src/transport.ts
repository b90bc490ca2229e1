import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
} from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createContextKey } from '@connectrpc/connect';
import type { ContextValues, StreamResponse, Transport, UnaryResponse } from '@connectrpc/connect';
import { createAsyncIterable } from '@connectrpc/connect/protocol';
import { gatewayError, type GatewayError } from './errors.js';
import { canceled, jittered, sleep, within } from './time.js';
import type { TokenSource } from './tokens.js';

/** How calls are made, at whatever transport. */
export interface CallOptions {
  /** The default deadline of a unary call with its repetitions: 30 s. A call's own `timeoutMs` comes first; 0: none. */
  deadlineMs?: number;
  /** How often a call is made at most: 5. */
  attempts?: number;
  /** Whether writes get a random idempotency key: true. */
  idempotencyKeys?: boolean;
  /** The name of the application, ahead of this package's. */
  userAgent?: string;
}

/** Whether a write gets a random idempotency key, for one call: `{ contextValues: createContextValues().set(randomKey, false) }`. */
export const randomKey = createContextKey<boolean | undefined>(undefined, { description: 'random idempotency key' });

const key = 'idempotency-key';
// gRPC has eight digits for a timeout.
const longestTimeout = 99_999_999;

/** Puts tokens, deadlines, idempotency keys, safe repetitions and the errors of this package around a transport. */
export class GatewayTransport implements Transport {
  readonly #inner: Transport;
  readonly #tokens: TokenSource | undefined;
  readonly #headers: HeadersInit;
  readonly #options: CallOptions;
  #closed = false;

  constructor(inner: Transport, tokens: TokenSource | undefined, headers: HeadersInit, options: CallOptions) {
    this.#inner = inner;
    this.#tokens = tokens;
    this.#headers = headers;
    this.#options = options;
  }

  /** Refuses further calls. */
  close(): void {
    this.#closed = true;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    context?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const headers = this.#begin(header);
    const left = timeLeft(timeoutMs ?? this.#options.deadlineMs ?? 30_000);
    const wanted = context?.get(randomKey) ?? this.#options.idempotencyKeys ?? true;
    let ownKey = wanted && isAdminWrite(method) && !headers.has(key);
    if (ownKey) headers.set(key, uuid());
    let repeatable = isRead(method) || headers.has(key) || hasRequestId(method, input);
    for (let attempt = 1; ;) {
      try {
        const call = () => this.#inner.unary(method, signal, left(), headers, input, context);
        return await this.#authorized(headers, left, signal, call);
      } catch (reason) {
        const error = this.#error(reason, signal);
        if (ownKey && ['IDEMPOTENCY_NOT_CONFIGURED', 'IDEMPOTENCY_NEEDS_ENCRYPTION'].includes(error.reason)) {
          headers.delete(key); // Nothing was made.
          ownKey = repeatable = false;
          continue;
        }
        const pause = Math.max(jittered(Math.min(100 * 2 ** (attempt - 1), 5_000)), error.retryDelayMs ?? 0);
        const again = repeatable && passes(error) && ++attempt <= (this.#options.attempts ?? 5);
        if (!again || pause >= (left() ?? Infinity)) throw error;
        if (!(await sleep(pause, signal))) throw gatewayError(canceled(signal));
      }
    }
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    context?: ContextValues,
  ): Promise<StreamResponse<I, O>> {
    try {
      const headers = this.#begin(header);
      const left = timeLeft(timeoutMs ?? 0);
      const requests: MessageInitShape<I>[] = [];
      for await (const request of input) requests.push(request); // One: no RPC streams requests.
      return await this.#authorized(headers, left, signal, async () => {
        const all = createAsyncIterable(requests);
        const response = await this.#inner.stream(method, signal, left(), headers, all, context);
        const messages = response.message[Symbol.asyncIterator]();
        // A refusal may come behind the headers. So the first message is awaited here.
        return { ...response, message: this.#translated(await messages.next(), messages, signal) };
      });
    } catch (reason) {
      throw this.#error(reason, signal);
    }
  }

  async *#translated<T>(first: IteratorResult<T>, rest: AsyncIterator<T>, signal: Signal): AsyncGenerator<T> {
    try {
      for (let step = first; step.done !== true; step = await rest.next()) yield step.value;
    } catch (reason) {
      throw this.#error(reason, signal);
    } finally {
      await rest.return?.();
    }
  }

  #error(reason: unknown, signal: Signal): GatewayError {
    const closed = this.#closed && new ConnectError('the connection is closed', Code.Canceled);
    return gatewayError(closed || reason, this.#closed || signal?.aborted === true);
  }

  #begin(header: HeadersInit | undefined): Headers {
    if (this.#closed) throw this.#error(undefined, undefined);
    const headers = new Headers(this.#headers);
    new Headers(header).forEach((value, name) => headers.set(name, value));
    return headers;
  }

  // Makes a call with a token, and once more with another one where that is refused.
  async #authorized<T>(headers: Headers, left: TimeLeft, signal: Signal, call: () => Promise<T>): Promise<T> {
    const tokens = this.#tokens;
    if (!tokens) return call();
    const get = async (token: string | Promise<string>) =>
      typeof token === 'string' ? token : within(token, left() ?? Infinity, signal);
    const token = await get(tokens.get());
    headers.set('authorization', `Bearer ${token}`);
    try {
      return await call();
    } catch (reason) {
      const error = this.#error(reason, signal);
      if (error.code !== Code.Unauthenticated) throw error;
      const other = await get(tokens.renew(token));
      if (other === token) throw error;
      headers.set('authorization', `Bearer ${other}`);
      return call();
    }
  }
}

type Signal = AbortSignal | undefined;
type TimeLeft = () => number | undefined;

function timeLeft(timeoutMs: number): TimeLeft {
  if (timeoutMs <= 0) return () => undefined;
  const end = performance.now() + Math.min(timeoutMs, longestTimeout);
  return () => Math.max(Math.ceil(end - performance.now()), 1);
}

const isRead = (method: DescMethod): boolean => method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;

const isAdminWrite = (method: DescMethod): boolean =>
  method.parent.typeName.startsWith('admingateway.admin.v1.') && !isRead(method);

// The gateway makes a request once that has an id of its own: those of leases.
function hasRequestId(method: DescMethod, input: object): boolean {
  const field = method.input.field['requestId'];
  return field?.name === 'request_id' && Boolean((input as Record<string, unknown>)[field.localName]);
}

function passes(error: GatewayError): boolean {
  if (['UPSTREAM_BAD_RESPONSE', 'UPSTREAM_REDIRECTED'].includes(error.reason)) return false;
  const { code, retryDelayMs } = error;
  return code === Code.Unavailable || (code === Code.ResourceExhausted && retryDelayMs !== undefined);
}

function uuid(): string {
  // Pages of insecure origins have no randomUUID.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
