// A gateway of a test: the handlers that it is given, over HTTP/2 in clear text.
import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { connect, type ConnectOptions, type Gateway } from '@admin-gateway/client';
import { ErrorInfoSchema, RetryInfoSchema } from '@admin-gateway/client/google/rpc/error_details_pb';

export interface Served {
  gateway: Gateway;
  /** Cuts all connections. */
  cut: () => void;
}

export async function serve(
  t: TestContext,
  routes: (router: ConnectRouter) => void,
  options: ConnectOptions = {},
): Promise<Served> {
  const sockets = new Set<Socket>();
  const server = createServer({ maxSendHeaderBlockLength: 1 << 20 }, connectNodeAdapter({ routes, grpcWeb: false }));
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const gateway = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, options);
  t.after(() => {
    gateway.close();
    cut();
    server.close();
  });
  return { gateway, cut };
}

/** An error as the gateway gives it. */
export function refusal(code: Code, reason: string, retryMs?: number): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { domain: 'admin-gateway', reason, metadata: { permission: 'a.b' } } };
  const retry = { desc: RetryInfoSchema, value: { retryDelay: { nanos: (retryMs ?? 0) * 1e6 } } };
  return new ConnectError('refused', code, { 'x-request-id': 'req_1' }, retryMs === undefined ? [info] : [info, retry]);
}
