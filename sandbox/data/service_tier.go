package data

import "encoding/json"

// ServiceTiers are the service tiers of a project.
type ServiceTiers struct {
	Default string // standard, fast or scale
	// All enables every tier, future ones too; Enabled does not count then.
	All     bool
	Enabled []string // besides standard
}

func defaultTiers() ServiceTiers { return ServiceTiers{Default: "standard", All: true} }

// MarshalJSON writes the enabled tiers as the API does: the word "all", or a list.
func (t ServiceTiers) MarshalJSON() ([]byte, error) {
	var enabled any = "all"
	if !t.All {
		enabled = append([]string{}, t.Enabled...)
	}
	return json.Marshal(struct {
		Object  string `json:"object"`
		Default string `json:"default"`
		Enabled any    `json:"enabled_tiers"`
	}{"project.service_tier_settings", t.Default, enabled})
}
