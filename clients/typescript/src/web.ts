/** The client for browsers: Connect, or gRPC-Web, by fetch. It imports nothing of Node. */
import { Code, ConnectError } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web';
import { Gateway } from './gateway.js';
import { checkedAddress, checkedOptions, tokenSource, type CommonOptions } from './options.js';
import { GatewayTransport } from './transport.js';

export * from './common.js';

/** How to connect from a browser. The credential is `token` or `tokenProvider`; a page cannot keep a secret, so it is short-lived. */
export interface ConnectOptions extends CommonOptions {
  /** The protocol: Connect. */
  protocol?: 'connect' | 'grpc-web';
}

/** Connects to a gateway at `https://host[:port]`, which has to allow the origin of the page. */
export function connect(address: string, options: ConnectOptions = {}): Gateway {
  const baseUrl = checkedAddress(address, options.plaintext);
  checkedOptions(options, ['token', 'tokenProvider']);
  const closed = new AbortController();
  const create = options.protocol === 'grpc-web' ? createGrpcWebTransport : createConnectTransport;
  const inner = create({
    baseUrl,
    useBinaryFormat: true,
    fetch: async (input, init) => {
      const signal = AbortSignal.any([closed.signal, ...(init?.signal ? [init.signal] : [])]);
      try {
        return await fetch(input, { ...init, signal });
      } catch (cause) {
        if (signal.aborted) throw cause;
        // A browser does not say why: no connection, TLS, or an origin that is not allowed.
        throw new ConnectError(
          'the gateway cannot be reached from this page',
          Code.Unavailable,
          undefined,
          undefined,
          cause,
        );
      }
    },
  });
  return new Gateway(new GatewayTransport(inner, tokenSource(options), {}, options), () => closed.abort());
}
