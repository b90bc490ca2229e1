package inventory

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/pipeline"
)

// answer is what a read was answered with.
type answer struct {
	message protoreflect.Message
	// items are the records of all items, in the binary form of the answer, where they
	// are passed on. Message has no more than the last of them then, which is all that a
	// list needs to go on.
	items [][]byte
}

// answer decodes what is needed of a response.
func (r *read) answer(response *pipeline.Response) (answer, error) {
	if !r.passes {
		decoded, err := response.Message()
		if err != nil {
			return answer{}, err
		}
		return answer{message: decoded.ProtoReflect()}, nil
	}
	wire, err := response.Wire()
	if err != nil {
		return answer{}, err
	}
	return r.excerpt(wire)
}

// excerpt decodes a page without its items, but for the last one.
func (r *read) excerpt(wire []byte) (answer, error) {
	var got answer
	var rest []byte
	for at := wire; len(at) > 0; {
		number, kind, n := protowire.ConsumeField(at)
		if n < 0 {
			return answer{}, r.damaged(wire, protowire.ParseError(n))
		}
		if number == r.items.Number() && kind == protowire.BytesType {
			got.items = append(got.items, at[:n])
		} else {
			rest = append(rest, at[:n]...)
		}
		at = at[n:]
	}
	if n := len(got.items); n > 0 {
		rest = append(rest, got.items[n-1]...)
	}
	page := r.method.Response.New()
	if err := proto.Unmarshal(rest, page.Interface()); err != nil {
		return answer{}, r.damaged(wire, err)
	}
	got.message = page
	return got, nil
}

func (r *read) damaged(wire []byte, err error) error {
	return fmt.Errorf("inventory: answer of %d bytes to %s: %w", len(wire), r.method.Name(), err)
}

// passed is what [plan.message] makes of a page, in its binary form: the items are those
// of the answer, behind the tag that they have in the response.
func (p *plan) passed(r *read, at position, page answer) (wire []byte, n int64, err error) {
	wrapper := p.response.New().Mutable(r.place.member).Message()
	r.place.name(wrapper, at)
	names, err := proto.Marshal(wrapper.Interface())
	if err != nil {
		return nil, 0, fmt.Errorf("inventory: names of a page: %w", err)
	}
	tag := protowire.EncodeTag(r.place.items.Number(), protowire.BytesType)
	size := len(names) + len(page.items)*protowire.SizeVarint(tag)
	for i, item := range page.items {
		_, _, n := protowire.ConsumeTag(item)
		page.items[i] = item[n:] // With its length.
		size += len(item) - n
	}
	member := r.place.member.Number()
	wire = make([]byte, 0, protowire.SizeTag(member)+protowire.SizeBytes(size))
	wire = protowire.AppendTag(wire, member, protowire.BytesType)
	wire = protowire.AppendVarint(wire, uint64(size))
	wire = append(wire, names...)
	for _, item := range page.items {
		wire = append(protowire.AppendVarint(wire, tag), item...)
	}
	return wire, int64(len(page.items)), nil
}
