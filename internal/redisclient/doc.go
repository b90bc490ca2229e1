// Package redisclient reaches Redis.
package redisclient
