package config

type Upstream struct {
	BaseURL  string    `yaml:"base_url"`
	AdminKey SecretRef `yaml:"admin_key"`
	Budget   Budget    `yaml:"budget"`
}

// SecretRef says where a secret is, never what it is.
type SecretRef struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// Budget says how much of the upstream's request budget may be spent.
type Budget struct {
	Organization Limit    `yaml:"organization"`
	Default      Limit    `yaml:"default"`
	Buckets      []Bucket `yaml:"buckets"`
	// ReplicaShare is the part that each replica spends while Redis is lost.
	ReplicaShare float64 `yaml:"replica_share"`
}

// Limit is what a bucket allows.
type Limit struct {
	CallsPerMinute float64 `yaml:"calls_per_minute"`
	Burst          int     `yaml:"burst"`
}

// Bucket is what the bucket of a name allows.
type Bucket struct {
	Name           string  `yaml:"name"`
	CallsPerMinute float64 `yaml:"calls_per_minute"`
	Burst          int     `yaml:"burst"`
}

// defaultBudget is careful: nobody knows what a key may spend until it is
// refused. docs/upstream.md says how to size it.
func defaultBudget() Budget {
	return Budget{
		Organization: Limit{CallsPerMinute: 60, Burst: 5},
		Default:      Limit{CallsPerMinute: 7, Burst: 2},
		ReplicaShare: 1.0 / 3,
	}
}
