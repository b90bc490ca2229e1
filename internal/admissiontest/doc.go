// Package admissiontest has policies for tests, and permits for tests of what
// answers. It is for tests alone.
package admissiontest
