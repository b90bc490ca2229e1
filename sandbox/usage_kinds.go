package sandbox

// dimension is something that usage can be filtered and grouped by.
type dimension int

const (
	byProject dimension = iota
	byUser
	byKey
	byModel
	byBatch
	byTier
	bySize
	bySource
	byContext
	byStore
	dimensions // their number
)

// groupName is the dimension in group_by and in results.
func (d dimension) groupName() string {
	return [...]string{
		"project_id", "user_id", "api_key_id", "model", "batch", "service_tier",
		"size", "source", "context_level", "vector_store_id",
	}[d]
}

// filter is the dimension's query parameter; not every dimension has one.
func (d dimension) filter() (field, bool) {
	switch d {
	case byProject:
		return strList("project_ids"), true
	case byUser:
		return strList("user_ids"), true
	case byKey:
		return strList("api_key_ids"), true
	case byModel:
		return strList("models"), true
	case byBatch:
		return flag("batch"), true
	case bySize:
		return listOf("sizes", str("").oneOf(imageSizes...)), true
	case bySource:
		return listOf("sources", str("").oneOf(imageSources...)), true
	case byContext:
		return listOf("context_levels", str("").oneOf(contextLevels...)), true
	case byStore:
		return strList("vector_store_ids"), true
	default:
		return field{}, false
	}
}

var (
	imageSizes    = []string{"256x256", "512x512", "1024x1024", "1792x1792", "1024x1792"}
	imageSources  = []string{"image.generation", "image.edit", "image.variation"}
	contextLevels = []string{"low", "medium", "high"}
	serviceTiers  = []string{"default", "flex", "priority"}
)

// maxParts bounds the independent quantities that one kind of usage has.
const maxParts = 11

// The parts of a completion's usage. Everything the API reports of it is one
// of these or a sum of them. Part 0 of every kind is its number of requests.
const (
	requests = iota
	inputText
	inputCachedText
	inputAudio
	inputCachedAudio
	inputImage
	inputCachedImage
	inputCacheWrite
	outputText
	outputAudio
	outputImage
)

// amount is the only part besides the requests that other kinds have.
const amount = 1

// metric is a reported number: the sum of parts.
type metric struct {
	name  string
	parts []int
}

// usageKind is one of the ten usage endpoints.
type usageKind struct {
	name       string // last segment of the path
	object     string
	dimensions []dimension
	metrics    []metric
}

func usageKinds() []*usageKind {
	perModel := []dimension{byProject, byUser, byKey, byModel}
	count := metric{"num_model_requests", []int{requests}}
	quantity := func(name string) metric { return metric{name, []int{amount}} }
	return []*usageKind{
		{
			"completions", "organization.usage.completions.result",
			[]dimension{byProject, byUser, byKey, byModel, byBatch, byTier},
			[]metric{
				{"input_tokens", []int{
					inputText, inputCachedText, inputAudio, inputCachedAudio, inputImage, inputCachedImage, inputCacheWrite,
				}},
				{"input_cached_tokens", []int{inputCachedText, inputCachedAudio, inputCachedImage}},
				{"input_cache_write_tokens", []int{inputCacheWrite}},
				{"input_uncached_tokens", []int{inputText, inputAudio, inputImage}},
				{"output_tokens", []int{outputText, outputAudio, outputImage}},
				{"input_text_tokens", []int{inputText}},
				{"output_text_tokens", []int{outputText}},
				{"input_cached_text_tokens", []int{inputCachedText}},
				{"input_audio_tokens", []int{inputAudio}},
				{"input_cached_audio_tokens", []int{inputCachedAudio}},
				{"output_audio_tokens", []int{outputAudio}},
				{"input_image_tokens", []int{inputImage}},
				{"input_cached_image_tokens", []int{inputCachedImage}},
				{"output_image_tokens", []int{outputImage}},
				count,
			},
		},
		{"embeddings", "organization.usage.embeddings.result", perModel, []metric{quantity("input_tokens"), count}},
		{"moderations", "organization.usage.moderations.result", perModel, []metric{quantity("input_tokens"), count}},
		{
			"images", "organization.usage.images.result",
			[]dimension{byProject, byUser, byKey, byModel, bySize, bySource},
			[]metric{quantity("images"), count},
		},
		{"audio_speeches", "organization.usage.audio_speeches.result", perModel, []metric{quantity("characters"), count}},
		{"audio_transcriptions", "organization.usage.audio_transcriptions.result", perModel, []metric{quantity("seconds"), count}},
		{"vector_stores", "organization.usage.vector_stores.result", []dimension{byProject}, []metric{quantity("usage_bytes")}},
		{
			"code_interpreter_sessions", "organization.usage.code_interpreter_sessions.result",
			[]dimension{byProject},
			[]metric{{"num_sessions", []int{requests}}},
		},
		{
			"file_search_calls", "organization.usage.file_searches.result",
			[]dimension{byProject, byUser, byKey, byStore},
			[]metric{{"num_requests", []int{requests}}},
		},
		{
			"web_search_calls", "organization.usage.web_searches.result",
			[]dimension{byProject, byUser, byKey, byModel, byContext},
			[]metric{count, quantity("num_requests")},
		},
	}
}
