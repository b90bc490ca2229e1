// Package openapi validates the sandbox against the vendor's OpenAPI description, with
// a validator for such descriptions. It is a module of its own, so that the validator
// is no dependency of the gateway.
//
// The description is not part of the project. ADMIN_OPENAPI names the file.
package openapi
