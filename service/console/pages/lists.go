package pages

import "iter"

// maxListed bounds the rows of a list.
const maxListed = 500

// list is a list, or the beginning of one.
type list[T any] struct {
	Rows []T
	More bool // there are more rows, which are not shown
}

// listed takes the first rows of a walk.
func listed[T any](walk iter.Seq2[T, error]) (list[T], error) {
	var l list[T]
	for item, err := range walk {
		if err != nil {
			return list[T]{}, err
		}
		if len(l.Rows) == maxListed {
			l.More = true
			break
		}
		l.Rows = append(l.Rows, item)
	}
	return l, nil
}
