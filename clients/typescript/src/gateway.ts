import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
} from '@bufbuild/protobuf';
import { createClient, type Client, type Transport } from '@connectrpc/connect';
import { readInventory, type InventoryOptions, type Page } from './inventories.js';
import { acquireLease, type Lease, type LeaseOptions } from './leases.js';
import { listItems, type Item, type ListOptions } from './lists.js';
import type { GatewayTransport } from './transport.js';

/** A gateway. {@link connect} makes one; no connection is opened before the first call. */
export class Gateway {
  readonly #transport: GatewayTransport;
  readonly #end: () => void;

  constructor(transport: GatewayTransport, end: () => void) {
    this.#transport = transport;
    this.#end = end;
  }

  /** What generated clients call: `createClient(ProjectService, gateway.transport)`. */
  get transport(): Transport {
    return this.#transport;
  }

  /** The client of a service. */
  client<S extends DescService>(service: S): Client<S> {
    return createClient(service, this.#transport);
  }

  /** All items of a list: `gateway.list(ProjectService.method.listProjects, {})`. See {@link listItems}. */
  list<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: ListOptions,
  ): AsyncGenerator<Item<O>, void, undefined> {
    return listItems(this.#transport, method, request, options);
  }

  /** All pages of an inventory: `gateway.inventory(InventoryService.method.listApiKeys, {})`. See {@link readInventory}. */
  inventory<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options?: InventoryOptions,
  ): AsyncGenerator<Page<O>, void, undefined> {
    return readInventory(this.#transport, method, request, options);
  }

  /** A lease of a role, which is kept until it is released: `new OpenAI({ apiKey: lease.key })`. See {@link Lease}. */
  lease(options: LeaseOptions): Promise<Lease> {
    return acquireLease(this.#transport, options);
  }

  /** Ends all calls and the connection. Leases are left to their end: release them before. */
  close(): void {
    this.#transport.close();
    this.#end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
