package data

// ModelLimit is what a project may do with one model, as the API shows it. Nil
// means that the model does not have the bound.
type ModelLimit struct {
	Object          string `json:"object"`
	ID              string `json:"id"`
	Model           string `json:"model"`
	Requests        int64  `json:"max_requests_per_1_minute"`
	Tokens          int64  `json:"max_tokens_per_1_minute"`
	Images          *int64 `json:"max_images_per_1_minute,omitempty"`
	AudioMegabytes  *int64 `json:"max_audio_megabytes_per_1_minute,omitempty"`
	RequestsPerDay  *int64 `json:"max_requests_per_1_day,omitempty"`
	BatchTokensADay *int64 `json:"batch_1_day_max_input_tokens,omitempty"`
}

// defaultLimit is a project's limit for a model until a caller changes it.
func defaultLimit(m model) ModelLimit {
	l := ModelLimit{
		Object: "project.rate_limit", ID: "rl-" + m.name, Model: m.name,
		Requests: 10_000, Tokens: 30_000_000,
	}
	switch m.family {
	case "text":
		l.RequestsPerDay, l.BatchTokensADay = new(int64(14_400_000)), new(int64(15_000_000_000))
	case "image":
		l.Tokens, l.Images = 8_000_000, new(int64(250))
	case "audio":
		l.Tokens, l.AudioMegabytes = 600_000, new(int64(1_200))
	case "embedding":
		l.Tokens, l.BatchTokensADay = 10_000_000, new(int64(4_000_000_000))
	}
	return l
}

// Limits returns the project's limits, one for each model.
func (p *Project) Limits() []ModelLimit {
	limits := make([]ModelLimit, len(models))
	for i, m := range models {
		limit, changed := p.limits[m.name]
		if !changed {
			limit = defaultLimit(m)
		}
		limits[i] = limit
	}
	return limits
}

// SetLimit replaces the limit of the model that l names.
func (p *Project) SetLimit(l ModelLimit) { p.limits[l.Model] = l }
