package adminkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

const (
	// membersName is the name of the document of the replicas in the ledger.
	membersName = "admin_key.replicas"
	// maxMembers bounds the replicas that are known.
	maxMembers = 256
	// beatTries is how often a replica says that it is there when others do at once.
	beatTries = 8
)

// Member is a replica of the gateway, as the others know it.
type Member struct {
	// Replica is its name. It is alive until Until, unless it says so again.
	Replica string    `json:"replica"`
	Until   time.Time `json:"until"`
	// Rotation is the rotation that it has taken part in, and Settled that it does not
	// use the old key any more.
	Rotation string `json:"rotation,omitempty"`
	Settled  bool   `json:"settled,omitempty"`
	// Problem says in words why it still uses the old key.
	Problem string `json:"problem,omitempty"`
}

// part is what a replica says of itself.
type part struct {
	rotation string
	settled  bool
	problem  string
}

// members returns the replicas that are alive, by name.
func (r *Rotator) members(ctx context.Context) (map[string]Member, uint64, error) {
	d, err := r.o.Ledger.Document(ctx, membersName)
	if errors.Is(err, lease.ErrNotFound) {
		return make(map[string]Member), 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var all []Member
	if err := json.Unmarshal(d.Data, &all); err != nil {
		return nil, 0, fmt.Errorf("adminkey: the replicas in the ledger cannot be read: %w", err)
	}
	alive, at := make(map[string]Member, len(all)), time.Now()
	for _, m := range all {
		if m.Until.After(at) {
			alive[m.Replica] = m
		}
	}
	return alive, d.Version, nil
}

// changeMembers changes what is known of the replicas.
func (r *Rotator) changeMembers(ctx context.Context, change func(map[string]Member) error) error {
	var err error
	for range beatTries {
		var alive map[string]Member
		var version uint64
		if alive, version, err = r.members(ctx); err != nil {
			return err
		}
		if err := change(alive); err != nil {
			return err
		}
		var data []byte
		if data, err = json.Marshal(slices.SortedFunc(maps.Values(alive), byReplica)); err != nil {
			return err
		}
		if _, err = r.o.Ledger.PutDocument(ctx, lease.Document{Name: membersName, Version: version, Data: data}); !errors.Is(err, lease.ErrConflict) {
			return err
		}
	}
	return err
}

func byReplica(a, b Member) int {
	switch {
	case a.Replica < b.Replica:
		return -1
	case a.Replica > b.Replica:
		return 1
	}
	return 0
}

// errTooMany is the error of a replica that is one too many to be known.
var errTooMany = fmt.Errorf("adminkey: more than %d replicas are alive", maxMembers)

// beat says that this replica is there, if it is time to or says something new.
func (r *Rotator) beat(ctx context.Context, says part) error {
	at := time.Now()
	if says == r.said && at.Before(r.beatAt) {
		return nil
	}
	err := r.changeMembers(ctx, func(alive map[string]Member) error {
		if _, known := alive[r.o.Replica]; !known && len(alive) >= maxMembers {
			return errTooMany
		}
		alive[r.o.Replica] = Member{
			Replica: r.o.Replica, Until: at.Add(r.o.MemberLife), Rotation: says.rotation, Settled: says.settled, Problem: says.problem,
		}
		return nil
	})
	if err == nil {
		r.said, r.beatAt = says, at.Add(r.o.MemberLife/4)
	}
	return err
}

// leave says that this replica has ended.
func (r *Rotator) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestLeave)
	defer cancel()
	if err := r.changeMembers(ctx, func(alive map[string]Member) error {
		delete(alive, r.o.Replica)
		return nil
	}); err != nil {
		r.o.Logger.WarnContext(ctx, "the rotation of the admin key may wait for this replica for a while", "error", err.Error())
	}
}

// waitingFor returns the replicas that do not say that they have left the old key.
func waitingFor(alive map[string]Member, rotation, self string) []Member {
	var waiting []Member
	if _, known := alive[self]; !known {
		waiting = append(waiting, Member{Replica: self})
	}
	for _, m := range alive {
		if m.Rotation != rotation || !m.Settled {
			waiting = append(waiting, m)
		}
	}
	slices.SortFunc(waiting, byReplica)
	return waiting
}
