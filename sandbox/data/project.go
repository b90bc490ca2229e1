package data

import "strings"

// Project is a project with everything that exists in it.
type Project struct {
	ID            string
	Name          *string
	CreatedAt     int64
	ArchivedAt    *int64
	Status        string // active or archived
	ExternalKeyID *string
	Residency     string

	Members    *Collection[*Member]
	Groups     *Collection[*ProjectGroup]
	Accounts   *Collection[*ServiceAccount]
	Keys       *Collection[*ProjectKey]
	Roles      *Collection[*Role]
	Alerts     *Collection[*SpendAlert]
	SpendLimit *SpendLimit // nil: none
	Retention  string
	Models     *ModelPermissions // nil: every model
	Tools      HostedTools
	Tiers      ServiceTiers
	// LongestKeyLife is the longest life of a new key, in seconds; 0: any.
	LongestKeyLife int64
	// Certificates holds the ids of the active certificates.
	Certificates map[string]bool

	limits map[string]ModelLimit // By model; only those that differ from the default.
}

// Member is a user's place in a project.
type Member struct {
	UserID  string
	Role    string // owner or member
	AddedAt int64
}

// ProjectGroup is a group's access to a project.
type ProjectGroup struct {
	GroupID   string
	CreatedAt int64
}

// DisplayName returns the project's name, empty if the project has none.
func (p *Project) DisplayName() string { return orEmpty(p.Name) }

// Residencies returns the regions that a project can be bound to.
func Residencies() []string {
	return []string{
		"GLOBAL", "US_STORAGE_PROCESSING", "EU_STORAGE_PROCESSING", "JP_STORAGE", "KR_STORAGE", "CA_STORAGE",
		"SG_STORAGE", "IN_STORAGE", "AU_STORAGE", "GB_STORAGE", "AE_STORAGE", "AE_STORAGE_PROCESSING",
		"JP_STORAGE_PROCESSING", "IN_STORAGE_PROCESSING", "AU_STORAGE_PROCESSING",
	}
}

// ResidencyIn returns the residency of a geography, such as EU: the one with
// processing where there is one. It returns an empty text for an unknown geography.
func ResidencyIn(geography string) string {
	name, found := strings.ToUpper(geography), ""
	for _, r := range Residencies() {
		if r == name || strings.HasPrefix(r, name+"_STORAGE") && len(r) > len(found) {
			found = r
		}
	}
	return found
}

// NewProject adds an active project that holds nothing but the predefined roles.
func (o *Organization) NewProject(name string, createdAt int64) *Project {
	p := &Project{
		ID: o.NewID("proj_"), Name: &name, CreatedAt: createdAt, Status: "active", Residency: "GLOBAL",
		Members: newCollection[*Member](), Groups: newCollection[*ProjectGroup](),
		Accounts: newCollection[*ServiceAccount](), Keys: newCollection[*ProjectKey](),
		Roles: newCollection[*Role](), Alerts: newCollection[*SpendAlert](),
		Retention: "organization_default", Tools: allHostedTools(), Tiers: defaultTiers(),
		limits: make(map[string]ModelLimit), Certificates: make(map[string]bool),
	}
	for _, r := range predefinedProjectRoles() {
		p.Roles.Add(r.ID, r)
	}
	o.Projects.Add(p.ID, p)
	return p
}
