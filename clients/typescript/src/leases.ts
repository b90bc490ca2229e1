import { durationFromMs, timestampMs, type Duration, type Timestamp } from '@bufbuild/protobuf/wkt';
import { Code, createClient, type Client, type Transport } from '@connectrpc/connect';
import { GatewayError } from './errors.js';
import type { Lease as LeaseMessage } from './gen/admingateway/lease/v1/lease_pb.js';
import { LeaseService } from './gen/admingateway/lease/v1/service_pb.js';
import { jittered, sleep } from './time.js';

/** Which lease to get, and how to hold it. */
export interface LeaseOptions {
  /** The role, as the policy names it. */
  role: string;
  /** How long it lives without a renewal; without it as long as the role says. */
  ttlMs?: number;
  /** Whom it is for, if not the caller itself. */
  holder?: string;
  /** What it is for. None is a secret. */
  labels?: Record<string, string>;
  /** Gets each key that takes the place of the one before, which works to the end of its own lease. */
  onKey?: (key: string, lease: LeaseMessage) => void;
  /** Gets each error, and the time until the next attempt; a {@link LeaseLost} is the last. */
  onError?: (error: Error, pauseMs: number) => void;
  /** Ends the attempts to get the first lease. */
  signal?: AbortSignal;
  /** How long a call may take that gets a lease, and any other: 120 s and 30 s. */
  callsMs?: [number, number];
  /** The shortest and the longest pause ahead of another attempt: 1 s and 30 s. */
  pausesMs?: [number, number];
}

/** The lease is over, and there is no other. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
  /** The kind. */
  readonly kind = 'LeaseLost';

  constructor(
    /** The lease. */
    readonly leaseId: string,
    cause: unknown,
  ) {
    super(`lease ${leaseId} is over, and there is no other: ${cause instanceof Error ? cause.message : ''}`, { cause });
  }
}

interface Held {
  lease: LeaseMessage;
  secret: string;
  /** When it ends by this process's monotonic clock, or a little earlier. */
  endsAt: number;
  /** How long it was to live when it was created. */
  lifeMs: number;
  /** Whether no renewal moves its end. */
  last: boolean;
}

/** A request for a lease, by the same id until that is hopeless. */
type Wanted = { id: string; askedAt: number } | undefined;

// The least time that a call gets, and that lies between two.
const [shortestCall, shortestPause] = [1_000, 50];

/**
 * A lease that is kept: renewed at two thirds of what is left, and replaced when it is over or at
 * its latest end. {@link acquireLease} makes one. It does not keep Node from exiting.
 */
