package httpdoor

import (
	"net/http"
	"strconv"
)

// unknownLength is the size from which net/http does not find out the length of an
// answer itself, and sends it in chunks: with more writes of the system, which are most
// of what an answer costs.
const unknownLength = 2 << 10

// Write writes a status and all of an answer's body, after which no more may be written.
func Write(w http.ResponseWriter, status int, body []byte) error {
	if len(body) >= unknownLength {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
