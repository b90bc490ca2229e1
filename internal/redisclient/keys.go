package redisclient

// DefaultPrefix begins the name of every key and channel if no other prefix is
// configured.
const DefaultPrefix = "gw"

// KeyPrefix is what all names of an organization begin with. The braces are a
// hash tag: in a cluster all keys of an organization are in one slot, as a script
// needs them.
func KeyPrefix(prefix, organization string) string {
	return prefix + ":{" + organization + "}:"
}
