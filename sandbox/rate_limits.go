package sandbox

import (
	"slices"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

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

func listRateLimits(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return listing[data.ModelLimit]{
		items: p.Limits(),
		id:    func(l data.ModelLimit) string { return l.ID },
		view:  func(l data.ModelLimit) any { return l },
	}.byID(c.query)
}

func updateRateLimit(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	limits := p.Limits()
	at := slices.IndexFunc(limits, func(l data.ModelLimit) bool { return l.ID == c.path["rate_limit_id"] })
	if at < 0 {
		return nil, notFound("rate limit", c.path["rate_limit_id"])
	}
	l := limits[at]
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
			return nil, badRequest(name, "invalid_value", "'%s' is not relevant for model '%s'.", name, l.Model)
		}
		*target = new(c.body.num(name))
	}
	if c.body.has("max_requests_per_1_minute") {
		l.Requests = c.body.num("max_requests_per_1_minute")
	}
	if c.body.has("max_tokens_per_1_minute") {
		l.Tokens = c.body.num("max_tokens_per_1_minute")
	}
	p.SetLimit(l)
	c.record("rate_limit.updated", p, data.ChangedPayload{ID: l.ID, Changes: c.body}, l.ID)
	return l, nil
}
