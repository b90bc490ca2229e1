import { clone, create, getOption, ScalarType } from '@bufbuild/protobuf';
import type { DescField, DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { CallOptions as RpcOptions, Transport } from '@connectrpc/connect';
import { InvalidConfig } from './errors.js';
import { field as mapping } from './gen/admingateway/options/v1/options_pb.js';

/** The faults of a server whose list cannot be walked to its end. */
export type EndlessReason = 'SameCursor' | 'Cycle' | 'EmptyPage' | 'NoCursor' | 'Contradiction' | 'PageCap';

/** The server's pages lead nowhere. The items that came are real, and are not the whole list. */
export class EndlessList extends Error {
  override readonly name = 'EndlessList';
  /** The kind. */
  readonly kind = 'EndlessList';

  constructor(
    /** The type of the pages. */
    readonly response: string,
    /** The fault. */
    readonly reason: EndlessReason,
    /** How many pages came, with the one that is wrong. */
    readonly pages: number,
  ) {
    super(`${response} does not end: ${reason} (page ${pages})`);
  }
}

/** An item of a list's pages. */
export type Item<O extends DescMessage> = MessageShape<O> extends { data: (infer T)[] } ? T : never;

/** How a list is walked: the options of each call, and how many pages there may be (10,000). */
export type ListOptions = Omit<RpcOptions, 'onHeader' | 'onTrailer'> & { maxPages?: number };

// Cursors are kept, to see one again. The server chooses their length.
const mostOfCursors = 1 << 24;

/**
 * Yields the items of all pages of a list, from where the request says. It ends with the last
 * item, or throws: the error of a call, or an {@link EndlessList}. Memory is bounded by a page
 * and the cursors.
 */
export async function* listItems<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options: ListOptions = {},
): AsyncGenerator<Item<O>, void, undefined> {
  const style = styleOf(method);
  const ask = clone(method.input, create(method.input, request)) as Record<string, unknown> & MessageShape<I>;
  if (ask['before']) throw new InvalidConfig('before', `is set in ${method.input.typeName}: a list is walked forward`);
  let asked = text(ask, style.cursor);
  const seen = new Set([asked]);
  let length = 0;
  for (let pages = 1; ; pages++) {
    options.signal?.throwIfAborted();
    const { signal, timeoutMs, headers, contextValues } = options;
    const { message } = await transport.unary(method, signal, timeoutMs, headers, ask, contextValues);
    const page = message as Record<string, unknown>;
    const items = page['data'] as Item<O>[];
    yield* items;
    const last = items.at(-1) as Record<string, unknown> | undefined;
    const next = text(page, style.next) || (last ? text(last, style.id) : '');
    const endless = (reason: EndlessReason) => new EndlessList(method.output.typeName, reason, pages);
    if (page['hasMore'] !== true) {
      if (style.onlyMore && next !== '') throw endless('Contradiction');
      return;
    }
    if (items.length === 0) throw endless('EmptyPage');
    if (next === '') throw endless('NoCursor');
    if (next === asked) throw endless('SameCursor');
    if (seen.has(next)) throw endless('Cycle');
    if (pages >= Math.max(options.maxPages ?? 10_000, 1) || (length += next.length) > mostOfCursors)
      throw endless('PageCap');
    seen.add(next);
    (ask as Record<string, unknown>)[style.cursor.localName] = asked = next;
  }
}

interface Style {
  cursor: DescField;
  /** The page's field with the cursor. */
  next: DescField | undefined;
  /** The field of the last item that stands for it where it is not set. */
  id: DescField | undefined;
  /** Whether the cursor is set only while there are more pages. */
  onlyMore: boolean;
}

const text = (message: object, field: DescField | undefined): string =>
  (field && ((message as Record<string, unknown>)[field.localName] as string | undefined)) ?? '';

const string = (message: DescMessage | undefined, name: string): DescField | undefined =>
  message?.fields.find((f) => f.name === name && f.fieldKind === 'scalar' && f.scalar === ScalarType.STRING);

// There are three styles: `after` with `last_id`, `after` with `next`, `page` with `next_page`.
function styleOf({ name, input, output }: DescMethodUnary): Style {
  const after = string(input, 'after');
  const page = string(input, 'page');
  const cursor = after ?? page;
  const data = output.fields.find((f) => f.name === 'data' && f.fieldKind === 'list');
  const more = output.fields.find((f) => f.name === 'has_more' && f.fieldKind === 'scalar');
  if (!cursor || (after && page) || !data?.message || !more) throw new TypeError(`${name} is not a list`);
  if (page) return { cursor, next: string(output, 'next_page'), id: undefined, onlyMore: true };
  const next = string(output, 'next');
  if (next) return { cursor, next, id: undefined, onlyMore: true };
  const last = string(output, 'last_id');
  const orItem = !last || getOption(last, mapping).orLastItem;
  return { cursor, next: last, id: orItem ? string(data.message, 'id') : undefined, onlyMore: false };
}
