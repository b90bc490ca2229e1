package config

// Upstream is the Admin API: its address, its key, and its budget.
type Upstream struct {
	BaseURL  string    `yaml:"base_url"`
	AdminKey SecretRef `yaml:"admin_key"`
	Answers  Answers   `yaml:"answers"`
	Budget   Budget    `yaml:"budget"`
	// IDCharacters are those of the organization's ids, beside ASCII letters and digits.
	IDCharacters string `yaml:"id_characters"`
}

// SecretRef names the variable or the file that holds a secret. It never holds the
// secret.
type SecretRef struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// Budget bounds the calls to the upstream.
type Budget struct {
	Organization Limit    `yaml:"organization"`
	Default      Limit    `yaml:"default"`
	Buckets      []Bucket `yaml:"buckets"`
	// ReplicaShare is the fraction that one replica may spend while Redis is lost.
	ReplicaShare float64 `yaml:"replica_share"`
	// MintShare is the fraction that creates of keys have where revocations wait.
	MintShare float64 `yaml:"mint_share"`
}

// Limit bounds the calls of a bucket.
type Limit struct {
	CallsPerMinute float64 `yaml:"calls_per_minute"`
	Burst          int     `yaml:"burst"`
}

// Bucket bounds the calls of a named bucket.
type Bucket struct {
	Name           string  `yaml:"name"`
	CallsPerMinute float64 `yaml:"calls_per_minute"`
	Burst          int     `yaml:"burst"`
	// Methods spend this bucket in place of their own. None: the name is that of a
	// bucket that methods spend.
	Methods []string `yaml:"methods"`
}

// defaultBudget is low: the budget of a key is unknown before the upstream refuses
// a call. docs/upstream.md explains the sizing.
func defaultBudget() Budget {
	return Budget{
		Organization: Limit{CallsPerMinute: 60, Burst: 5},
		Default:      Limit{CallsPerMinute: 7, Burst: 2},
		ReplicaShare: 1.0 / 3,
		MintShare:    0.2,
	}
}
