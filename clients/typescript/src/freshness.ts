/** Where an answer comes from, and how old it is. */
export interface Freshness {
  /** Its age in seconds, where it may be stored. */
  age?: number;
  /** Whether it was stored. */
  hit: boolean;
  /** Why the upstream was called, such as `miss`. */
  fwd?: string;
  /** For how many seconds it is fresh; negative: it has been stale for so long. */
  ttl?: number;
  /** All parameters of `Cache-Status`, such as `collapsed` and `detail`. */
  parameters: Record<string, string>;
}

/** Reads `Age` and `Cache-Status` of an answer's headers: `{ onHeader: (headers) => show(freshness(headers)) }`. */
export function freshness(headers: Headers): Freshness {
  const parameters: Record<string, string> = {};
  for (const part of headers.get('cache-status')?.split(';').slice(1) ?? []) {
    const [name = '', value = 'true'] = part.trim().split('=');
    parameters[name] = value;
  }
  const { hit, fwd, ttl } = parameters;
  const age = headers.get('age');
  return {
    hit: hit !== undefined,
    ...(age !== null && { age: Number(age) }),
    ...(fwd !== undefined && { fwd }),
    ...(ttl !== undefined && { ttl: Number(ttl) }),
    parameters,
  };
}
