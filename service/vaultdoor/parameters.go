package vaultdoor

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	// maxSeconds bounds a duration, in seconds, before a rule of the call does: about a
	// century.
	maxSeconds = 1 << 32
	// maxIgnored bounds the parameters of one request that a warning names.
	maxIgnored = 8
)

// parameters are the members of a body, or the values of a query: Vault's API has one
// level of them.
type parameters struct {
	values map[string]jsontext.Value
	used   map[string]bool
}

// fromBody reads a JSON object; an empty body is an empty one.
func fromBody(body []byte) (*parameters, error) {
	p := &parameters{used: map[string]bool{}}
	if len(body) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(body, &p.values); err != nil {
		return nil, rpcerror.InvalidField("body", "is not a JSON object", nil) // The error quotes it.
	}
	return p, nil
}

// fromQuery reads a query. Of a name that is there twice the first counts.
func fromQuery(query string) (*parameters, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, rpcerror.InvalidField("query", "is not of the form name=value", nil) // As above.
	}
	p := &parameters{values: map[string]jsontext.Value{}, used: map[string]bool{}}
	for name, each := range values {
		text, err := jsontext.AppendQuote(nil, each[0])
		if err != nil {
			return nil, rpcerror.InvalidField("query", "is not UTF-8", nil)
		}
		p.values[name] = text
	}
	return p, nil
}

// value is that of a name; nil where it is not there, or null.
func (p *parameters) value(name string) jsontext.Value {
	p.used[name] = true
	if v := p.values[name]; v.Kind() != 'n' {
		return v
	}
	return nil
}

// text is a string; "" where there is none.
func (p *parameters) text(name string) (string, error) {
	v := p.value(name)
	if len(v) == 0 {
		return "", nil
	}
	var text string
	if err := json.Unmarshal(v, &text); err != nil {
		return "", rpcerror.InvalidField(name, "is not a string", nil)
	}
	return text, nil
}

// sync says whether the client waits: true or false, as such or as a string; false where
// there is none.
func (p *parameters) sync() (bool, error) {
	const name = "sync"
	v := p.value(name)
	if len(v) == 0 {
		return false, nil
	}
	set, err := strconv.ParseBool(strings.Trim(string(v), `"`))
	if err != nil {
		return false, rpcerror.InvalidField(name, "is not true or false", nil)
	}
	return set, nil
}

// duration is a number of seconds, as such or as a string, or a string such as 90m or
// 2d. It is nil where there is none, or none of any length: Vault's clients write 0 for
// "as the server sees fit".
func (p *parameters) duration(name string) (*durationpb.Duration, error) {
	v := p.value(name)
	if len(v) == 0 {
		return nil, nil //nolint:nilnil // It is optional.
	}
	text := string(v)
	if v.Kind() == '"' {
		if err := json.Unmarshal(v, &text); err != nil {
			return nil, rpcerror.InvalidField(name, "is not a duration", nil)
		}
	}
	d, ok := parseDuration(text)
	switch {
	case !ok:
		return nil, rpcerror.InvalidField(name, "is not a number of seconds, nor a duration such as 90m or 2d", nil)
	case d == 0:
		return nil, nil //nolint:nilnil // As above.
	default:
		return durationpb.New(d), nil
	}
}

func parseDuration(text string) (time.Duration, bool) {
	unit := time.Second
	number, days := strings.CutSuffix(text, "d")
	if days {
		unit = 24 * time.Hour
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n < 0 || n > maxSeconds/int64(unit/time.Second) {
			return 0, false
		}
		return time.Duration(n) * unit, true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}

// warnings name what was said and means nothing here, as Vault does.
func (p *parameters) warnings() []string {
	var ignored []string
	for name := range p.values {
		if !p.used[name] {
			ignored = append(ignored, rpcerror.Clip(name))
		}
	}
	if len(ignored) == 0 {
		return nil
	}
	slices.Sort(ignored)
	return []string{"Endpoint ignored these unrecognized parameters: [" + strings.Join(ignored[:min(len(ignored), maxIgnored)], " ") + "]"} //nolint:misspell // Vault's words.
}
