package authz

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/admin-gateway/admin-gateway/internal/permission"
)

// shared holds what was compiled of a policy, each part once. Its maps live as long as
// the compiler, and have as many entries as the policy has different parts.
type shared struct {
	methods    *Methods
	conditions *conditionCompiler
	labels     map[string][]string // of rules, by list and place

	permissionSets map[string]*permissionSet
	conditionSets  map[conditionSetKey]*conditionSet
	indexes        map[string]*methodIndex
	tables         map[string]*ruleTable
	callerLabels   map[string]map[string]string
	key            []byte // of the next look-up
	hints          int    // how many patterns were compared with all permissions
}

func newShared(methods *Methods) *shared {
	return &shared{
		methods: methods, conditions: newConditionCompiler(methods), labels: make(map[string][]string),
		permissionSets: make(map[string]*permissionSet), conditionSets: make(map[conditionSetKey]*conditionSet),
		indexes: make(map[string]*methodIndex), tables: make(map[string]*ruleTable),
		callerLabels: make(map[string]map[string]string),
	}
}

// permissionSet is a list of patterns of permissions.
type permissionSet struct {
	number  int    // among the sets of the policy, from 1
	matches []bool // by the number of the method
	total   int    // how many match
	leases  bool   // one of those is about leases
	faults  []patternFault
	texts   *texts // of the patterns, for descriptions
	// named are the patterns that say that leases are meant, as "leases.*" does and
	// "*.read" does not.
	named []int
}

// patternFault is a fault of one pattern.
type patternFault struct {
	item   int
	reason string
}

// permissions compiles patterns.
func (s *shared) permissions(patterns []string) *permissionSet {
	s.key = s.key[:0]
	for _, pattern := range patterns {
		s.key = appendText(s.key, pattern)
	}
	if set := s.permissionSets[string(s.key)]; set != nil {
		return set
	}
	set := &permissionSet{number: len(s.permissionSets) + 1, matches: make([]bool, len(s.methods.handles)), texts: newTexts(patterns)}
	for i, text := range patterns {
		set.add(i, text, s.methods, s.hint)
	}
	for number, match := range set.matches {
		if match {
			set.total++
			set.leases = set.leases || s.methods.handles[number].leases != nil
		}
	}
	s.permissionSets[string(s.key)] = set
	return set
}

// add adds the methods that a pattern matches, or a fault with a hint.
func (p *permissionSet) add(item int, text string, methods *Methods, hint func(text string) string) {
	pattern, ok := permission.ParsePattern(text)
	if !ok {
		p.faults = append(p.faults, patternFault{item, quote(text) + ": " + permission.PatternForm})
		return
	}
	known, leases := false, false
	for number, handle := range methods.handles {
		if pattern.Matches(handle.permission) {
			p.matches[number], known = true, true
			leases = leases || handle.leases != nil
		}
	}
	if !known {
		p.faults = append(p.faults, patternFault{item, quote(text) + ": no RPC needs such a permission" + hint(text)})
	}
	if leases && !strings.HasPrefix(text, "*") {
		p.named = append(p.named, item)
	}
}

// conditionSet is a condition, for each method of a set of permissions.
type conditionSet struct {
	number   int          // among the conditions of the policy, from 1
	source   string       // for descriptions
	byMethod []*condition // by the number of the method; nil for those that are not in the set
	fault    string       // "": none
	reads    readings
}

type conditionSetKey struct {
	source      string
	permissions *permissionSet
}

// condition compiles a condition for every method that matches.
func (s *shared) condition(source string, permissions *permissionSet) *conditionSet {
	key := conditionSetKey{source, permissions}
	if set := s.conditionSets[key]; set != nil {
		return set
	}
	set := &conditionSet{number: len(s.conditionSets) + 1, source: strings.Clone(source), byMethod: make([]*condition, len(permissions.matches))}
	var firstErr error
	var firstMethod string
	bad := 0
	for number, match := range permissions.matches {
		if !match {
			continue
		}
		handle := s.methods.handles[number]
		compiled := s.conditions.compile(source, handle)
		if compiled.err != nil {
			if bad++; bad == 1 {
				firstErr, firstMethod = compiled.err, handle.name()
			}
		}
		set.reads.add(compiled.unguarded, handle.name())
		set.byMethod[number] = compiled.condition
	}
	switch {
	case bad == 1:
		set.fault = fmt.Sprintf("does not compile for %s: %v", firstMethod, firstErr)
	case bad > 1:
		set.fault = fmt.Sprintf("does not compile for %s (nor for %d more of the %d RPCs): %v", firstMethod, bad-1, permissions.total, firstErr)
	}
	s.conditionSets[key] = set
	return set
}

// table is the table of some rules, each with a set of permissions. Two callers have the
// same one when no rule is about projects, or opens roles of leases.
func (s *shared) table(rules []rule, sets []*permissionSet, scoped bool) *ruleTable {
	index := s.index(sets)
	if scoped || slices.ContainsFunc(rules, func(r rule) bool { return r.roles != nil }) {
		return &ruleTable{rules: rules, methodIndex: index, scoped: scoped}
	}
	s.key = appendText(s.key[:0], rules[0].label) // It says whether they are grants or denies.
	for i, r := range rules {
		s.key = binary.AppendUvarint(s.key, uint64(sets[i].number))
		s.key = binary.AppendUvarint(s.key, r.conditions.id())
	}
	if table := s.tables[string(s.key)]; table != nil {
		return table
	}
	table := &ruleTable{rules: rules, methodIndex: index}
	s.tables[string(s.key)] = table
	return table
}

func (c *conditionSet) id() uint64 {
	if c == nil {
		return 0
	}
	return uint64(c.number)
}

// index is the index of rules with these permissions.
func (s *shared) index(sets []*permissionSet) *methodIndex {
	s.key = s.key[:0]
	total := 0
	for _, set := range sets {
		s.key = binary.AppendUvarint(s.key, uint64(set.number))
		total += set.total
	}
	if index := s.indexes[string(s.key)]; index != nil {
		return index
	}
	index := &methodIndex{starts: make([]uint32, len(s.methods.handles)+1), order: make([]uint32, 0, total)}
	for method := range s.methods.handles {
		for i, set := range sets {
			if set.matches[method] {
				index.order = append(index.order, uint32(i))
			}
		}
		index.starts[method+1] = uint32(len(index.order))
	}
	s.indexes[string(s.key)] = index
	return index
}

// label is the name of a rule: "grants[0]".
func (s *shared) label(list string, i int) string {
	for len(s.labels[list]) <= i {
		s.labels[list] = append(s.labels[list], list+"["+strconv.Itoa(len(s.labels[list]))+"]")
	}
	return s.labels[list][i]
}

// labelsOf is a map with the labels of a caller.
func (s *shared) labelsOf(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	var room [8]string
	names := room[:0]
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	s.key = s.key[:0]
	for _, name := range names {
		s.key = appendText(appendText(s.key, name), labels[name])
	}
	if known := s.callerLabels[string(s.key)]; known != nil {
		return known
	}
	known := make(map[string]string, len(labels))
	for name, value := range labels {
		known[strings.Clone(name)] = strings.Clone(value)
	}
	s.callerLabels[string(s.key)] = known
	return known
}

// appendText appends a text so that no other texts give the same key.
func appendText(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}