export class Lease {
  readonly #client: Client<typeof LeaseService>;
  readonly #options: LeaseOptions;
  readonly #calls: [number, number];
  readonly #pauses: [number, number];
  readonly #ended = new AbortController();
  #current!: Held;
  #former: Held[] = [];
  #next: Wanted;
  #rotation: string | undefined;
  #lost: LeaseLost | undefined;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(transport: Transport, options: LeaseOptions) {
    this.#client = createClient(LeaseService, transport);
    this.#options = options;
    this.#calls = options.callsMs ?? [120_000, 30_000];
    this.#pauses = options.pausesMs ?? [1_000, 30_000];
  }

  /** The secret to use now: a function, as the vendor's SDK takes it. It throws a {@link LeaseLost} when there is none. */
  readonly key = async (): Promise<string> => {
    if (this.#lost) throw this.#lost;
    return this.#current.secret;
  };

  /** The lease, as it was when it was created or last renewed. */
  get lease(): LeaseMessage {
    return this.#current.lease;
  }

  /** Renews the lease now, or gets another one where it cannot be renewed. */
  renew(): Promise<void> {
    return this.#alone(() => this.#prolong());
  }

  /** Puts another key in the place of this one, which works for `overlapMs` more, or as long as the role says. */
  rotate(overlapMs?: number): Promise<void> {
    return this.#alone(async () => {
      const { lease: before, endsAt, lifeMs } = this.#current;
      this.#rotation ??= crypto.randomUUID();
      const request = { leaseId: before.id, requestId: this.#rotation, ...duration('overlap', overlapMs) };
      try {
        const answer = await this.#client.rotateLease(request, this.#limits(this.#calls[0]));
        if (!answer.lease || answer.secret === '') throw new Unusable('the answer has no secret');
        const moved = timeOf(answer.lease.expiresAt) - timeOf(before.expiresAt);
        const rotated = { lease: answer.lease, secret: answer.secret, endsAt: endsAt + moved, lifeMs };
        this.#current = { ...rotated, last: atLatest(answer.lease) };
      } catch (error) {
        if (judge(error) !== 'again') this.#rotation = undefined;
        throw error;
      }
      this.#rotation = undefined;
      await this.#hand();
    });
  }

  /** Revokes the lease, and those before it that have not ended. What cannot be revoked in the time ends by itself. */
  async release(timeoutMs = 30_000): Promise<void> {
    this.#lost ??= new LeaseLost(this.lease.id, new Error('it was released'));
    this.#ended.abort();
    await this.#busy;
    const late = AbortSignal.timeout(timeoutMs);
    const live = [...this.#former, this.#current].filter(({ endsAt }) => performance.now() < endsAt);
    const results = await Promise.allSettled(live.map(({ lease }) => this.#revoke(lease.id, late)));
    const errors = results.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
    if (errors.length > 0)
      throw errors.length === 1 ? errors[0] : new AggregateError(errors, 'leases were not revoked');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** @internal */
  async acquire(): Promise<this> {
    for (let pause = this.#pauses[0]; ; pause = Math.min(2 * pause, this.#pauses[1])) {
      try {
        this.#current = await this.#create(this.#calls[0], this.#options.signal);
        break;
      } catch (error) {
        if (this.#options.signal?.aborted || judge(error) === 'refused') throw error;
        const wait = Math.max(jittered(pause), retryAfter(error));
        this.#options.onError?.(error as Error, wait);
        if (!(await sleep(wait, this.#options.signal))) throw error;
      }
    }
    await this.#acknowledge();
    void this.#keep();
    return this;
  }

  async #keep(): Promise<void> {
    let pause = this.#pauses[0];
    let wait = this.#untilRenewal();
    while (await sleep(wait, this.#ended.signal, true)) {
      try {
        await this.renew();
        pause = this.#pauses[0];
        wait = this.#untilRenewal();
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        const left = this.#current.endsAt - performance.now();
        if (!this.#current.last && (left <= 0 || isOver(error))) {
          this.#current.last = true;
          this.#current.endsAt = Math.min(this.#current.endsAt, performance.now());
          wait = 0; // Another lease is asked for.
        } else if (left <= 0 && judge(error) === 'refused') {
          this.#lost = new LeaseLost(this.lease.id, error);
          return this.#options.onError?.(this.#lost, Infinity);
        } else {
          const rest = left <= 0 ? Infinity : left; // At the end another lease is needed, whatever the gateway asks for.
          wait = Math.max(
            Math.min(Math.max(Math.min(jittered(pause), rest / 4), retryAfter(error)), rest),
            shortestPause,
          );
          pause = Math.min(2 * pause, this.#pauses[1]);
        }
        this.#options.onError?.(error as Error, wait);
      }
    }
  }

  // Renews the lease, or puts another one in its place.
  async #prolong(): Promise<void> {
    const { lease, endsAt, last } = this.#current;
    const left = endsAt - performance.now();
    if (!last) {
      const request = { leaseId: lease.id, ...duration('ttl', this.#options.ttlMs) };
      const { lease: renewed } = await this.#client.renewLease(request, this.#limits(part(this.#calls[1], left / 3)));
      if (!renewed?.expiresAt) throw new Unusable('the answer does not say when the lease ends');
      if (renewed.apiKeyId !== lease.apiKeyId) throw new OtherKey('the lease has another key');
      const moved = timeOf(renewed.expiresAt) - timeOf(lease.expiresAt);
      Object.assign(this.#current, { lease: renewed, endsAt: endsAt + moved, last: moved <= 0 || atLatest(renewed) });
      return;
    }
    const next = await this.#create(left > 0 ? part(this.#calls[0], left / 3) : this.#calls[0], this.#ended.signal);
    this.#former = [...this.#former, this.#current].filter((held) => performance.now() < held.endsAt);
    this.#current = next;
    await this.#hand();
  }

  // Asks for a lease once.
  async #create(timeoutMs: number, signal: AbortSignal | undefined): Promise<Held> {
    const { role, ttlMs, holder = '', labels = {} } = this.#options;
    const { id: requestId, askedAt } = (this.#next ??= { id: crypto.randomUUID(), askedAt: performance.now() });
    try {
      const request = { role, requestId, holder, labels, ...duration('ttl', ttlMs) };
      const { lease, secret } = await this.#client.createLease(request, { timeoutMs, ...(signal && { signal }) });
      if (secret === '') throw new Unusable('the answer has no secret');
      if (!lease?.createdAt || !lease.expiresAt) throw new Unusable('the answer does not say when the lease ends');
      const lifeMs = timestampMs(lease.expiresAt) - timestampMs(lease.createdAt);
      this.#next = undefined;
      return { lease, secret, endsAt: askedAt + lifeMs, lifeMs, last: atLatest(lease) };
    } catch (error) {
      if (judge(error) === 'anew') this.#next = undefined;
      throw error;
    }
  }

  async #hand(): Promise<void> {
    this.#options.onKey?.(this.#current.secret, this.lease);
    await this.#acknowledge();
  }

  // Lets the gateway forget the secret. The first renewal says the same, so a failure does no harm.
  async #acknowledge(): Promise<void> {
    const timeoutMs = part(this.#calls[1], (this.#current.endsAt - performance.now()) / 10);
    await this.#client.acknowledgeLease({ leaseId: this.lease.id }, this.#limits(timeoutMs)).catch(() => undefined);
  }

  async #revoke(leaseId: string, signal: AbortSignal): Promise<void> {
    for (let pause = this.#pauses[0]; ; pause = Math.min(2 * pause, this.#pauses[1])) {
      try {
        await this.#client.revokeLease({ leaseId }, { timeoutMs: this.#calls[1], signal });
        return;
      } catch (error) {
        if (isOver(error)) return;
        if (signal.aborted || judge(error) === 'refused') throw error;
        if (!(await sleep(Math.max(jittered(pause), retryAfter(error)), signal))) throw error;
      }
    }
  }

  // One thing at a time is done with the lease.
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = done.catch(() => undefined);
    return done;
  }

  #limits = (timeoutMs: number) => ({ timeoutMs, signal: this.#ended.signal });

  // A third of the life is left then for attempts that fail, and up to a fifteenth more at random.
  #untilRenewal(): number {
    const left = this.#current.endsAt - performance.now();
    const reserve = Math.max(left, this.#current.lifeMs) * (1 / 3 + Math.random() / 15);
    return Math.max(left - reserve, shortestPause);
  }
}

/** Gets a lease with its key. It tries until the gateway refuses, or the signal ends it. */
export function acquireLease(transport: Transport, options: LeaseOptions): Promise<Lease> {
  return new Lease(transport, options).acquire();
}

class Unusable extends Error {}
class OtherKey extends Error {}

// Whether the same request can succeed later, another one can, or none.
function judge(error: unknown): 'again' | 'anew' | 'refused' {
  if (!(error instanceof GatewayError)) return 'anew';
  const { code, fromGateway, reason } = error;
  const passing = [Code.Unavailable, Code.ResourceExhausted, Code.DeadlineExceeded, Code.Canceled];
  if (!fromGateway || passing.includes(code)) return 'again';
  // No key was made, or none that anybody has: the gateway ends it.
  return code === Code.Aborted || code === Code.Unknown || reason === 'LEASE_OVER' ? 'anew' : 'refused';
}

// Whether a lease cannot be renewed any more.
function isOver(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return error instanceof OtherKey;
  return error.fromGateway && (error.code === Code.NotFound || error.reason === 'LEASE_OVER');
}

const retryAfter = (error: unknown): number => (error instanceof GatewayError ? (error.retryDelayMs ?? 0) : 0);
const part = (atMost: number, ms: number): number => Math.min(atMost, Math.max(ms, shortestCall));
const timeOf = (time: Timestamp | undefined): number => (time ? timestampMs(time) : 0);

function atLatest({ expiresAt, maxExpiresAt }: LeaseMessage): boolean {
  return maxExpiresAt !== undefined && timeOf(expiresAt) >= timeOf(maxExpiresAt);
}

function duration<N extends string>(name: N, ms: number | undefined): { [name in N]?: Duration } {
  return (ms ? { [name]: durationFromMs(ms) } : {}) as { [name in N]?: Duration };
}
