// Package floor has the servers that the gateway is measured against: what its libraries
// do with the same bytes when there is no gateway.
//
// A bare floor answers and does nothing else. A fair one does what no gateway can leave
// out: it looks a token up, keeps a deadline, sends the three headers of an answer, and
// puts a record into a buffered file. None of them builds an answer: each sends bytes that
// it was given, so that a floor is below what any server of such answers could do.
//
// It imports nothing of the project.
package floor
