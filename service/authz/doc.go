// Package authz decides what a caller may do. A decision is a pure function of
// the policy, the caller's name, the method, the request and the moment: no clock, no
// file, no network. [Compile] turns a policy into an immutable value and refuses one
// with a fault. Deny is the default, and every failure denies.
//
// # Permissions
//
// Every RPC needs one permission, such as "projects.users.update": a dotted
// resource, then a verb. A grant lists patterns of them, case-sensitive:
//
//	projects.users.update   this one
//	projects.users.*        all that begin with "projects.users.": projects.users.roles.read too
//	*.read                  all whose last word is "read"
//	*                       all
//
// # Projects
//
// A grant without projects holds for every request. A grant with projects holds
// for a request that names at least one project, none of them empty, and each
// of them in the list. Which fields name projects is declared for the RPC
// ([Method]); an RPC that has none concerns the organization, and such a grant
// never holds for it. An element of a list that has no id counts as an empty one.
//
// A deny is read the other way round. One without projects holds for every
// request. One with projects holds for a request that names any of them, and
// for one that names none, or an empty one, where it could have: that asks
// about all projects, the listed ones among them. It does not hold for an RPC
// that concerns the organization. A grant compares ids exactly, a deny without regard to
// case.
//
// An RPC that only makes other calls, each decided on its own, is declared as
// such ([Method.EachCall]): there only the permissions and the condition of a
// grant or deny count, and its projects do not. [Policy.Projects] returns the
// projects of such an RPC when its caller names none.
//
// # Leases
//
// An RPC that concerns leases ([LeaseScope]) has no field for a project: the project is
// that of the role. A grant holds for the roles that it names, or for all with "*", and
// where it is limited to projects, for those of the roles that are in them. Without roles
// it holds for none. A deny without roles holds for all, one with roles for these, and its
// projects are read as always.
//
// A request that names no role does not say which leases it concerns. [Policy.Decide] then
// allows it where some grant opens any role, and says so ([Decision.EachLease]); each
// lease is decided on by [Policy.DecideLease], with its role, its project and the caller
// that it belongs to. A field can take a permission of its own ([Need]), which is decided
// on in the same way.
//
// # Conditions
//
// A condition is a CEL expression of type bool over the variable request, which
// has the type of the RPC's request message, and over the caller and the moment. It is compiled against that type
// for every RPC that the permissions match, so that a misspelled field is found
// when the policy is loaded.
//
//	request.role != InviteRole.INVITE_ROLE_OWNER && request.email.endsWith("@example.com")
//
// Names are resolved from the package of the request, so enum constants read as
// above. An enum field is an int in CEL: it compares with the constants of its
// own enum, where those of another enum are an error, and with numbers. To read a
// field with presence that is not set is a failure; has(request.field) asks first. A
// field that the request's field mask names is there, set or not, and reads as its zero
// where it is not. Other fields that are not set have their zero value (the enum's
// UNSPECIFIED, "", 0).
//
// caller.name and caller.labels (a map from texts to texts) are the caller as the policy
// has it, and now is the moment of the decision, which its caller passes in. For an RPC
// that concerns leases, role.name, role.project, role.kind, role.service_account,
// role.scopes, role.ttl and role.max_ttl are the role. To read a
// label that the caller has not is a failure. [Policy.Warnings] names the reads that may
// fail so and that nothing guards.
//
// Beside operators and the macros has, all, exists, exists_one, filter and map
// there are: bool, bytes, contains, double, duration, endsWith, the get…
// accessors of timestamps and durations in UTC, int, lowerAscii, matches (with
// a literal pattern, RE2), size, startsWith, string, timestamp, trim, uint and
// upperAscii. Each is linear in its input; a limit on their summed cost ends an
// evaluation that takes too long, at about a thousand elements of a list, and a
// request of more than 32 KiB is not evaluated.
//
// A condition that fails, by an error or by that limit, allows nothing: its
// grant does not hold, its deny does.
//
// It imports the syntaxes that it shares with the catalog (internal/fieldmask,
// internal/fieldpath, internal/permission) and no other package of service/; a decision is a pure
// function. Package callers compiles its policies, the catalog its methods, and package
// admission asks for decisions.
package authz
