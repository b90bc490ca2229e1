package adminkeys

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/adminkey"
	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// cause is what the records of all calls say.
const cause = "admin_key_rotation"

// procedures are the RPCs of the mirror with which keys are made, found and deleted.
var procedures = [...]string{
	createKey: adminv1connect.AdminApiKeyServiceCreateAdminApiKeyProcedure,
	listKeys:  adminv1connect.AdminApiKeyServiceListAdminApiKeysProcedure,
	getKey:    adminv1connect.AdminApiKeyServiceGetAdminApiKeyProcedure,
	deleteKey: adminv1connect.AdminApiKeyServiceDeleteAdminApiKeyProcedure,
}

const (
	createKey = iota
	listKeys
	getKey
	deleteKey
)

// Methods are the methods of the gateway's own calls: those with which keys are made, and
// the reads by which they are compared.
func Methods(c *catalog.Catalog) ([]*catalog.Method, error) {
	keys, reads, err := methodsOf(c)
	for _, read := range reads {
		if read != keys[listKeys] {
			keys = append(keys, read)
		}
	}
	return keys, err
}

func methodsOf(c *catalog.Catalog) (keys, reads []*catalog.Method, err error) {
	for _, procedure := range procedures {
		m, ok := c.Lookup(procedure)
		if !ok {
			return nil, nil, fmt.Errorf("adminkeys: the catalog has no %s", procedure)
		}
		keys = append(keys, m)
	}
	return keys, readsOf(c), nil
}

// readsOf are the reads by which two keys are compared: of each permission the first read
// that needs no id. They are cheap, and each asks for something that a key can be
// restricted in.
func readsOf(c *catalog.Catalog) (reads []*catalog.Method) {
	seen := make(map[string]bool)
	for _, m := range c.Mirrored() {
		if m.Read && len(m.Variables()) == 0 && !seen[m.Permission] {
			seen[m.Permission] = true
			reads = append(reads, m)
		}
	}
	return reads
}

// smallest is the request of such a read for as little as can be.
func smallest(m *catalog.Method) proto.Message {
	request := m.Request.New()
	fields := request.Descriptor().Fields()
	if limit := fields.ByName("limit"); limit != nil && limit.Kind() == protoreflect.Int32Kind {
		request.Set(limit, protoreflect.ValueOfInt32(1))
	}
	if start := fields.ByName("start_time"); start != nil && start.Message() != nil {
		yesterday := time.Now().Add(-24 * time.Hour).Truncate(24 * time.Hour)
		request.Set(start, protoreflect.ValueOfMessage(timestamppb.New(yesterday).ProtoReflect()))
	}
	return request.Interface()
}

// calls are the [adminkey.Upstream] that makes calls through the chain of steps.
type calls struct {
	made  Caller
	keys  []*catalog.Method
	reads map[string]*catalog.Method
	names []string
}

// bind gives the calls their way to the upstream, once the server is made.
func (c *calls) bind(d Dependencies) error {
	if d.Calls == nil || d.Catalog == nil {
		return errors.New("Dependencies.Calls and Catalog are required")
	}
	keys, reads, err := methodsOf(d.Catalog)
	if err != nil {
		return err
	}
	c.made, c.keys, c.reads, c.names = d.Calls, keys, make(map[string]*catalog.Method, len(reads)), nil
	for _, m := range reads {
		c.reads[m.ShortName()] = m
		c.names = append(c.names, m.ShortName())
	}
	return nil
}

// call makes a call with a key, and returns the message of its answer.
func call[A proto.Message](ctx context.Context, c *calls, m *catalog.Method, caller string, with lease.Secret, request proto.Message) (answer A, err error) {
	errand := admission.Errand{Caller: caller, Class: pace.Interactive, Cause: cause}
	if m.Revokes {
		errand.Class = pace.Revocation
	}
	response, err := c.made.Call(upstream.WithKey(ctx, secretOf(with)), m, request, errand)
	if err == nil {
		err = response.Untyped()
	}
	if err != nil {
		return answer, failed(err, m.Read)
	}
	message, err := response.Message()
	if err != nil {
		return answer, failed(err, m.Read)
	}
	answer, ok := message.(A)
	if !ok {
		return answer, failed(fmt.Errorf("adminkeys: an answer is a %T", message), m.Read)
	}
	return answer, nil
}

