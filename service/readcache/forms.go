package readcache

import (
	"context"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
)

// forms are the forms of an answer for one call. The origin is the upstream's JSON, the
// converted form the wire bytes, and the rendered one protobuf's JSON.
type forms struct {
	// ctx is that of the call, which may wait for another that makes the same form.
	ctx    context.Context
	near   Near
	method *catalog.Method
	key    cache.Digest
	of     *cache.Forms
}

var _ pipeline.Forms = (*forms)(nil)

// Wire implements [pipeline.Forms].
func (f *forms) Wire() ([]byte, error) {
	if wire, ok := f.of.Asked(cache.Converted); ok {
		return wire, nil
	}
	return f.near.Form(f.ctx, f.key, f.of, cache.Converted, f.convert)
}

// JSON implements [pipeline.Forms].
func (f *forms) JSON() ([]byte, error) {
	if origin, ok := f.of.Asked(cache.Origin); ok {
		return origin, nil
	}
	return f.near.Form(f.ctx, f.key, f.of, cache.Origin, nil)
}

// MessageJSON implements [pipeline.Forms].
func (f *forms) MessageJSON() ([]byte, error) {
	if text, ok := f.of.Asked(cache.Rendered); ok {
		return text, nil
	}
	return f.near.Form(f.ctx, f.key, f.of, cache.Rendered, f.render)
}

// convert makes the wire bytes again, where nobody asked for them when they were there.
func (f *forms) convert() ([]byte, error) {
	origin, err := f.of.Origin()
	if err != nil {
		return nil, err
	}
	answer, err := f.method.Endpoint.Decode(origin)
	return answer.Wire, err
}

func (f *forms) render() ([]byte, error) {
	wire, ok := f.of.Held(cache.Converted)
	if !ok {
		var err error
		if wire, err = f.convert(); err != nil {
			return nil, err
		}
	}
	return pipeline.MessageJSON(f.method.Response, wire)
}

// formsOf is an answer of the upstream, to be stored. An untyped one has no wire bytes.
func formsOf(response *pipeline.Response) (*cache.Forms, error) {
	origin, err := response.JSON()
	if err != nil {
		return nil, err
	}
	if response.Untyped() != nil {
		return cache.NewForms(origin, response.Omitted()...), nil //nolint:nilerr // It is an answer all the same.
	}
	wire, err := response.Wire()
	if err != nil {
		return nil, err
	}
	return cache.NewConvertedForms(origin, wire, response.Omitted()), nil
}
