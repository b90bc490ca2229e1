// Package pages has the pages of the console: a file for each, with its template beside
// it. Package console says how a page is made.
//
// A page gets all it shows from the gateway's RPCs, through the clients that their schema
// generates. Of the project it imports console, its packages for money and plots, the
// messages, and package pages for lists.
package pages
