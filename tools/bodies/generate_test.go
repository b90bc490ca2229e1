package bodies

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"
)

// defaultSeed determines a run; BODIES_SEED sets another.
const defaultSeed = 2026_11

func seed(t *testing.T) uint64 {
	t.Helper()
	value, ok := os.LookupEnv("BODIES_SEED")
	if !ok {
		return defaultSeed
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		t.Fatalf("BODIES_SEED: %v", err)
	}
	return n
}

// generator draws bodies from schemas.
type generator struct {
	*rand.Rand
	description *description
	// answer is set for an answer. It may have members that the description does not
	// have, and integers with a fraction of zero. A request has neither, and has no empty
	// string where a member is required: the gateway refuses that.
	answer bool
	// full is how likely an optional member is, in percent, and void a null where there
	// may be one.
	full, void int
}

// generate is the nth generator of an operation: each body is drawn by one of its own, and
// so does not depend on those before it.
func generate(d *description, seed uint64, what string, n int) *generator {
	h := fnv.New64a()
	h.Write([]byte(what + strconv.Itoa(n)))
	g := &generator{Rand: rand.New(rand.NewPCG(seed, h.Sum64())), description: d}
	g.full, g.void = pick(g.Rand, 0, 20, 50, 90, 100), pick(g.Rand, 0, 10, 50)
	return g
}

// value draws a value.
func (g *generator) value(s schema, h hint) *node {
	all := g.description.alternatives(s)
	isNull := func(s schema) bool { return s["type"] == "null" }
	others := slices.DeleteFunc(slices.Clone(all), isNull)
	if len(others) < len(all) && g.IntN(100) < g.void && !h.essential() || len(others) == 0 {
		return &node{kind: null}
	}
	s = g.alternative(others, h)
	if values := list(s["enum"]); len(values) > 0 {
		value, _ := pick(g.Rand, values...).(string)
		return &node{kind: text, text: value}
	}
	switch s["type"] {
	case "string":
		return &node{kind: text, text: g.text(s, h)}
	case "boolean":
		return &node{kind: boolean, text: pick(g.Rand, "true", "false")}
	case "integer":
		low, high := bounds(s, h)
		return &node{kind: number, text: spelled(g.Rand, whole(g.Rand, low, high), g.answer)}
	case "number":
		if h.field != nil && mapping(h.field).GetDecimal() {
			return &node{kind: number, text: digits(g.Rand)}
		}
		return &node{kind: number, text: float(g.Rand)}
	case "array":
		return g.array(s, h)
	case "object":
		return g.object(s, h)
	default: // No type is every type.
		return anything(g.Rand, 0)
	}
}

// alternative draws one of a union. Usage and costs share a schema, in which the results
// of all of them are one union: an operation has those that fit its own message.
func (g *generator) alternative(all []schema, h hint) schema {
	if h.message == nil || len(h.objects()) > 1 || isChoice(h.message) {
		return pick(g.Rand, all...)
	}
	var best []schema
	most := math.MinInt
	for _, s := range all {
		score := 0
		for name := range object(s["properties"]) {
			if h.member(name).field != nil {
				score += 1000
			}
			score--
		}
		if score > most {
			best, most = nil, score
		}
		if score == most {
			best = append(best, s)
		}
	}
	return pick(g.Rand, best...)
}

// text draws a string of the length that a schema allows, in characters. One of a request
// is of its kind: ids and words have an alphabet, which descriptions do not have.
func (g *generator) text(s schema, h hint) string {
	words := words
	if alphabet := h.alphabet(); !g.answer && alphabet != "" {
		words = func(r *rand.Rand) string { return spelling(r, alphabet) }
	}
	low, high := limit(s, "minLength", 0), limit(s, "maxLength", math.MaxInt64)
	for {
		if one := words(g.Rand); int64(utf8.RuneCountInString(one)) >= low && int64(utf8.RuneCountInString(one)) <= high {
			return one
		}
	}
}

func (g *generator) array(s schema, h hint) *node {
	n := &node{kind: array}
	low, high := limit(s, "minItems", 0), limit(s, "maxItems", 3)
	for range low + g.Int64N(high-low+1) {
		n.items = append(n.items, g.value(object(s["items"]), h.element()))
	}
	return n
}

func (g *generator) object(s schema, h hint) *node {
	properties := object(s["properties"])
	if len(properties) == 0 {
		return g.open(s, h)
	}
	n := &node{kind: structure}
	required := list(s["required"])
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		below := h.member(name)
		if slices.Contains(required, any(name)) || below.essential() || g.IntN(100) < g.full {
			value := g.value(object(properties[name]), below)
			for !g.answer && value.kind == text && value.text == "" && slices.Contains(required, any(name)) {
				value = g.value(object(properties[name]), below)
			}
			n.members = append(n.members, member{name: name, value: value})
		}
	}
	if by, names := h.unions(); by != "" && g.IntN(4) > 0 {
		// Most values choose an object, so that all of them have their turn.
		name := pick(g.Rand, names...)
		chosen, described := properties[name]
		if at := n.member(by); at != nil && described {
			*at = node{kind: text, text: name}
			n.without(func(other string) bool { return other == name })
			n.members = append(n.members, member{name: name, value: g.value(object(chosen), h.member(name))})
		}
	}
	h.choose(n, g.IntN)
	g.Shuffle(len(n.members), func(i, j int) { n.members[i], n.members[j] = n.members[j], n.members[i] })
	if g.answer && g.IntN(10) == 0 {
		n.members = append(n.members, member{"x_not_described", anything(g.Rand, 1), true})
	}
	return n
}

// open draws an object whose members have any name.
func (g *generator) open(s schema, h hint) *node {
	values, typed := s["additionalProperties"].(map[string]any)
	if !typed || len(values) == 0 {
		return anyObject(g.Rand, 0)
	}
	n := &node{kind: structure, open: true}
	for range g.IntN(4) {
		if name := words(g.Rand); n.member(name) == nil {
			n.members = append(n.members, member{name: name, value: g.value(values, h)})
		}
	}
	return n
}

// bounds are those of an integer.
func bounds(s schema, h hint) (low, high int64) {
	low, high = math.MinInt64, math.MaxInt64
	if h.timestamp() || s["format"] == "unixtime" {
		low, high = firstInstant, lastInstant
	}
	return limit(s, "minimum", low), limit(s, "maximum", high)
}

// limit is the value of a keyword.
func limit(s schema, keyword string, otherwise int64) int64 {
	literal, ok := s[keyword].(json.Number)
	if !ok {
		return otherwise
	}
	n, err := literal.Int64()
	if err != nil {
		return otherwise
	}
	return n
}
