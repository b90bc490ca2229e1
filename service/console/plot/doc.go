// Package plot draws bars and lines as SVG that stands in a page: its colours are those of
// the page's style, for light and for dark, and it has neither styles nor scripts, which
// the page's policy would refuse.
//
// A library for charts draws. What it makes is read again, and only known
// elements and attributes are written: colours become classes. No text of others gets into
// a drawing; names are in the legend beside it.
//
// It imports nothing of the project.
package plot
