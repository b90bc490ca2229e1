import { Code, ConnectError } from '@connectrpc/connect';

/** At least half of a pause, at random: what failed together is not tried again together. */
export const jittered = (ms: number): number => ms / 2 + (Math.random() * ms) / 2;

// A longer timer fires at once.
const longestTimer = 0x7fff_ffff;

/** Waits; false where the signal ends the wait. One in the background does not keep Node from exiting. */
export function sleep(ms: number, signal?: AbortSignal, background = false): Promise<boolean> {
  return new Promise((resolve) => {
    const over = (inTime: boolean) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      resolve(inTime && ms > longestTimer ? sleep(ms - longestTimer, signal, background) : inTime);
    };
    const stop = () => over(false);
    const timer: ReturnType<typeof setTimeout> = setTimeout(() => over(true), Math.min(ms, longestTimer));
    if (background && typeof timer === 'object') timer.unref();
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
  });
}

/** The error of a call that its signal ended. */
export const canceled = (signal: AbortSignal | undefined): ConnectError =>
  ConnectError.from(signal?.reason, Code.Canceled);

/** The result of some work, or an error where it takes too long or the signal ends it. The work is not stopped. */
export async function within<T>(work: Promise<T>, ms: number, signal?: AbortSignal): Promise<T> {
  const done = new AbortController();
  const late = sleep(ms, AbortSignal.any([done.signal, ...(signal ? [signal] : [])])).then((inTime) => {
    throw inTime ? new ConnectError('the time was up', Code.DeadlineExceeded) : canceled(signal);
  });
  return Promise.race([work, late]).finally(() => done.abort());
}
