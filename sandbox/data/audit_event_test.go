package data

import (
	"fmt"
	"testing"
)

func TestAuditLogIsBounded(t *testing.T) {
	t.Parallel()
	l := newAuditLog(10)
	for i := range 25 {
		l.add(&AuditEvent{ID: fmt.Sprint(i)})
		if len(l.events) > 10 {
			t.Fatalf("%d events", len(l.events))
		}
	}
	if l.events[len(l.events)-1].ID != "24" {
		t.Errorf("the last event is %s", l.events[len(l.events)-1].ID)
	}
}
