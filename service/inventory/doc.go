// Package inventory answers the RPCs that are made of many reads: "for each item of
// this list, that list", in one stream that ends complete or lists the missing
// parts.
//
// A declaration is compiled into a plan ([Compile]). A call becomes a query, which
// does not change; a scheduler, on the goroutine of the call, starts walkers and owns
// the stream; walkers make the reads, one list each. A view that has to know more than
// the items say has a list that is read whole ahead of them. Every read is authorized on its
// own and takes the whole pipeline: the package is a client of pipeline.Invoker and
// of admission, and nothing of the pipeline imports it. docs/inventory.md says what
// callers can rely on and how an inventory is declared.
package inventory
