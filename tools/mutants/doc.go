// Command mutants makes faults in the code on purpose, one at a time, and runs the tests
// that must notice.
//
// A mutant is a patch below patches/, in a folder for what it is about. In front of the
// unified diff it has a sentence about the fault, and these lines:
//
//	Tests: ./service/authn ./service
//	Run: TestTokens
//	Survives: why no test can notice
//
// Tests are the packages of which one must fail, the quickest first, and Run is the -run
// of go test, where not all of their tests need to run. Survives is for a mutant that no
// test kills, with the reason. The diff is applied by its text: the lines that it
// removes, with those around them, are in the file exactly once, wherever they are. So a
// patch stays good when lines move, and breaks when they change.
//
// The first test that fails ends a mutant. It is run without the mutant as well: one that
// fails anyway has noticed nothing.
//
// The tree is not touched: go test gets the changed file as an overlay.
package main
