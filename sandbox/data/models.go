package data

// model is a model that projects call and pay for. Prices are in billionths of a
// dollar per unit: per token, image, second or character.
type model struct {
	name   string
	family string // text, embedding, moderation, image, audio
	input  int64
	cached int64
	output int64
}

// models are the models of the organization. The prices are invented, and have the
// order of magnitude of real ones.
var models = []model{
	{"gpt-4.1", "text", 2000, 500, 8000},
	{"gpt-4.1-mini", "text", 400, 100, 1600},
	{"gpt-4o", "text", 2500, 1250, 10000},
	{"gpt-4o-mini", "text", 150, 75, 600},
	{"gpt-5", "text", 1250, 125, 10000},
	{"gpt-5-mini", "text", 250, 25, 2000},
	{"gpt-5-nano", "text", 50, 5, 400},
	{"o3", "text", 2000, 500, 8000},
	{"o4-mini", "text", 1100, 275, 4400},
	{"text-embedding-3-large", "embedding", 130, 0, 0},
	{"text-embedding-3-small", "embedding", 20, 0, 0},
	{"omni-moderation-latest", "moderation", 0, 0, 0},
	{"dall-e-3", "image", 0, 0, 40_000_000},
	{"gpt-image-1", "image", 0, 0, 42_000_000},
	{"gpt-4o-transcribe", "audio", 100_000, 0, 0},
	{"whisper-1", "audio", 98_000, 0, 0},
	{"gpt-4o-mini-tts", "audio", 0, 0, 12_000},
	{"tts-1", "audio", 0, 0, 15_000},
}

// TextModels returns the names of the models that answer with text.
func TextModels() []string {
	var names []string
	for _, m := range models {
		if m.family == "text" {
			names = append(names, m.name)
		}
	}
	return names
}
