package roles

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Definition is a role as its author wrote it. Nil: it is silent.
type Definition struct {
	// Name, Project, Kind and ServiceAccount are those of [Role]; "" is silent.
	Name, Project, Kind, ServiceAccount string
	// Scopes are those of the keys. All, without scopes, is everything.
	Scopes []string
	All    bool
	// The others are those of [Role].
	TTL, MaxTTL, Grace     *time.Duration
	MaxLive, Share, Spares *int
	// RotationPeriod and Overlap are those of [Static], which says that one is there.
	Static                  bool
	RotationPeriod, Overlap *time.Duration
}

// Fault is one thing that is wrong with a definition, and where.
type Fault struct { //nolint:errname // A fault of a policy; an error only in that it is returned as one.
	// Index is the place of the definition, from 0.
	Index int
	// Field is its field, as the policy file names it, and Item the place in a list, or
	// -1.
	Field string
	Item  int
	// Reason says what is wrong. It quotes the definition, and nothing else.
	Reason string
}

// Error is the place and the reason.
func (f *Fault) Error() string {
	item := ""
	if f.Item >= 0 {
		item = fmt.Sprintf("[%d]", f.Item)
	}
	return fmt.Sprintf("roles[%d].%s%s: %s", f.Index, f.Field, item, f.Reason)
}

// The forms of texts. A name is one word of the mark of a key, which dots divide, and a
// segment of a path. A project is what a text of the upstream's ids can be at all: which
// characters its ids have is for the requests that name it.
var (
	nameForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$`)
	projectForm = regexp.MustCompile(`^[!-~]{1,256}$`)
	accountForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`)
	scopeForm   = regexp.MustCompile(`^[a-z0-9_.:-]{1,256}$`)
)

// notInProjects are the characters that mean something elsewhere: in a path, or in a
// list of ids.
const notInProjects = `/\?#%,*$`

// New makes a Set. The error has every fault, each a [*Fault], in the order of the
// definitions.
func New(definitions []Definition) (*Set, error) {
	c := &checker{names: make(map[string]int), accounts: make(map[[2]string]int)}
	if len(definitions) > MaxRoles {
		return nil, &Fault{Index: MaxRoles, Field: "name", Item: -1, Reason: fmt.Sprintf("there are more than %d roles", MaxRoles)}
	}
	set := &Set{byName: make(map[string]int, len(definitions))}
	for i, d := range definitions {
		c.index = i
		role := d.role()
		c.check(d, role)
		set.list = append(set.list, role.copied())
		set.byName[role.Name] = i
	}
	if err := errors.Join(c.faults...); err != nil {
		return nil, err
	}
	return set, nil
}

// role fills in what the definition is silent about.
func (d *Definition) role() Role {
	role := Role{
		Name: d.Name, Project: d.Project, Kind: Kind(d.Kind), ServiceAccount: d.ServiceAccount, Scopes: d.Scopes,
		TTL: valueOr(d.TTL, 0), MaxTTL: valueOr(d.MaxTTL, 0), Grace: valueOr(d.Grace, DefaultGrace),
		MaxLive: valueOr(d.MaxLive, DefaultMaxLive), Share: valueOr(d.Share, 1), Spares: valueOr(d.Spares, 0),
	}
	if d.Static {
		role.Static = &Static{RotationPeriod: valueOr(d.RotationPeriod, 0), Overlap: valueOr(d.Overlap, DefaultOverlap)}
	}
	if role.Kind == "" {
		role.Kind = Key
	}
	return role
}

