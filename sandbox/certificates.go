package sandbox

import (
	"crypto/x509"
	"encoding/pem"
	"slices"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

const maxCertificates = 50

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

// viewCertificate shows the certificate alone, as the answers to an upload and a
// fetch do.
func viewCertificate(t *data.Certificate) certificateView {
	return certificateView{
		Object: "certificate", ID: t.ID, Name: t.Name, CreatedAt: t.CreatedAt,
		Details: certificateDetails{ValidAt: t.ValidAt, ExpiresAt: t.ExpiresAt},
	}
}

// viewScoped adds whether the certificate is active, for p or, if p is nil, for
// the organization.
func viewScoped(t *data.Certificate, p *data.Project) certificateView {
	v := viewCertificate(t)
	v.Object, v.Active = "organization.certificate", new(t.Active)
	if p != nil {
		v.Object, v.Active = "organization.project.certificate", new(p.Certificates[t.ID])
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
	return listing[*data.Certificate]{
		items:       c.org.Certificates.All(),
		id:          func(t *data.Certificate) string { return t.ID },
		view:        func(t *data.Certificate) any { return viewScoped(t, p) },
		newestFirst: true,
	}.byID(c.query)
}

// scopeProject returns the project of the path, nil if the path has none.
func (c *call) scopeProject(writing bool) (*data.Project, error) {
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
	if c.org.Certificates.Len() >= maxCertificates {
		return nil, badRequest("", "too_many_certificates", "An organization can have at most %d certificates.", maxCertificates)
	}
	if c.org.Certificates.Any(func(t *data.Certificate) bool { return t.Content == content }) {
		return nil, conflict("certificate_exists", "This certificate has been uploaded already.")
	}
	t := &data.Certificate{
		ID: c.org.NewID("cert_"), Name: c.body.optStr("name"), CreatedAt: c.now, Content: content,
		ValidAt: parsed.NotBefore.Unix(), ExpiresAt: parsed.NotAfter.Unix(),
	}
	c.org.Certificates.Add(t.ID, t)
	c.record("certificate.created", nil, t.Ref(), t.ID)
	return viewCertificate(t), nil
}

func (c *call) certificate() (*data.Certificate, error) {
	return find(c.org.Certificates, "certificate", c.path["certificate_id"])
}

func getCertificate(c *call) (any, error) {
	t, err := c.certificate()
	if err != nil {
		return nil, err
	}
	v := viewCertificate(t)
	if slices.Contains(c.query.strs("include"), "content") {
		v.Details.Content = &t.Content
	}
	return v, nil
}

func updateCertificate(c *call) (any, error) {
	t, err := c.certificate()
	if err != nil {
		return nil, err
	}
	c.body.assign("name", &t.Name)
	c.record("certificate.updated", nil, t.Ref(), t.ID)
	return viewCertificate(t), nil
}

func deleteCertificate(c *call) (any, error) {
	t, err := c.certificate()
	if err != nil {
		return nil, err
	}
	if t.Active || c.org.Projects.Any(func(p *data.Project) bool { return p.Certificates[t.ID] }) {
		return nil, badRequest("", "certificate_active",
			"Certificate '%s' is active; deactivate it for the organization and all projects first.", t.ID)
	}
	c.org.Certificates.Remove(t.ID)
	payload := t.Ref()
	payload.Content = t.Content
	c.record("certificate.deleted", nil, payload, t.ID)
	return struct {
		Object string `json:"object"`
		ID     string `json:"id"`
	}{"certificate.deleted", t.ID}, nil
}

// toggleCertificates serves activation and deactivation, for the organization
// and for projects. Either all of the certificates change or none of them.
func toggleCertificates(active bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		p, err := c.scopeProject(true)
		if err != nil {
			return nil, err
		}
		var targets []*data.Certificate
		var resources []string
		for _, id := range c.body.strs("certificate_ids") {
			t, err := find(c.org.Certificates, "certificate", id)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(targets, t) {
				targets, resources = append(targets, t), append(resources, id)
			}
		}
		object, event := "organization.certificate", "certificates.deactivated"
		if p != nil {
			object = "organization.project.certificate"
		}
		object += ".deactivation"
		if active {
			object, event = object[:len(object)-len("deactivation")]+"activation", "certificates.activated"
		}
		views, refs := []certificateView{}, []data.CertificateRef{}
		for _, t := range targets {
			switch {
			case p == nil:
				t.Active = active
			case active:
				p.Certificates[t.ID] = true
			default:
				delete(p.Certificates, t.ID)
			}
			views, refs = append(views, viewScoped(t, p)), append(refs, t.Ref())
		}
		c.record(event, p, map[string]any{"certificates": refs}, resources...)
		return struct {
			Object string            `json:"object"`
			Data   []certificateView `json:"data"`
		}{object, views}, nil
	}
}
