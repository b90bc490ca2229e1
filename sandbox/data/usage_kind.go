package data

// maxParts bounds the independent quantities that one kind of usage has.
const maxParts = 12

// The parts of a completion's usage. Each number that the API reports is one of
// them or a sum of them. Part 0 of every kind is its number of requests.
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
	// inputLongCacheWrite is written for 12 hours, and inputCacheWrite for 30 minutes.
	inputLongCacheWrite
)

// amount is the only part that other kinds have besides the requests.
const amount = 1

// metric is a reported number: the sum of parts.
type metric struct {
	name  string
	parts []int
}

// UsageKind is one of the eleven kinds of usage that the API reports.
type UsageKind struct {
	Name       string // The last segment of the endpoint's path.
	Object     string
	Dimensions []Dimension
	metrics    []metric
}

func (k *UsageKind) totals(sum parts) map[string]int64 {
	out := make(map[string]int64, len(k.metrics))
	for _, m := range k.metrics {
		for _, p := range m.parts {
			out[m.name] += sum[p]
		}
	}
	return out
}

// textKind is the kind of usage that completions and decisions share.
func textKind(name string) *UsageKind {
	return &UsageKind{
		name, "organization.usage." + name + ".result",
		[]Dimension{ByProject, ByUser, ByKey, ByModel, ByBatch, ByTier, ByAPISource},
		[]metric{
			{"input_tokens", []int{
				inputText, inputCachedText, inputAudio, inputCachedAudio, inputImage, inputCachedImage,
				inputCacheWrite, inputLongCacheWrite,
			}},
			{"input_cached_tokens", []int{inputCachedText, inputCachedAudio, inputCachedImage}},
			{"input_cache_write_tokens", []int{inputCacheWrite, inputLongCacheWrite}},
			{"input_cache_write_30m_tokens", []int{inputCacheWrite}},
			{"input_cache_write_12h_tokens", []int{inputLongCacheWrite}},
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
			{"num_model_requests", []int{requests}},
		},
	}
}

// UsageKinds returns all kinds of usage.
func UsageKinds() []*UsageKind {
	perModel := []Dimension{ByProject, ByUser, ByKey, ByModel}
	count := metric{"num_model_requests", []int{requests}}
	quantity := func(name string) metric { return metric{name, []int{amount}} }
	return []*UsageKind{
		textKind("completions"), textKind("decisions"),
		{"embeddings", "organization.usage.embeddings.result", perModel, []metric{quantity("input_tokens"), count}},
		{"moderations", "organization.usage.moderations.result", perModel, []metric{quantity("input_tokens"), count}},
		{
			"images", "organization.usage.images.result",
			[]Dimension{ByProject, ByUser, ByKey, ByModel, BySize, BySource},
			[]metric{quantity("images"), count},
		},
		{"audio_speeches", "organization.usage.audio_speeches.result", perModel, []metric{quantity("characters"), count}},
		{"audio_transcriptions", "organization.usage.audio_transcriptions.result", perModel, []metric{quantity("seconds"), count}},
		{"vector_stores", "organization.usage.vector_stores.result", []Dimension{ByProject}, []metric{quantity("usage_bytes")}},
		{
			"code_interpreter_sessions", "organization.usage.code_interpreter_sessions.result",
			[]Dimension{ByProject},
			[]metric{{"num_sessions", []int{requests}}},
		},
		{
			"file_search_calls", "organization.usage.file_searches.result",
			[]Dimension{ByProject, ByUser, ByKey, ByStore},
			[]metric{{"num_requests", []int{requests}}},
		},
		{
			"web_search_calls", "organization.usage.web_searches.result",
			[]Dimension{ByProject, ByUser, ByKey, ByModel, ByContext, ByAPISource},
			[]metric{count, quantity("num_requests")},
		},
	}
}
