import { clone, create } from '@bufbuild/protobuf';
import type {
  DescMessage,
  DescMethodServerStreaming,
  Message,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import { Code, ConnectError, type CallOptions as RpcOptions, type Transport } from '@connectrpc/connect';
import { createAsyncIterable } from '@connectrpc/connect/protocol';
import { gatewayError, type GatewayError } from './errors.js';
import { Incomplete_Reason, Incomplete_ReasonSchema } from './gen/admingateway/inventory/v1/stream_pb.js';
import type { End, Failure, Incomplete, Progress } from './gen/admingateway/inventory/v1/stream_pb.js';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { canceled, jittered, sleep } from './time.js';

/** What an inventory did not bring. The pages that came are real, and are not the whole. */
export class IncompleteInventory extends Error {
  override readonly name = 'IncompleteInventory';
  /** The kind. */
  readonly kind = 'IncompleteInventory';
  /** Those that the gateway gave at the end of its stream; none where that was cut off. */
  reasons: Incomplete_Reason[] = [];
  /** The reads that failed in the last stream, at most 1,000. */
  failures: Failure[] = [];
  /** How many more failed. */
  moreFailures = 0;
  /** The same request with it brings what is missing, and nothing that came. Empty: begin anew. */
  resumeToken = '';
  /** Whether some of what came may come again, or has come twice. */
  repeats = false;
  /** The error of the last stream; undefined where the gateway ended it. */
  override cause: unknown;

  /** @internal */
  described(): this {
    const parts = this.reasons.map((reason) => Incomplete_ReasonSchema.value[reason]?.name ?? String(reason));
    const failed = this.failures.length + this.moreFailures;
    if (failed > 0)
      parts.push(`${failed} reads failed, the first ${this.failures[0]?.method}: ${this.failures[0]?.reason}`);
    if (this.cause instanceof Error) parts.push(this.cause.message);
    this.message = `the inventory is incomplete: ${parts.join('; ')}`;
    return this;
  }
}

/** How an inventory is read: the options of its streams, and more. `timeoutMs` is for all of it. */
export interface InventoryOptions extends Omit<RpcOptions, 'onHeader' | 'onTrailer'> {
  /** Gets every message of progress; its counts begin anew with each stream. */
  onProgress?: (progress: Progress) => void;
  /** Gets every read that failed. It is made again where that can help. */
  onFailure?: (failure: Failure) => void;
  /** How many streams in a row may bring nothing: 6. */
  attempts?: number;
  /** How long a stream may say nothing before it counts as cut off: 30 s. A gateway speaks every second. */
  silenceMs?: number;
  /** The shortest and the longest pause ahead of a stream: 250 ms and 30 s. */
  pausesMs?: [number, number];
}

/** A message with items of an inventory, such as a page of one project's keys. */
export type Page<O extends DescMessage> =
  MessageShape<O> extends { event: infer E }
    ? E extends { case: 'progress' | 'failure' | 'end' | undefined }
      ? never
      : E extends { value: infer V }
        ? V
        : never
    : never;

type Event =
  | { case: 'progress'; value: Progress }
  | { case: 'failure'; value: Failure }
  | { case: 'end'; value: End }
  | { case: undefined; value?: undefined };

// A gateway sends a token after 250 pages; what is more is passed on, and may come again.
const mostHeld = 4096;
const mostFailures = 1000;
const mostStreams = 1000;
// The time before a deadline in which a gateway ends a stream, and some more.
const ownTimeMs = 10_000;

/**
 * Yields every page of an inventory, and calls it again with the resume token where the stream is
 * cut off. A page is yielded when a token has come behind it, so that each comes once. It ends
 * complete or throws: what the first stream was refused with, or an {@link IncompleteInventory}.
 */
export async function* readInventory<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  options: InventoryOptions = {},
): AsyncGenerator<Page<O>, void, undefined> {
  const { attempts = 6, silenceMs = 30_000, pausesMs = [250, 30_000], signal, timeoutMs = 0 } = options;
  if (!method.input.field['resumeToken']) throw new TypeError(`${method.name} is not an inventory`);
  const ask = clone(method.input, create(method.input, request)) as MessageShape<I> & { resumeToken: string };
  const endsAt = timeoutMs > 0 ? performance.now() + timeoutMs : Infinity;
  const timeLeft = () => endsAt - performance.now();
  const left = new IncompleteInventory();
  left.resumeToken = ask.resumeToken;
  for (let streams = 1, came = 0, fruitless = 0; ; streams++) {
    const before = came;
    let held: Page<O>[] = [];
    let passed = false; // Pages behind the last token were passed on.
    let again = false; // Reads failed that can succeed,
    let askedMs = 0; // after this time.
    let error: GatewayError | undefined;
    let end: End | undefined;
    let incomplete: Incomplete | undefined;
    const pass = function* (): Generator<Page<O>> {
      const pages = held;
      held = [];
      came += pages.length;
      yield* pages;
    };
    const release = ({ resumeToken, repeats }: Pick<Incomplete, 'resumeToken' | 'repeats'>): Generator<Page<O>> => {
      left.resumeToken = ask.resumeToken = resumeToken;
      left.repeats ||= repeats;
      passed = false;
      return pass();
    };
    const stream = new Stream(transport, method, ask, options, timeLeft());
    try {
      for (let first = true; !end; first = false) {
        const received = await stream.next(silenceMs);
        if (received instanceof ConnectError) {
          error = gatewayError(received);
          break;
        }
        if (first) Object.assign(left, { reasons: [], failures: [], moreFailures: 0 }); // They are read again.
        const { event } = received as unknown as { event: Event };
        if (event.case === 'progress') {
          options.onProgress?.(event.value);
          if (event.value.resumeToken !== '') yield* release(event.value);
        } else if (event.case === 'failure') {
          options.onFailure?.(event.value);
          if (left.failures.length < mostFailures) left.failures.push(event.value);
          else left.moreFailures++;
          if (readPasses(event.value)) {
            again = true;
            if (event.value.retryDelay) askedMs = Math.max(askedMs, durationMs(event.value.retryDelay));
          }
        } else if (event.case === 'end') {
          end = event.value;
          if (end.outcome.case === 'incomplete') incomplete = end.outcome.value;
          yield* release(incomplete ?? { resumeToken: '', repeats: false });
        } else if (event.case !== undefined) {
          held.push((event as { value: Page<O> }).value);
          passed ||= held.length > mostHeld;
          if (held.length > mostHeld) yield* pass();
        }
      }
    } finally {
      stream.close();
    }
    if (end && !incomplete) return;
    if (incomplete) left.reasons = incomplete.reasons;
    left.repeats ||= passed;
    left.cause = error;
    if (signal?.aborted || timeLeft() <= 0) break;
    const next = incomplete ? verdict(incomplete, again, timeLeft()) : error && passes(error) ? 'later' : 'never';
    if (next === 'never' && error && streams === 1 && came === 0) throw error;
    fruitless = came > before ? 0 : fruitless + 1;
    if (next === 'never' || fruitless >= attempts || streams >= mostStreams) break;
    if (next === 'at once') continue;
    const pause = jittered(Math.min(pausesMs[0] * 2 ** Math.max(fruitless - 1, 0), pausesMs[1]));
    const waitMs = Math.max(pause, error?.retryDelayMs ?? 0, askedMs);
    if (waitMs > timeLeft() || !(await sleep(waitMs, signal))) break;
  }
  if (signal?.aborted) left.cause = gatewayError(canceled(signal));
  throw left.described();
}