func valueOr[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

// checker collects the faults of all definitions.
type checker struct {
	index    int
	names    map[string]int
	accounts map[[2]string]int // by project and name
	faults   []error
}

func (c *checker) fault(field string, item int, format string, args ...any) {
	c.faults = append(c.faults, &Fault{c.index, field, item, fmt.Sprintf(format, args...)})
}

func (c *checker) check(d Definition, role Role) {
	c.checkName(role.Name)
	switch {
	case role.Project == "":
		c.fault("project", -1, "is missing")
	case !projectForm.MatchString(role.Project) || strings.ContainsAny(role.Project, notInProjects):
		c.fault("project", -1, "is no id of a project")
	}
	c.checkAccount(role)
	c.checkScopes(d)
	c.checkLives(d, role)
	c.checkStatic(d, role)
	c.checkNumbers(role)
}

func (c *checker) checkName(name string) {
	other, again := c.names[name]
	switch {
	case name == "":
		c.fault("name", -1, "is missing")
	case len(name) > MaxNameBytes || !nameForm.MatchString(name):
		c.fault("name", -1, "has 1 to %d of a-z, 0-9, _ and -, with a letter or a digit at both ends: it is a part of the names of keys", MaxNameBytes)
	case again:
		c.fault("name", -1, "roles[%d] has the same name", other)
	default:
		c.names[name] = c.index
	}
}

func (c *checker) checkAccount(role Role) {
	if role.Kind != Key && role.Kind != Account {
		c.fault("kind", -1, "is key or account")
		return
	}
	key := [2]string{role.Project, role.ServiceAccount}
	other, again := c.accounts[key]
	switch {
	case role.Kind == Account && role.ServiceAccount != "":
		c.fault("service_account", -1, "is for the kind key: with the kind account each credential has an account of its own")
	case role.Kind == Account:
	case role.ServiceAccount == "":
		c.fault("service_account", -1, "is missing: the keys of the role are made on it")
	case len(role.ServiceAccount) > MaxAccountBytes || !accountForm.MatchString(role.ServiceAccount):
		c.fault("service_account", -1, "has 1 to %d ASCII letters, digits, _, - and ., with a letter or a digit at both ends", MaxAccountBytes)
	case again:
		c.fault("service_account", -1, "is the account of roles[%d] too: each role has its own", other)
	default:
		c.accounts[key] = c.index
	}
}

func (c *checker) checkScopes(d Definition) {
	switch {
	case d.All && len(d.Scopes) > 0:
		c.fault("scopes", -1, "are listed beside all: true; say one of the two")
	case d.All:
	case d.Scopes == nil:
		c.fault("scopes", -1, "are missing; all: true in their place opens everything")
	case len(d.Scopes) == 0:
		c.fault("scopes", -1, "is empty, which would open everything; if that is meant, say all: true")
	case len(d.Scopes) > MaxScopes:
		c.fault("scopes", -1, "are more than %d", MaxScopes)
	}
	first := make(map[string]int, len(d.Scopes))
	for i, scope := range d.Scopes {
		if other, again := first[scope]; again {
			c.fault("scopes", i, "%.64q is already scopes[%d]", scope, other)
			continue
		}
		first[scope] = i
		if !scopeForm.MatchString(scope) {
			c.fault("scopes", i, "%.64q is no scope: it has a-z, 0-9, _, -, . and :", scope)
		}
	}
}

func (c *checker) checkLives(d Definition, role Role) {
	ok := true
	for _, life := range []struct {
		field       string
		missing     bool
		is          time.Duration
		least, most time.Duration
	}{
		{"ttl", d.TTL == nil, role.TTL, MinTTL, MaxLife},
		{"max_ttl", d.MaxTTL == nil, role.MaxTTL, MinTTL, MaxLife},
		{"grace", false, role.Grace, MinGrace, MaxGrace},
	} {
		before := len(c.faults)
		switch {
		case life.missing:
			c.fault(life.field, -1, "is missing: a life is never a default")
		case life.is < life.least || life.is > life.most:
			c.fault(life.field, -1, "must be %s to %s", life.least, life.most)
		case life.is%time.Second != 0:
			c.fault(life.field, -1, "must be whole seconds, as the upstream counts")
		}
		ok = ok && len(c.faults) == before
	}
	switch {
	case !ok:
	case role.TTL > role.MaxTTL:
		c.fault("ttl", -1, "is longer than max_ttl, which is %s", role.MaxTTL)
	case role.MaxTTL+role.Grace > MaxLife:
		c.fault("max_ttl", -1, "is longer, with the grace, than the upstream's longest life of %s", MaxLife)
	}
}

// checkStatic checks the schedule of a static role. Its key has to outlive its turn and
// the overlap behind it: the max_ttl is how long a key lives if nobody is there to
// replace it.
func (c *checker) checkStatic(d Definition, role Role) {
	if role.Static == nil {
		return
	}
	s := role.Static
	switch {
	case d.RotationPeriod == nil:
		c.fault("static.rotation_period", -1, "is missing")
	case s.RotationPeriod < MinRotationPeriod || s.RotationPeriod > MaxLife:
		c.fault("static.rotation_period", -1, "must be %s to %s", MinRotationPeriod, MaxLife)
	case s.Overlap < 0 || s.Overlap > MaxOverlap:
		c.fault("static.overlap", -1, "must be 0s to %s", MaxOverlap)
	case role.MaxTTL >= MinTTL && role.MaxTTL <= MaxLife && s.RotationPeriod+s.Overlap > role.MaxTTL:
		c.fault("static.rotation_period", -1, "is longer, with the overlap, than max_ttl, which is %s: the key would end before its time", role.MaxTTL)
	}
	if role.Share != 1 || role.Spares != 0 {
		c.fault("static", -1, "stands beside share or spares: a static role has one key, and no leases")
	}
}

func (c *checker) checkNumbers(role Role) {
	between := func(field string, is, least, most int) {
		if is < least || is > most {
			c.fault(field, -1, "must be %d to %d", least, most)
		}
	}
	between("max_live", role.MaxLive, 1, MaxLive)
	between("share", role.Share, 1, MaxShare)
	if role.Spares > role.MaxLive && role.MaxLive >= 1 && role.MaxLive <= MaxLive {
		c.fault("spares", -1, "are more than max_live, which is %d", role.MaxLive)
		return
	}
	between("spares", role.Spares, 0, MaxLive)
}
