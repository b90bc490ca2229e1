package callers

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

// What a policy may say of a caller for its conditions.
const (
	maxLabels     = 32
	maxLabelValue = 256
)

// labelKey is a name that a condition can spell: caller.labels.team.
var labelKey = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// labelFaults are the faults of a caller's labels.
func labelFaults(doc *strictyaml.Document, caller int, labels map[string]string) []error {
	if len(labels) == 0 {
		return nil
	}
	var faults []error
	if len(labels) > maxLabels {
		faults = append(faults, doc.Fault(fmt.Sprintf("labels: are more than %d", maxLabels), "callers", caller, "labels"))
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch value := labels[key]; {
		case !labelKey.MatchString(key):
			faults = append(faults, doc.Fault("labels: a key begins with a-z, and goes on with at most 62 of a-z, 0-9 and _", "callers", caller, "labels", key))
		case value == "" || len(value) > maxLabelValue || !isPrintable(value):
			faults = append(faults, doc.Fault(fmt.Sprintf("labels: a value has 1 to %d bytes of printable characters", maxLabelValue), "callers", caller, "labels", key))
		}
	}
	return faults
}

func isPrintable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
