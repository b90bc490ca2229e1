// Package pipeline is the contract between the steps that answer a call: an
// [Invoker] takes a permit and gives a [Response]. Each step is a decorator in a
// package of its own, and package service composes them in one list.
//
// It imports admission, for the permit, and no step. Whatever makes calls (a
// handler, an inventory, a lease) is a client of an Invoker.
package pipeline
