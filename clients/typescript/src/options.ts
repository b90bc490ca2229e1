import { InvalidConfig } from './errors.js';
import { isToken, ProvidedToken, type TokenProvider, type TokenSource } from './tokens.js';
import type { CallOptions } from './transport.js';

/** What connections from Node and from browsers have in common. */
export interface CommonOptions extends CallOptions {
  /** A caller's token. */
  token?: string;
  /** A function that gets a token. It is asked again when that ends or is refused. */
  tokenProvider?: TokenProvider;
  /** Allows `http://` to other hosts than this one, which sends the token in clear text. */
  plaintext?: boolean;
}

/** The origin of an address. */
export function checkedAddress(address: string, plaintext = false): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !['https:', 'http:'].includes(url.protocol) || !url.hostname || url.href !== `${url.origin}/`) {
    throw new InvalidConfig('address', 'is not https://host[:port]');
  }
  const local = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'http:' && !local && !plaintext) {
    throw new InvalidConfig('address', 'http:// sends the token in clear text; set `plaintext` to allow it');
  }
  return url.origin;
}

/** Checks what does not depend on the platform. */
export function checkedOptions(options: CommonOptions, credentials: string[]): void {
  const [, second] = credentials.filter(
    (name) => name in options && options[name as keyof CommonOptions] !== undefined,
  );
  if (second) throw new InvalidConfig(second, 'is a second credential');
  const { token, attempts, deadlineMs, userAgent } = options;
  if (token !== undefined && !isToken(token)) throw new InvalidConfig('token', 'is not a token');
  if (attempts !== undefined && !(Number.isInteger(attempts) && attempts > 0)) {
    throw new InvalidConfig('attempts', 'is not a positive number');
  }
  if (deadlineMs !== undefined && !(deadlineMs >= 0)) throw new InvalidConfig('deadlineMs', 'is not a time');
  if (userAgent !== undefined && !/^[\x20-\x7e]*$/.test(userAgent))
    throw new InvalidConfig('userAgent', 'is not ASCII');
}

/** The source of the token that the options name. */
export function tokenSource({ token, tokenProvider }: CommonOptions): TokenSource | undefined {
  if (token !== undefined) return { get: () => token, renew: () => token };
  return tokenProvider && new ProvidedToken(tokenProvider);
}
