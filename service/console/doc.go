// Package console is a door for people: pages that the gateway renders, for a browser.
//
// A page shows what the policy lets its user see, and nothing else: all its data comes
// from calls of the gateway's own RPCs with the credential that the user has logged in
// with (package rpc). The console knows no upstream, no cache and no policy.
//
//	console.go   the options, and which request is for what
//	guard.go     what browsers are told, and requests that come from other pages
//	login.go     login with a token, and logout
//	oidc.go      login with an OpenID provider
//	visit.go     one request of one user, and what a page asks it for
//	page.go      what a page is: a path, parts, a file to download
//	stream.go    a page as it is sent: parts in the order in which they are ready
//	part.go      one part, and what may become of it
//	action.go    what a page may change: a question, and what was done
//	csv.go       tables for other programs
//	view.go      how values look in templates
//	assets/      the style, the script and the frame of every page
//
// # Adding a page
//
// A page is a [Page] in a file of package pages, with a template of the same name beside
// it. It has a path, the permissions that make it worth a visit, and parts. A part has a
// function that gathers its data with calls through [Visit.Client], and a template:
//
//	var costs = &console.Page{
//		Path: "/costs", Title: "Costs", Needs: []string{"costs.read"},
//		Parts: []console.Part{{ID: "table", Title: "By project", Needs: "costs.read", Gather: gatherTable, Template: "costs-table"}},
//	}
//
//	func gatherTable(ctx context.Context, v *console.Visit) (any, error) {
//		answer, err := adminv1connect.NewCostServiceClient(v.Client()).ListCosts(ctx, request)
//		…
//	}
//
// Gather is called twice where that is worth it: first for what is stored, which spends
// nothing and shows at once with its age, and then for what is new. It returns errors of
// calls as they are; the frame says what they mean. A part that fails leaves the others
// alone. Package pages lists its pages in All.
//
// Of the project it imports door, httpdoor, rpcerror, the messages of sessions, and its own
// packages.
package console
