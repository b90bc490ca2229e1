package sandbox

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
)

const maxCertificates = 50

// certificate is uploaded once and activated for the organization, for
// projects, or for both.
type certificate struct {
	ID        string
	Name      *string
	CreatedAt int64
	validAt   int64
	expiresAt int64
	content   string
	active    bool // for the organization
}

func certificateOperations() []operation {
	base, projectBase := "/organization/certificates", "/organization/projects/{project_id}/certificates"
	ids := listOf("certificate_ids", str("")).between(1, 10).must()
	return []operation{
		get(base, listCertificates, limitParam(20, 100), afterParam(), orderParam()),
		post(base, uploadCertificate, str("name").between(0, 255), str("certificate").must()),
		post(base+"/activate", toggleCertificates(true), ids),
		post(base+"/deactivate", toggleCertificates(false), ids),
		get(base+"/{certificate_id}", getCertificate, listOf("include", str("").oneOf("content"))),
		post(base+"/{certificate_id}", updateCertificate, str("name").between(0, 255)),
		del(base+"/{certificate_id}", deleteCertificate),
		get(projectBase, listCertificates, limitParam(20, 100), afterParam(), orderParam()),
		post(projectBase+"/activate", toggleCertificates(true), ids),
		post(projectBase+"/deactivate", toggleCertificates(false), ids),
	}
}

type certificateView struct {
	Object    string             `json:"object"`
	ID        string             `json:"id"`
	Name      *string            `json:"name"`
	CreatedAt int64              `json:"created_at"`
	Details   certificateDetails `json:"certificate_details"`
	Active    *bool              `json:"active,omitempty"`
}

type certificateDetails struct {
	ValidAt   int64   `json:"valid_at"`
	ExpiresAt int64   `json:"expires_at"`
	Content   *string `json:"content,omitempty"`
}

// view is the certificate alone, as uploading and fetching show it.
func (t *certificate) view() certificateView {
	return certificateView{
		Object: "certificate", ID: t.ID, Name: t.Name, CreatedAt: t.CreatedAt,
		Details: certificateDetails{ValidAt: t.validAt, ExpiresAt: t.expiresAt},
	}
}

// scopedView adds whether it is active, for the organization (nil) or for p.
func (t *certificate) scopedView(p *project) certificateView {
	v := t.view()
	v.Object, v.Active = "organization.certificate", new(t.active)
	if p != nil {
		v.Object, v.Active = "organization.project.certificate", new(p.certificates[t.ID])
	}
	return v
}

// parseCertificate reads the first certificate of a PEM text.
func parseCertificate(content string) (*x509.Certificate, *apiError) {
	block, _ := pem.Decode([]byte(content))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, badRequest("certificate", "invalid_certificate", "The certificate is not in PEM format.")
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, badRequest("certificate", "invalid_certificate", "The certificate could not be parsed.")
	}
	return parsed, nil
}

func listCertificates(c *call) (any, error) {
	p, err := c.scopeProject(false)
	if err != nil {
		return nil, err
	}
	return listing[*certificate]{
		items:       c.org.certificates.all(),
		id:          func(t *certificate) string { return t.ID },
		view:        func(t *certificate) any { return t.scopedView(p) },
		newestFirst: true,
	}.byID(c.query)
}

// scopeProject is the project of the path, nil when the path names none.
func (c *call) scopeProject(writing bool) (*project, error) {
	switch {
	case c.path["project_id"] == "":
		return nil, nil
	case writing:
		return c.openProject()
	default:
		return c.project()
	}
}

func uploadCertificate(c *call) (any, error) {
	content := c.body.str("certificate")
	parsed, refused := parseCertificate(content)
	if refused != nil {
		return nil, refused
	}
	if c.org.certificates.len() >= maxCertificates {
		return nil, badRequest("", "too_many_certificates", "An organization can have at most %d certificates.", maxCertificates)
	}
	if c.org.certificates.any(func(t *certificate) bool { return t.content == content }) {
		return nil, conflict("certificate_exists", "This certificate has been uploaded already.")
	}
	t := &certificate{
		ID: c.org.newID("cert_"), Name: c.body.optStr("name"), CreatedAt: c.now, content: content,
		validAt: parsed.NotBefore.Unix(), expiresAt: parsed.NotAfter.Unix(),
	}
	c.org.certificates.add(t.ID, t)
	c.record("certificate.created", nil, t.named(), t.ID)
	return t.view(), nil
}

// certificateRef names a certificate in an audit event.
type certificateRef struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Content string `json:"certificate,omitempty"`
}

func (t *certificate) named() certificateRef {
	if t.Name == nil {
		return certificateRef{ID: t.ID}
	}
	return certificateRef{ID: t.ID, Name: *t.Name}
}

func (c *call) certificate() (*certificate, error) {
	return c.org.certificates.find("certificate", c.path["certificate_id"])
}

func getCertificate(c *call) (any, error) {
	t, err := c.certificate()
	if err != nil {
		return nil, err
	}
	v := t.view()
	if slices.Contains(c.query.strs("include"), "content") {
		v.Details.Content = &t.content
	}
	return v, nil
}

func updateCertificate(c *call) (any, error) {
	t, err := c.certificate()
	if err != nil {
		return nil, err
	}
	c.body.assign("name", &t.Name)
	c.record("certificate.updated", nil, t.named(), t.ID)
	return t.view(), nil
}

func deleteCertificate(c *call) (any, error) {
	t, err := c.certificate()
	if err != nil {
		return nil, err
	}
	if t.active || c.org.projects.any(func(p *project) bool { return p.certificates[t.ID] }) {
		return nil, badRequest("", "certificate_active",
			"Certificate '%s' is active; deactivate it for the organization and all projects first.", t.ID)
	}
	c.org.certificates.remove(t.ID)
	payload := t.named()
	payload.Content = t.content
	c.record("certificate.deleted", nil, payload, t.ID)
	return struct {
		Object string `json:"object"`
		ID     string `json:"id"`
	}{"certificate.deleted", t.ID}, nil
}

// toggleCertificates serves activation and deactivation, for the organization
// and for projects. All of the ids change, or none does.
func toggleCertificates(active bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		p, err := c.scopeProject(true)
		if err != nil {
			return nil, err
		}
		targets := newCollection[*certificate]()
		for _, id := range c.body.strs("certificate_ids") {
			t, err := c.org.certificates.find("certificate", id)
			if err != nil {
				return nil, err
			}
			targets.add(id, t)
		}
		object, event := "organization.certificate", "certificates.deactivated"
		if p != nil {
			object = "organization.project.certificate"
		}
		object += ".deactivation"
		if active {
			object, event = object[:len(object)-len("deactivation")]+"activation", "certificates.activated"
		}
		views, refs := []certificateView{}, []certificateRef{}
		for _, t := range targets.all() {
			switch {
			case p == nil:
				t.active = active
			case active:
				p.certificates[t.ID] = true
			default:
				delete(p.certificates, t.ID)
			}
			views, refs = append(views, t.scopedView(p)), append(refs, t.named())
		}
		c.record(event, p, map[string]any{"certificates": refs}, targets.ids...)
		return struct {
			Object string            `json:"object"`
			Data   []certificateView `json:"data"`
		}{object, views}, nil
	}
}