// One stream. A message that does not come in time cuts it off.
class Stream<O extends DescMessage> {
  readonly #cut = new AbortController();
  readonly #messages: AsyncIterator<MessageShape<O>>;

  constructor(
    transport: Transport,
    method: DescMethodServerStreaming<DescMessage, O>,
    ask: Message,
    options: RpcOptions,
    ms: number,
  ) {
    const signal = AbortSignal.any([this.#cut.signal, ...(options.signal ? [options.signal] : [])]);
    const client = async function* () {
      const timeoutMs = ms === Infinity ? 0 : Math.max(ms, 1);
      const all = createAsyncIterable([ask]);
      yield* (await transport.stream(method, signal, timeoutMs, options.headers, all, options.contextValues)).message;
    };
    this.#messages = client();
  }

  async next(silenceMs: number): Promise<MessageShape<O> | ConnectError> {
    const silent = setTimeout(() => this.#cut.abort(lost(`said nothing for ${silenceMs / 1000} s`)), silenceMs);
    try {
      const step = await this.#messages.next();
      return step.done === true ? lost('has no end') : step.value;
    } catch (reason) {
      return gatewayError(reason);
    } finally {
      clearTimeout(silent);
    }
  }

  close(): void {
    this.#cut.abort();
  }
}

const lost = (problem: string): ConnectError => new ConnectError(`the stream ${problem}`, Code.Unavailable);

// Whether there is another stream after one that the gateway ended.
function verdict({ reasons, resumeToken }: Incomplete, again: boolean, leftMs: number): 'never' | 'later' | 'at once' {
  const outOfTime = reasons.includes(Incomplete_Reason.OUT_OF_TIME);
  if (resumeToken === '' || (outOfTime && leftMs < ownTimeMs)) return 'never'; // It was the caller's time.
  if (reasons.includes(Incomplete_Reason.DRAINING) || again) return 'later';
  return reasons.includes(Incomplete_Reason.TOO_MANY) || outOfTime ? 'at once' : 'never';
}

// Whether an error can be gone at the next attempt: the gateway says so, or it comes from what lies in between.
function passes({ code, fromGateway }: GatewayError): boolean {
  if (code === Code.Unavailable || code === Code.ResourceExhausted) return true;
  const between = [Code.Internal, Code.Unknown, Code.Canceled, Code.DeadlineExceeded, Code.DataLoss];
  return !fromGateway && between.includes(code);
}

// Whether a read that failed can succeed at the next attempt.
function readPasses({ code, reason }: Failure): boolean {
  const passing = [Code.Unavailable, Code.ResourceExhausted, Code.Aborted, Code.DeadlineExceeded].includes(code);
  return passing && !['ENDLESS_LIST', 'UPSTREAM_BAD_RESPONSE', 'UPSTREAM_REDIRECTED'].includes(reason);
}
