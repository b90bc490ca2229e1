import { Code, ConnectError } from '@connectrpc/connect';
import { within } from './time.js';

/** A token with its end, as a provider may return it. */
export interface Token {
  token: string;
  /** When it ends. It is asked for again shortly before. Without it, when it is refused. */
  expiresAt?: Date;
}

/** Gets a token, such as a JWT of an issuer that the gateway trusts. */
export type TokenProvider = () => string | Token | Promise<string | Token>;

/** The credential that calls carry; undefined: none, or a client certificate. */
export interface TokenSource {
  /** The token to use now. */
  get(): string | Promise<string>;
  /** The token to use after one was refused; the same where there is no other. */
  renew(refused: string): string | Promise<string>;
}

/** Whether a text can be sent as a token. */
export const isToken = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);

const longestWait = 30_000;

/** Keeps a provider's token until shortly before its end. Calls share one request for the next. */
export class ProvidedToken implements TokenSource {
  readonly #provider: TokenProvider;
  #asking: Promise<string> | undefined;
  #token = '';
  #endsAt = 0;

  constructor(provider: TokenProvider) {
    this.#provider = provider;
  }

  async get(): Promise<string> {
    return performance.now() < this.#endsAt ? this.#token : this.#ask();
  }

  async renew(refused: string): Promise<string> {
    return this.#token !== refused ? this.get() : this.#ask();
  }

  #ask(): Promise<string> {
    this.#asking ??= within(this.#provide(), longestWait).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #provide(): Promise<string> {
    const asked = await this.#provider();
    const { token, expiresAt } = typeof asked === 'string' ? { token: asked } : asked;
    if (!isToken(token)) throw new ConnectError('the token provider gave no token', Code.Unauthenticated);
    const life = expiresAt === undefined ? Infinity : expiresAt.getTime() - Date.now();
    this.#endsAt = performance.now() + life - Math.min(30_000, life / 10);
    return (this.#token = token);
  }
}