// Create implements [adminkey.Upstream].
func (c *calls) Create(ctx context.Context, caller string, with lease.Secret, name string) (adminkey.Made, error) {
	answer, err := call[*adminv1.CreateAdminApiKeyResponse](ctx, c, c.keys[createKey], caller, with, &adminv1.CreateAdminApiKeyRequest{Name: name})
	if err != nil {
		return adminkey.Made{}, err
	}
	if answer.GetId() == "" || strings.TrimSpace(answer.GetValue()) == "" {
		return adminkey.Made{}, failed(errors.New("adminkeys: a key was made, and the answer has no id or no secret"), false)
	}
	return adminkey.Made{ID: answer.GetId(), Secret: lease.NewSecret([]byte(answer.GetValue()))}, nil
}

// widest is the largest page of the list.
const widest = 100

// List implements [adminkey.Upstream].
func (c *calls) List(ctx context.Context, caller string, with lease.Secret) ([]adminkey.Found, error) {
	var all []adminkey.Found
	walk := pages.Walk[*adminv1.AdminApiKey](ctx, func(ctx context.Context, q *adminv1.ListAdminApiKeysRequest) (*adminv1.ListAdminApiKeysResponse, error) {
		return call[*adminv1.ListAdminApiKeysResponse](ctx, c, c.keys[listKeys], caller, with, q)
	}, &adminv1.ListAdminApiKeysRequest{Limit: proto.Int32(widest)})
	for key, err := range walk {
		if err != nil {
			return nil, failed(err, true)
		}
		all = append(all, foundOf(key))
	}
	return all, nil
}

func foundOf(key *adminv1.AdminApiKey) adminkey.Found {
	found := adminkey.Found{ID: key.GetId(), Name: key.GetName(), Redacted: key.GetRedactedValue()}
	if key.GetLastUsedAt() != nil {
		found.LastUsed = key.GetLastUsedAt().AsTime()
	}
	return found
}

// Get implements [adminkey.Upstream].
func (c *calls) Get(ctx context.Context, caller string, with lease.Secret, id string) (adminkey.Found, error) {
	answer, err := call[*adminv1.GetAdminApiKeyResponse](ctx, c, c.keys[getKey], caller, with, &adminv1.GetAdminApiKeyRequest{KeyId: id})
	if err != nil {
		return adminkey.Found{}, err
	}
	return foundOf(answer.GetAdminApiKey()), nil
}

// Delete implements [adminkey.Upstream].
func (c *calls) Delete(ctx context.Context, caller string, with lease.Secret, id string) error {
	_, err := call[*adminv1.DeleteAdminApiKeyResponse](ctx, c, c.keys[deleteKey], caller, with, &adminv1.DeleteAdminApiKeyRequest{KeyId: id})
	return err
}

// Reads implements [adminkey.Upstream].
func (c *calls) Reads() []string { return c.names }

// May implements [adminkey.Upstream]. Whatever the upstream says about the request, it has
// let the key in.
func (c *calls) May(ctx context.Context, caller string, with lease.Secret, read string) (bool, error) {
	_, err := call[proto.Message](ctx, c, c.reads[read], caller, with, smallest(c.reads[read]))
	e, _ := errors.AsType[*upstream.Error](err)
	switch {
	case err == nil:
		return true, nil
	case e != nil && e.Reason == upstream.ReasonCredentialRejected:
		return false, nil
	case e != nil && (e.Kind == upstream.InvalidArgument || e.Kind == upstream.NotFound || e.Kind == upstream.Conflict):
		return true, nil
	default:
		return false, err
	}
}
