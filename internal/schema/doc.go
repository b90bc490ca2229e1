// Package schema writes what a program in another language needs in order to
// call the gateway: the .proto files with all that they import, a descriptor
// set, and an OpenAPI description of the REST door.
//
// It owns these three forms and their layout in a folder. All of it is derived
// from the linked descriptors and from the sources that they were generated
// from. It may import upstream, for the REST operation of an RPC, and the
// generated options; it knows no service, no caller and no configuration. The
// command "gateway schema" calls it.
package schema
