package sandbox

import (
	"fmt"
	"slices"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// SetExternalStorage sets the status of an external storage configuration: pending,
// validated, degraded or unhealthy. Validation finds the same from then on; it turns
// pending into validated. It returns an error for another status, and for an id that
// does not exist.
func (s *Sandbox) SetExternalStorage(id, status string) error {
	if states := data.StorageStates(); !slices.Contains(states, status) {
		return fmt.Errorf("sandbox: external storage is one of %v, not %q", states, status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	storage, err := find(s.org.ExternalStorage, "external storage configuration", id)
	if err != nil {
		return err
	}
	storage.SetStatus(status)
	return nil
}

// SetExternalKey sets what a validation of an external key finds: valid or invalid.
// It returns an error for another status, and for an id that does not exist.
func (s *Sandbox) SetExternalKey(id, status string) error {
	if status != data.KeyValid && status != data.KeyInvalid {
		return fmt.Errorf("sandbox: an external key is %q or %q, not %q", data.KeyValid, data.KeyInvalid, status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := find(s.org.ExternalKeys, "external key", id)
	if err != nil {
		return err
	}
	key.Status = status
	return nil
}
