package lease_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	good := ledgertest.NewRecord("1")
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for field, spoil := range map[string]func(*lease.Record){
		"id":                   func(r *lease.Record) { r.ID = strings.Repeat("z", lease.IDLength) },
		"request_id":           func(r *lease.Record) { r.RequestID = "" },
		"caller":               func(r *lease.Record) { r.Caller = "a\nb" },
		"holder":               func(r *lease.Record) { r.Holder = strings.Repeat("a", lease.MaxNameBytes+1) },
		"role":                 func(r *lease.Record) { r.Role = "\xff" },
		"kind":                 func(r *lease.Record) { r.Kind = "user" },
		"project_id":           func(r *lease.Record) { r.ProjectID = "" },
		"state":                func(r *lease.Record) { r.State = 0 },
		"created_at":           func(r *lease.Record) { r.Created = time.Time{} },
		"send_before":          func(r *lease.Record) { r.SendBefore = time.Time{} },
		"upstream_expires_at":  func(r *lease.Record) { r.UpstreamExpires = time.Time{} },
		"upstream_expires_at ": func(r *lease.Record) { r.UpstreamExpires = r.Expires.Add(-1) },
		"expires_at":           func(r *lease.Record) { r.MaxExpires = r.Expires.Add(-1) },
		"ended_at":             func(r *lease.Record) { r.Ended = r.Created },
		"ended_at ":            func(r *lease.Record) { r.State = lease.Revoked },
		"forget_at":            func(r *lease.Record) { r.State, r.Ended = lease.Revoked, r.Created },
		"secret_until": func(r *lease.Record) {
			r.State, r.Ended, r.ForgetAt, r.SecretUntil = lease.Revoked, r.Created, r.Created, r.Created
		},
		"seats":     func(r *lease.Record) { r.Seats, r.Seated = 1, 2 },
		"seats ":    func(r *lease.Record) { r.Seats, r.Credential = 1, lease.NewID(r.Created) },
		"attempts":  func(r *lease.Record) { r.Attempts = -1 },
		"labels":    func(r *lease.Record) { r.Labels = map[string]string{"a": "\x00"} },
		"time":      func(r *lease.Record) { r.ForgetAt = time.UnixMilli(-1) },
		"time\tfar": func(r *lease.Record) { r.MaxExpires = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		r := good
		spoil(&r)
		var invalid *lease.InvalidError
		want, _, _ := strings.Cut(strings.TrimSpace(field), "\t")
		if err := r.Validate(); !errors.As(err, &invalid) || invalid.Field != want || !errors.Is(err, lease.ErrInvalid) {
			t.Errorf("%q: %v", field, err)
		}
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	secret := lease.NewSecret([]byte("sk-hunter2"))
	if string(secret.Reveal()) != "sk-hunter2" || secret.IsZero() || !lease.NewSecret(nil).IsZero() {
		t.Fatal("it does not keep the secret")
	}
	change := lease.Change{Record: ledgertest.NewRecord("1"), Secret: secret}
	var log bytes.Buffer
	for _, logger := range []*slog.Logger{slog.New(slog.NewJSONHandler(&log, nil)), slog.New(slog.NewTextHandler(&log, nil))} {
		logger.InfoContext(t.Context(), "a change", "secret", secret, "change", change, "pointer", &change)
	}
	encoded, err := json.Marshal(change)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(encoded) + secret.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		all += fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, change) + fmt.Sprintf(verb, &change) + fmt.Sprintf(verb, []lease.Secret{secret})
	}
	for _, part := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%X", "hunter2"), fmt.Sprintf("%d", []byte("hunter2"))} {
		if strings.Contains(all, strings.Trim(part, "[]")) {
			t.Errorf("%q is in %s", part, all)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	at := ledgertest.Begin()
	var ids []string
	for i := range 100 {
		ids = append(ids, lease.NewID(at.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSorted(ids) {
		t.Error("ids of later milliseconds do not sort after those of earlier ones")
	}
	if one, other := lease.NewID(at), lease.NewID(at); one == other {
		t.Error("an id is drawn twice")
	}
	for i, id := range ids {
		made, ok := lease.IDTime(id)
		if !ok || !made.Equal(at.Add(time.Duration(i)*time.Millisecond)) || len(id) != lease.IDLength {
			t.Errorf("%s: %v, %v", id, made, ok)
		}
		if lease.FirstID(made) > id || lease.FirstID(made.Add(time.Millisecond)) <= id {
			t.Errorf("%s is not between the first ids of its millisecond and the next", id)
		}
	}
	for _, no := range []string{"", ids[0][1:], ids[0] + "0", strings.ToUpper(ids[0]), ids[0][:25] + "v"} {
		if _, ok := lease.IDTime(no); ok {
			t.Errorf("%q passes for an id", no)
		}
	}
}
