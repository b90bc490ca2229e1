package data

// Dimension is an attribute that usage can be filtered and grouped by.
type Dimension int

// The dimensions of usage.
const (
	ByProject Dimension = iota
	ByUser
	ByKey
	ByModel
	ByBatch
	ByTier
	BySize
	BySource
	ByContext
	ByStore
	ByAPISource
	dimensions // Their number.
)

// Name returns the dimension's name in group_by and in results.
func (d Dimension) Name() string {
	return [...]string{
		"project_id", "user_id", "api_key_id", "model", "batch", "service_tier",
		"size", "source", "context_level", "vector_store_id", "api_source",
	}[d]
}

// Values returns all values of a dimension whose values are a closed set, and
// nil for any other dimension.
func (d Dimension) Values() []string {
	switch d {
	case ByTier:
		return []string{"default", "flex", "priority"}
	case BySize:
		return []string{"256x256", "512x512", "1024x1024", "1792x1792", "1024x1792"}
	case BySource:
		return []string{"image.generation", "image.edit", "image.variation"}
	case ByContext:
		return []string{"low", "medium", "high"}
	case ByAPISource:
		return []string{"agents_api", "unlabeled"}
	default:
		return nil
	}
}

// GroupKey holds the values of the dimensions that usage is grouped by, at the
// index of the dimension. The other values are empty.
type GroupKey [dimensions]string

// Filter selects usage by the values of dimensions. Nil accepts every value.
type Filter map[Dimension][]string
