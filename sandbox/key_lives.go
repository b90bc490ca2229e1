package sandbox

import (
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// maxKeyLife is the longest life of a key in seconds: a year.
const maxKeyLife = 31_536_000

// seconds returns the whole seconds of a duration.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// lifeField declares the life of a new key. Null means none, as absence does.
func lifeField() field { return num("expires_in_seconds").between(1, maxKeyLife).orNull() }

// expiry returns the time at which a key of the project expires that the request
// makes or prolongs, nil for a key that never does. It refuses a life that the
// organization or the project does not allow.
func (c *call) expiry(p *data.Project) (*int64, error) {
	const param = "expires_in_seconds"
	longest := c.org.KeyLife(p)
	life := c.body.num(param)
	switch {
	case life == 0 && longest != 0:
		return nil, badRequest(param, "expiration_required",
			"API keys of project '%s' must expire: give '%s', at most %d.", p.ID, param, longest)
	case longest != 0 && life > longest:
		return nil, badRequest(param, "expiration_too_long",
			"API keys of project '%s' may live for %d seconds at most, and '%s' is %d.", p.ID, longest, param, life)
	case life == 0, c.ignoreKeyLives:
		return nil, nil
	}
	return new(c.now + life), nil
}

// KeyState is the state of an API key, as the one who holds its value meets it.
type KeyState struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	ProjectID string `json:"project_id,omitempty"`         // empty for an admin key
	AccountID string `json:"service_account_id,omitempty"` // empty for a person's
	// Alive says whether the key is known to calls: it has not expired. What they may
	// do is up to its scopes, and to the role of its owner.
	Alive     bool     `json:"alive"`
	CreatedAt int64    `json:"created_at"` // Unix seconds
	ExpiresAt *int64   `json:"expires_at"` // likewise; nil: never
	Scopes    []string `json:"scopes"`     // none: no restriction
}

func stateOf(p *data.Project, k *data.ProjectKey, now int64) KeyState {
	return KeyState{
		ID: k.ID, Name: k.Name, ProjectID: p.ID, AccountID: k.AccountID, Alive: !k.Expired(now),
		CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, Scopes: append([]string{}, k.Scopes...),
	}
}

// ProjectKeys returns the states of all keys of projects, also of those that have
// expired, by the organization's clock: by project, and as they were created. An empty
// id means all projects. It returns an error for a project that does not exist.
func (s *Sandbox) ProjectKeys(projectID string) ([]KeyState, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	projects := s.org.Projects.All()
	if projectID != "" {
		p, err := find(s.org.Projects, "project", projectID)
		if err != nil {
			return nil, err
		}
		projects = []*data.Project{p}
	}
	now := s.clock.now().Unix()
	states := []KeyState{}
	for _, p := range projects {
		for _, k := range p.Keys.All() {
			states = append(states, stateOf(p, k, now))
		}
	}
	return states, nil
}

// Key returns the state of the key with the value given, of a project or of the
// organization, by the organization's clock. It returns false if there is no such
// key: a key goes when it, its service account or its project does.
func (s *Sandbox) Key(value string) (KeyState, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.clock.now().Unix()
	if p, k := s.org.ProjectKey(value); k != nil {
		return stateOf(p, k, now), true
	}
	if k := s.org.AdminKey(value); k != nil {
		_, refused := authenticate(s.org, value, now)
		state := KeyState{ID: k.ID, Alive: refused == nil, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, Scopes: []string{}}
		if k.Name != nil {
			state.Name = *k.Name
		}
		return state, true
	}
	return KeyState{Scopes: []string{}}, false
}

// KeyAlive says whether the key with the value given works now, by the
// organization's clock: it has been created, and neither expired nor deleted.
func (s *Sandbox) KeyAlive(value string) bool {
	state, _ := s.Key(value)
	return state.Alive
}

// LongestKeyLife returns the longest life of a key of the project: the shorter one
// of what organization and project allow, 0 if neither has one. An empty id means
// the organization. It returns an error for a project that does not exist.
func (s *Sandbox) LongestKeyLife(projectID string) (time.Duration, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if projectID == "" {
		return time.Duration(s.org.LongestKeyLife) * time.Second, nil
	}
	p, err := find(s.org.Projects, "project", projectID)
	if err != nil {
		return 0, err
	}
	return time.Duration(s.org.KeyLife(p)) * time.Second, nil
}

// SetLongestKeyLife sets the longest life of keys that are created or prolonged
// from now on, in whole seconds; 0 removes it. An empty id means the organization.
// It returns an error for a project that does not exist.
func (s *Sandbox) SetLongestKeyLife(projectID string, life time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if projectID == "" {
		s.org.LongestKeyLife = seconds(life)
		return nil
	}
	p, err := find(s.org.Projects, "project", projectID)
	if err != nil {
		return err
	}
	p.LongestKeyLife = seconds(life)
	return nil
}
