import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { connect, freshness, InvalidConfig, type ConnectOptions } from '@admin-gateway/client';

const bad: [string, string, ConnectOptions][] = [
  ['address', 'gateway.example.org', {}],
  ['address', 'ftp://gateway.example.org', {}],
  ['address', 'https://gateway.example.org/path', {}],
  ['address', 'https://user@gateway.example.org', {}],
  ['address', 'http://gateway.example.org', {}],
  ['token', 'https://gateway.example.org', { token: 'two words' }],
  ['token', 'https://gateway.example.org', { token: '' }],
  ['tokenFile', 'https://gateway.example.org', { token: 'a', tokenFile: '/dev/null' }],
  ['tokenFile', 'https://gateway.example.org', { tokenFile: '/does/not/exist' }],
  ['ca', 'https://gateway.example.org', { ca: '/does/not/exist' }],
  ['ca', 'https://gateway.example.org', { ca: '-----BEGIN CERTIFICATE-----' }],
  ['key', 'https://gateway.example.org', { cert: 'cert.pem' }],
  ['cert', 'https://gateway.example.org', { key: 'key.pem' }],
  ['attempts', 'https://gateway.example.org', { attempts: 0 }],
  ['deadlineMs', 'https://gateway.example.org', { deadlineMs: Number.NaN }],
  ['userAgent', 'https://gateway.example.org', { userAgent: 'line\nbreak' }],
];

for (const [argument, address, options] of bad) {
  test(`connect names ${argument}: ${address} ${inspect(options, { breakLength: Infinity })}`, () => {
    assert.throws(
      () => connect(address, options),
      (error: unknown) => error instanceof InvalidConfig && error.argument === argument,
    );
  });
}

test('connect takes what is right', () => {
  for (const address of ['https://gateway.example.org', 'https://[2001:db8::1]:8443', 'http://127.0.0.1:8080']) {
    connect(address, { token: 'a' }).close();
  }
  connect('http://gateway.example.org', { plaintext: true }).close();
});

test('a connection prints no secret', () => {
  const gateway = connect('https://gateway.example.org', { token: 'the-secret' });
  assert.doesNotMatch(inspect(gateway, { depth: 20, showHidden: true }), /the-secret/);
  assert.doesNotMatch(JSON.stringify(gateway), /the-secret/);
  assert.throws(
    () => connect('https://gateway.example.org', { token: 'the secret' }),
    (error: unknown) => !inspect(error).includes('the secret'),
  );
});

test('freshness reads the headers of docs/caching.md', () => {
  const read = (status: string, age?: string) => {
    const { parameters, ...rest } = freshness(new Headers({ 'cache-status': status, ...(age && { age }) }));
    return rest;
  };
  assert.deepEqual(read('admin-gateway; hit; ttl=299', '1'), { hit: true, ttl: 299, age: 1 });
  assert.deepEqual(read('admin-gateway; fwd=stale; fwd-status=503; ttl=-60', '90'), {
    hit: false,
    fwd: 'stale',
    ttl: -60,
    age: 90,
  });
  assert.deepEqual(freshness(new Headers()), { hit: false, parameters: {} });
});
