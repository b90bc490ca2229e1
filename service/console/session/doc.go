// Package session keeps who has logged in to the console in a cookie that only gateways
// can read: the credential, encrypted and authenticated with keys that all replicas have.
// No replica keeps anything, so a page can come from any of them.
//
// Of the project it imports cache/seal and internal/digest.
package session
