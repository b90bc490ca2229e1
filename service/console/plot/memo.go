package plot

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html/template"
	"sync"
)

// maxDrawings bounds the drawings that a [Memo] has, of some 40 KB each.
const maxDrawings = 64

// Memo remembers drawings: one takes some milliseconds, and many people look at the same.
// It finds one by all that is drawn, so nobody gets a drawing of other values. It is safe
// for concurrent use; the zero value is empty.
type Memo struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]template.HTML
	order [maxDrawings][sha256.Size]byte // of their coming
	next  int
}

// HTML is that of [Chart.HTML]. Charts with the same Title have the same Format.
func (m *Memo) HTML(c Chart) (template.HTML, error) {
	text, err := json.Marshal(struct {
		Title  string
		Labels []string
		Series []Series
		Lines  bool
	}{c.Title, c.Labels, c.Series, c.Lines})
	if err != nil {
		return "", fmt.Errorf("plot: %w", err)
	}
	key := sha256.Sum256(text)
	m.mu.Lock()
	drawn, ok := m.known[key]
	m.mu.Unlock()
	if ok {
		return drawn, nil
	}
	if drawn, err = c.HTML(); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = make(map[[sha256.Size]byte]template.HTML, maxDrawings)
	}
	if _, ok := m.known[key]; !ok {
		delete(m.known, m.order[m.next])
		m.known[key], m.order[m.next] = drawn, key
		m.next = (m.next + 1) % maxDrawings
	}
	return drawn, nil
}
