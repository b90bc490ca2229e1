// Package authz decides what a caller may do. A decision is a pure function of
// the policy, the caller's name, the method and the request: no clock, no file,
// no network. [Compile] turns a policy into an immutable value and refuses one
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
// that concerns the organization.
//
// An RPC that only makes other calls, each decided on its own, is declared as
// such ([Method.EachCall]): there only the permissions and the condition of a
// grant or deny count, and its projects do not. [Policy.Projects] returns the
// projects of such an RPC when its caller names none.
//
// # Conditions
//
// A condition is a CEL expression of type bool over the variable request, which
// has the type of the RPC's request message. It is compiled against that type
// for every RPC that the permissions match, so that a misspelled field is found
// when the policy is loaded.
//
//	request.role != InviteRole.INVITE_ROLE_OWNER && request.email.endsWith("@example.com")
//
// Names are resolved from the package of the request, so enum constants read as
// above. An enum field is an int in CEL: it compares with the constants of its
// own enum, where those of another enum are an error, and with numbers. A field
// that is not set has its zero value (the enum's UNSPECIFIED, "", 0);
// has(request.field) tells the two apart where the field has presence.
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
// It imports the syntaxes that it shares with the catalog (internal/fieldpath,
// internal/permission) and no other package of service/; a decision is a pure
// function. Package callers compiles its policies, the catalog its methods, and package
// admission asks for decisions.
package authz
