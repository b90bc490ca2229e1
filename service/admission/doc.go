// Package admission decides which calls are allowed. Its interceptors
// authenticate the caller, hold it to its limits and check the permission of the
// method; [Controller.Authorize] decides with the whole request and makes a
// [Permit].
//
// Every step of the pipeline that answers takes a Permit, and nothing but Authorize
// makes one: its type is a pointer to a type that only this package can name. It
// imports authn, authz, callers and catalog, and none of the steps that answer.
package admission
