// Package report holds the results of a run, judges them by the targets, and writes them:
// as a table for a terminal, as JSON, as a page with plots. It measures nothing, and
// imports nothing of the project but the package of statistics.
package report
