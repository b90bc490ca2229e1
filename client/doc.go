// Package client connects a program to a gateway, for the generated stubs below gen/.
//
// [Connect] takes an address and a credential. What it returns goes into the constructor
// of any service:
//
//	gateway, err := client.Connect("https://gateway.internal:8443", client.TokenFile("/run/secrets/token"))
//	if err != nil {
//		return err
//	}
//	defer gateway.Close()
//	projects := adminv1connect.NewProjectServiceClient(gateway.Client())
//
// Calls that are made with it
//
//   - have a deadline ([Deadline]), unless their context has one. Streams have none but
//     the context's;
//   - are repeated after a failure that passes, where that is safe ([Attempts]): reads, and
//     writes that the gateway makes once, by their idempotency key or request id;
//   - carry an idempotency key where they write, unless the caller gives one
//     ([WithIdempotencyKey]) or wants none ([WithoutIdempotencyKey]);
//   - fail with an [*Error], which has the kind, the reason and the details.
//
// [pages.Walk] goes through a list to its end, [inventories.Walk] through an inventory,
// and [leases.Acquire] holds a key that ends by itself.
//
// [pages.Walk]: https://pkg.go.dev/github.com/admin-gateway/admin-gateway/pages#Walk
// [inventories.Walk]: https://pkg.go.dev/github.com/admin-gateway/admin-gateway/client/inventories#Walk
// [leases.Acquire]: https://pkg.go.dev/github.com/admin-gateway/admin-gateway/client/leases#Acquire
package client
