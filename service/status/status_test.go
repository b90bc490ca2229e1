package status

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/internal/fleet"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// group is a fleet of this replica and others, whose answers are given.
type group struct {
	own    fleet.Answerer
	others fleet.Answers
	err    error
}

func (g *group) Handle(_ string, answer fleet.Answerer) error {
	g.own = answer
	return nil
}

func (g *group) Ask(ctx context.Context, _ string, payload []byte) (fleet.Answers, error) {
	all := g.others
	if g.own != nil {
		own, err := g.own(ctx, payload)
		if err != nil {
			return fleet.Answers{}, err
		}
		all.ByReplica = append([]fleet.Answer{{Replica: "a", Self: true, Payload: own}}, all.ByReplica...)
	}
	return all, g.err
}

// state is that of this replica.
type state State

func (s state) Status(context.Context) State { return State(s) }

func healthy() State {
	return State{
		Version: "1.0.0", Commit: "abc", Go: "go1.26", Started: time.Unix(1, 0), Ready: true,
		Policy: Policy{SHA256: "aa", Loaded: time.Unix(2, 0), Callers: 3}, Cache: Cache{Reads: 4, Stored: 3},
		Conditions: []Condition{{Name: "policy", OK: true}},
	}
}

func other(t *testing.T, change func(*State)) fleet.Answer {
	t.Helper()
	s := healthy()
	change(&s)
	payload, err := own(s)
	if err != nil {
		t.Fatal(err)
	}
	return fleet.Answer{Replica: "b", Payload: payload}
}

func ask(t *testing.T, g *group, source Source) (*controlv1.GetStatusResponse, error) {
	t.Helper()
	if _, err := Handlers(source, g); err != nil {
		t.Fatal(err)
	}
	return service{g}.getStatus(t.Context(), nil, &controlv1.GetStatusRequest{})
}

// TestWhatDiffers between replicas is said, and nothing else.
func TestWhatDiffers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change             func(*State)
		policies, versions bool
	}{
		"nothing":     {func(s *State) { s.Started, s.Cache, s.Ready = time.Unix(9, 0), Cache{}, false }, false, false},
		"the policy":  {func(s *State) { s.Policy.SHA256 = "bb" }, true, false},
		"no policy":   {func(s *State) { s.Policy = Policy{} }, true, false},
		"the version": {func(s *State) { s.Version = "1.0.1" }, false, true},
		"the commit":  {func(s *State) { s.Commit = "def" }, false, true},
	} {
		answer, err := ask(t, &group{others: fleet.Answers{ByReplica: []fleet.Answer{other(t, c.change)}}}, state(healthy()))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if answer.GetPoliciesDiffer() != c.policies || answer.GetVersionsDiffer() != c.versions {
			t.Errorf("%s: %v", name, answer)
		}
		if all := answer.GetReplicas(); len(all) != 2 || all[0].GetName() != "a" || !all[0].GetAnswering() || all[1].GetName() != "b" || all[1].GetAnswering() {
			t.Errorf("%s: %v", name, all)
		}
	}
}

// TestEveryReplicaIsNamed, also one whose answer cannot be read or did not come, and it is
// said that there may be others.
func TestEveryReplicaIsNamed(t *testing.T) {
	t.Parallel()
	g := &group{others: fleet.Answers{
		ByReplica: []fleet.Answer{{Replica: "b", Payload: []byte("\xff\xff")}},
		Missing:   []fleet.Missing{{Replica: "c", Why: "silent"}}, Unknown: true,
	}}
	answer, err := ask(t, g, state(healthy()))
	if err != nil {
		t.Fatal(err)
	}
	want := []*controlv1.MissingReplica{{Name: "c", Reason: "silent"}, {Name: "b", Reason: string(fleet.Unreadable)}}
	if len(answer.GetReplicas()) != 1 || len(answer.GetMissingReplicas()) != 2 || !answer.GetUnknownReplicas() {
		t.Fatalf("%v", answer)
	}
	for i, m := range answer.GetMissingReplicas() {
		if !proto.Equal(m, want[i]) {
			t.Errorf("%v, want %v", m, want[i])
		}
	}
	g.err = fleet.ErrBusy
	_, err = ask(t, g, state(healthy()))
	if e, ok := errors.AsType[*rpcerror.Error](err); !ok || e.Code != connect.CodeResourceExhausted || e.Reason != rpcerror.ReasonReplicasBusy || e.RetryAfter <= 0 {
		t.Errorf("busy: %v", err)
	}
}

// TestReasonsAreBounded, and are text: whatever an error said, the answer can be sent.
func TestReasonsAreBounded(t *testing.T) {
	t.Parallel()
	s := healthy()
	s.Policy.Failure = strings.Repeat("é", 1<<20)
	s.Conditions = append(s.Conditions, Condition{Name: "audit", Reason: "\xff\xfe" + strings.Repeat("x", 1<<20)})
	answer, err := ask(t, new(group), state(s))
	if err != nil {
		t.Fatal(err)
	}
	replica := answer.GetReplicas()[0]
	if n := proto.Size(replica); n > 3*maxText {
		t.Errorf("%d bytes", n)
	}
	for _, text := range []string{replica.GetPolicy().GetFailure(), replica.GetConditions()[1].GetReason()} {
		if !utf8.ValidString(text) || !strings.HasSuffix(text, "…") {
			t.Errorf("%.20q", text)
		}
	}
	if answer, err := ask(t, new(group), nil); err != nil || len(answer.GetReplicas()) != 0 {
		t.Errorf("without a source: %v, %v", answer, err)
	}
}
