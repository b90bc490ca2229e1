import { Code, ConnectError } from '@connectrpc/connect';

/** At least half of a pause, at random: what failed together is not tried again together. */
export const jittered = (ms: number): number => ms / 2 + (Math.random() * ms) / 2;

// A longer timer fires at once.
const longestTimer = 0x7fff_ffff;

/** Waits; it fails with the signal's reason. A wait in the background does not keep Node from exiting. */
export function sleep(ms: number, signal?: AbortSignal, background = false): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(canceled(signal));
    const stop = (): void => {
      clearTimeout(timer);
      reject(canceled(signal));
    };
    const timer: ReturnType<typeof setTimeout> = setTimeout(
      () => {
        signal?.removeEventListener('abort', stop);
        resolve(ms > longestTimer ? sleep(ms - longestTimer, signal, background) : undefined);
      },
      Math.min(ms, longestTimer),
    );
    if (background && typeof timer === 'object') timer.unref();
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** The result of some work, or an error when it takes too long or the signal ends it. The work is not stopped. */
export async function within<T>(work: Promise<T>, ms: number, signal?: AbortSignal): Promise<T> {
  const done = new AbortController();
  const late = sleep(ms, AbortSignal.any(signal ? [signal, done.signal] : [done.signal]));
  const timedOut = late.then(() => {
    throw new ConnectError('the time was up', Code.DeadlineExceeded);
  });
  try {
    return await Promise.race([work, timedOut]);
  } finally {
    timedOut.catch(() => undefined);
    done.abort();
  }
}

function canceled(signal: AbortSignal | undefined): ConnectError {
  return ConnectError.from(signal?.reason, Code.Canceled);
}
