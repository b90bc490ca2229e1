// Package console opens every page of the console in headless Chromium: light and dark,
// wide and as a phone, with its script and without. It holds the pages against axe-core,
// and leaves screenshots to look at. The gateway is a demo, as a process.
//
// `make console` runs it; it is a module of its own, for its libraries.
package console
