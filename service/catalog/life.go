package catalog

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/permission"
)

// Life is how long an answer may be used, in the terms of RFC 9111 and RFC 5861.
// The zero Life is that of an answer that is never stored.
type Life struct {
	// Fresh is how long it is as good as a new one.
	Fresh time.Duration
	// WhileRevalidate and IfError are how long after that it may be served while
	// a new one is fetched, and when none can be had.
	WhileRevalidate, IfError time.Duration
	// Settled replaces Fresh where the answer is about a range of time that is
	// over; 0 where nothing settles.
	Settled time.Duration
}

// settling is when an answer about a range of time is final.
type settling struct {
	end   protoreflect.FieldDescriptor // where the range ends
	after time.Duration
}

// over returns whether the range of a request is past.
func (s *settling) over(request protoreflect.Message, now time.Time) bool {
	if s == nil || !request.Has(s.end) {
		return false
	}
	end, ok := request.Get(s.end).Message().Interface().(*timestamppb.Timestamp)
	return ok && !now.Before(end.AsTime().Add(s.after))
}

// applyLife checks the declared life of a read's answers.
func (m *Method) applyLife(policy *optionsv1.Policy) error {
	fresh := policy.GetCache()
	if err := positive("cache", fresh); err != nil {
		return err
	}
	if policy.GetSecret() {
		return errors.New("is secret and has a cache life")
	}
	m.Life.Fresh = fresh.AsDuration()
	switch staleness := policy.GetStaleness().(type) {
	case *optionsv1.Policy_Stale:
		for name, d := range map[string]*durationpb.Duration{
			"stale.while_revalidate": staleness.Stale.GetWhileRevalidate(), "stale.if_error": staleness.Stale.GetIfError(),
		} {
			if d == nil {
				continue
			}
			if err := positive(name, d); err != nil {
				return err
			}
		}
		m.Life.WhileRevalidate = staleness.Stale.GetWhileRevalidate().AsDuration()
		m.Life.IfError = staleness.Stale.GetIfError().AsDuration()
	case *optionsv1.Policy_Sensitive:
		if !staleness.Sensitive {
			return errors.New("sensitive is false; say how a stale answer may be used instead")
		}
		m.Sensitive = true
	default:
		return errors.New("has a cache life and says neither stale nor sensitive")
	}
	return m.applySettled(policy.GetSettled())
}

func (m *Method) applySettled(settled *optionsv1.Settled) error {
	if settled == nil {
		return nil
	}
	end := m.Descriptor.Input().Fields().ByName(protoreflect.Name(settled.GetEnd()))
	if end == nil || end.Message() == nil || end.IsList() || end.Message().FullName() != "google.protobuf.Timestamp" {
		return fmt.Errorf("settled.end: %s has no google.protobuf.Timestamp %q", m.Descriptor.Input().Name(), settled.GetEnd())
	}
	if err := errors.Join(positive("settled.after", settled.GetAfter()), positive("settled.cache", settled.GetCache())); err != nil {
		return err
	}
	m.Life.Settled = settled.GetCache().AsDuration()
	m.settling = &settling{end: end, after: settled.GetAfter().AsDuration()}
	return nil
}

func positive(name string, d *durationpb.Duration) error {
	if d.CheckValid() != nil || d.AsDuration() <= 0 {
		return fmt.Errorf("%s must be a positive duration", name)
	}
	return nil
}

// LifeAt is how long an answer to a request, asked for at now, is fresh under life:
// for longer when the range of time that the request names is settled.
func (m *Method) LifeAt(life Life, request protoreflect.Message, now time.Time) time.Duration {
	if life.Settled > 0 && m.settling.over(request, now) {
		return life.Settled
	}
	return life.Fresh
}

// LifeOverride changes the declared life of some reads. Nil fields stay as they
// are declared.
type LifeOverride struct {
	// Of is a read, by its name or its short name ("ProjectService/ListProjects"), or
	// a resource, which is a permission without its verb and means all of its reads:
	// "projects.users".
	Of string
	// Fresh of 0 is never stored. The others are as in [Life].
	Fresh, WhileRevalidate, IfError, Settled *time.Duration
}

// Lives are lives other than the declared ones.
type Lives map[*Method]Life

// Lives compiles overrides. Those of a read come before those of its resource.
// The errors name the override, counted from 0, and its fault: a name that no
// cached read has, the same name twice, a negative duration, or an answer that
// could then be served stale and is declared sensitive.
func (c *Catalog) Lives(overrides []LifeOverride) (Lives, error) {
	lives := make(Lives)
	seen := make(map[string]bool)
	var faults []error
	for _, ofMethod := range []bool{false, true} {
		for i, override := range overrides {
			if strings.Contains(override.Of, "/") != ofMethod {
				continue
			}
			name := override.Of
			if m, err := c.Find(name); err == nil {
				name = m.Name()
			}
			if err := c.override(lives, name, override); err != nil {
				faults = append(faults, fmt.Errorf("[%d] of %q: %w", i, override.Of, err))
			} else if seen[name] {
				faults = append(faults, fmt.Errorf("[%d] of %q: is there twice", i, override.Of))
			}
			seen[name] = true
		}
	}
	return lives, errors.Join(faults...)
}

func (c *Catalog) override(lives Lives, name string, o LifeOverride) error {
	for _, d := range []*time.Duration{o.Fresh, o.WhileRevalidate, o.IfError, o.Settled} {
		if d != nil && *d < 0 {
			return errors.New("a duration is negative")
		}
	}
	matched := false
	for _, m := range c.methods {
		if !m.Stored() || (name != m.Name() && name != permission.Resource(m.Permission)) {
			continue
		}
		matched = true
		life, ok := lives[m]
		if !ok {
			life = m.Life
		}
		for _, part := range []struct{ to, from *time.Duration }{
			{&life.Fresh, o.Fresh}, {&life.WhileRevalidate, o.WhileRevalidate}, {&life.IfError, o.IfError}, {&life.Settled, o.Settled},
		} {
			if part.from != nil {
				*part.to = *part.from
			}
		}
		if m.Sensitive && (life.WhileRevalidate > 0 || life.IfError > 0) {
			return fmt.Errorf("%s is sensitive, and never served stale", m.Name())
		}
		if m.settling == nil && life.Settled > 0 {
			return fmt.Errorf("%s is not about a range of time that settles", m.Name())
		}
		lives[m] = life
	}
	if !matched {
		return errors.New("no stored read has this name or resource")
	}
	return nil
}
