package config

import "regexp"

// Vault configures the door with Vault's HTTP API.
type Vault struct {
	// Mount is where the roles are.
	Mount string `yaml:"mount"`
	// Logins are the names of the logins that take a JWT.
	Logins []string `yaml:"logins"`
}

func defaultVault() Vault { return Vault{Mount: "openai", Logins: []string{"jwt", "kubernetes"}} }

func (v *Vault) settings() []setting {
	return []setting{
		{"vault.mount", &v.Mount},
		{"vault.logins", &v.Logins},
	}
}

// maxLogins bounds the logins: each is a path of the door.
const maxLogins = 16

// vaultName is the name of a mount or a login.
var vaultName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(/[A-Za-z0-9][A-Za-z0-9_-]{0,62}){0,3}$`)

// check reports names that are none, or that Vault has for itself.
func (v *Vault) check(fault func(key, format string, args ...any)) {
	const form = "%q is not one to four segments of letters, digits, _ and -, with slashes between"
	if !vaultName.MatchString(v.Mount) {
		fault("vault.mount", form, v.Mount)
	} else if reserved.MatchString(v.Mount) {
		fault("vault.mount", "%q is below sys or auth, which are Vault's own", v.Mount)
	}
	if len(v.Logins) > maxLogins {
		fault("vault.logins", "are more than %d", maxLogins)
	}
	seen := map[string]bool{"token": true}
	for _, login := range v.Logins {
		switch {
		case !vaultName.MatchString(login):
			fault("vault.logins", form, login)
		case seen[login]:
			fault("vault.logins", "%q is there twice, or is Vault's own", login)
		}
		seen[login] = true
	}
}

// reserved are the paths that are no mounts.
var reserved = regexp.MustCompile(`^(sys|auth)(/|$)`)
