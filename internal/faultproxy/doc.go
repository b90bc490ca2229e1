// Package faultproxy is a TCP proxy that is a bad network: it delays, holds back or
// resets what it passes on. It imports the standard library alone. Tests of cache,
// lease and upstream/pace call it, and no other code does.
package faultproxy
