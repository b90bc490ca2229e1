// Package diagnose opens what a config names, one thing after the other, and says what a
// gateway would find: secrets, certificates, Redis, issuers, the collector, the upstream.
// It changes nothing that stays, and serves nobody.
//
// It makes everything by [build.Parts], as a gateway does. Its user is gateway check --deep.
package diagnose
