package sandbox

import "strings"

// rateLimit is what a project may do with one model. Zero of an optional
// bound means that the model does not have it.
type rateLimit struct {
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

func rateLimitOperations() []operation {
	base := "/organization/projects/{project_id}/rate_limits"
	var bounds []field
	for _, name := range []string{
		"max_requests_per_1_minute", "max_tokens_per_1_minute", "max_images_per_1_minute",
		"max_audio_megabytes_per_1_minute", "max_requests_per_1_day", "batch_1_day_max_input_tokens",
	} {
		bounds = append(bounds, num(name).between(0, 1<<53))
	}
	return []operation{
		get(base, listRateLimits, limitParam(100, 1000), afterParam(), beforeParam()),
		post(base+"/{rate_limit_id}", updateRateLimit, bounds...),
	}
}

// modelLimit is what a project gets for a model until somebody changes it.
func modelLimit(m model) rateLimit {
	l := rateLimit{
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

func (p *project) limitFor(m model) rateLimit {
	if l, ok := p.rateLimits[m.name]; ok {
		return l
	}
	return modelLimit(m)
}

func listRateLimits(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return listing[model]{
		items: models,
		id:    func(m model) string { return "rl-" + m.name },
		view:  func(m model) any { return p.limitFor(m) },
	}.byID(c.query)
}

func updateRateLimit(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	name, ok := strings.CutPrefix(c.path["rate_limit_id"], "rl-")
	m, known := modelNamed(name)
	if !ok || !known {
		return nil, notFound("rate limit", c.path["rate_limit_id"])
	}
	l := p.limitFor(m)
	optional := map[string]**int64{
		"max_images_per_1_minute":          &l.Images,
		"max_audio_megabytes_per_1_minute": &l.AudioMegabytes,
		"max_requests_per_1_day":           &l.RequestsPerDay,
		"batch_1_day_max_input_tokens":     &l.BatchTokensADay,
	}
	for name, target := range optional {
		if !c.body.has(name) {
			continue
		}
		if *target == nil {
			return nil, badRequest(name, "invalid_value", "'%s' is not relevant for model '%s'.", name, m.name)
		}
		*target = new(c.body.num(name))
	}
	if c.body.has("max_requests_per_1_minute") {
		l.Requests = c.body.num("max_requests_per_1_minute")
	}
	if c.body.has("max_tokens_per_1_minute") {
		l.Tokens = c.body.num("max_tokens_per_1_minute")
	}
	p.rateLimits[m.name] = l
	c.record("rate_limit.updated", p, changed{l.ID, c.body}, l.ID)
	return l, nil
}
