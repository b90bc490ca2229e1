// Package pages walks the lists of the Admin API to their end.
//
// It is for callers of the generated stubs. A list arrives in pages, in one of
// three styles: the next page is asked for with `after` and the `last_id` of
// the page before (the `id` of its last item, where the list promises no `last_id`),
// with `after` and its `next`, or with `page` and its `next_page`. [Walk] finds out which from the messages and serves all of them
// alike.
//
// A walk ends in one of two ways: with the last item of the list, or with an
// error. A server that says "there is more" and does not deliver it, or never
// stops saying so, is met with an [*EndlessError], and not with a loop or with
// a list that merely looks complete.
package pages
