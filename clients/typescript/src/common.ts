export * from './errors.js';
export * from './freshness.js';
export { Gateway } from './gateway.js';
export * from './lists.js';
export type { CommonOptions } from './options.js';
export type { Token, TokenProvider } from './tokens.js';
export { randomKey, type CallOptions } from './transport.js';
export { version } from './version.js';
