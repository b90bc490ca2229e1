package sandbox

import (
	"math/big"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

func spendOperations() []operation {
	money := func(least int64) []field {
		return []field{
			num("threshold_amount").between(least, 1<<53).must(),
			str("currency").oneOf("USD").must(), str("interval").oneOf("month").must(),
		}
	}
	alert := append(money(0), obj("notification_channel",
		str("type").oneOf("email").must(), strList("recipients").must(), str("subject_prefix").orNull()).must())
	var operations []operation
	for _, scope := range []string{"/organization", "/organization/projects/{project_id}"} {
		operations = append(operations,
			get(scope+"/spend_alerts", listAlerts, limitParam(20, 100), afterParam(), beforeParam(), orderParam()),
			post(scope+"/spend_alerts", createAlert, alert...),
			get(scope+"/spend_alerts/{alert_id}", getAlert),
			post(scope+"/spend_alerts/{alert_id}", updateAlert, alert...),
			del(scope+"/spend_alerts/{alert_id}", deleteAlert),
			get(scope+"/spend_limit", getSpendLimit),
			post(scope+"/spend_limit", updateSpendLimit, money(1)...),
			del(scope+"/spend_limit", deleteSpendLimit),
		)
	}
	return operations
}

// alertScope returns the alerts that the path is about and their object name.
func (c *call) alertScope(writing bool) (alerts *data.Collection[*data.SpendAlert], p *data.Project, object string, err error) {
	p, err = c.scopeProject(writing)
	switch {
	case err != nil:
		return nil, nil, "", err
	case p == nil:
		return c.org.Alerts, nil, "organization.spend_alert", nil
	default:
		return p.Alerts, p, "project.spend_alert", nil
	}
}

func setAlert(a *data.SpendAlert, body values) {
	a.Threshold, a.Currency, a.Interval = body.num("threshold_amount"), body.str("currency"), body.str("interval")
	channel := body.object("notification_channel")
	a.Channel = data.AlertChannel{Type: channel.str("type"), Recipients: channel.strs("recipients"), SubjectPrefix: channel.optStr("subject_prefix")}
}

func (c *call) recordAlert(p *data.Project, a *data.SpendAlert) {
	if p == nil {
		c.record("tenant.billing.alerts.updated", nil, nil, a.ID)
		return
	}
	c.recordSettings(p)
}

func listAlerts(c *call) (any, error) {
	alerts, _, _, err := c.alertScope(false)
	if err != nil {
		return nil, err
	}
	return listing[*data.SpendAlert]{
		items: alerts.All(),
		id:    func(a *data.SpendAlert) string { return a.ID },
		view:  func(a *data.SpendAlert) any { return a },
	}.byID(c.query)
}

func createAlert(c *call) (any, error) {
	alerts, p, object, err := c.alertScope(true)
	if err != nil {
		return nil, err
	}
	a := &data.SpendAlert{ID: c.org.NewID("alert_"), Object: object}
	setAlert(a, c.body)
	alerts.Add(a.ID, a)
	c.recordAlert(p, a)
	return a, nil
}

func getAlert(c *call) (any, error) {
	alerts, _, _, err := c.alertScope(false)
	if err != nil {
		return nil, err
	}
	return find(alerts, "spend alert", c.path["alert_id"])
}

func updateAlert(c *call) (any, error) {
	alerts, p, _, err := c.alertScope(true)
	if err != nil {
		return nil, err
	}
	a, err := find(alerts, "spend alert", c.path["alert_id"])
	if err != nil {
		return nil, err
	}
	setAlert(a, c.body)
	c.recordAlert(p, a)
	return a, nil
}

func deleteAlert(c *call) (any, error) {
	alerts, p, object, err := c.alertScope(true)
	if err != nil {
		return nil, err
	}
	a, err := find(alerts, "spend alert", c.path["alert_id"])
	if err != nil {
		return nil, err
	}
	alerts.Remove(a.ID)
	c.recordAlert(p, a)
	return deleted{object + ".deleted", a.ID, true}, nil
}

// limitScope returns the spend limit that the path is about and its object name.
func (c *call) limitScope(writing bool) (limit **data.SpendLimit, p *data.Project, object string, err error) {
	p, err = c.scopeProject(writing)
	switch {
	case err != nil:
		return nil, nil, "", err
	case p == nil:
		return &c.org.SpendLimit, nil, "organization.spend_limit", nil
	default:
		return &p.SpendLimit, p, "project.spend_limit", nil
	}
}

func (c *call) recordLimit(p *data.Project) {
	if p == nil {
		c.record("tenant.billing.overage_limit.updated", nil, nil, c.org.ID)
		return
	}
	c.recordSettings(p)
}

// limitView compares the limit with the cost of the month so far.
func (c *call) limitView(object string, l *data.SpendLimit, p *data.Project) any {
	now := time.Unix(c.now, 0).UTC()
	month := data.Span{Start: time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC).Unix(), End: c.now}
	filter := make(data.Filter)
	if p != nil {
		filter[data.ByProject] = []string{p.ID}
	}
	status := "inactive"
	if c.org.Ledger.TotalCost(filter, month, c.now).Cmp(big.NewRat(l.Threshold, 100)) >= 0 {
		status = "enforcing"
	}
	type enforcement struct {
		Status string `json:"status"`
	}
	return struct {
		Object      string      `json:"object"`
		Threshold   int64       `json:"threshold_amount"`
		Currency    string      `json:"currency"`
		Interval    string      `json:"interval"`
		Enforcement enforcement `json:"enforcement"`
	}{object, l.Threshold, l.Currency, l.Interval, enforcement{status}}
}

func (c *call) noLimit(p *data.Project) error {
	if p == nil {
		return notFound("spend limit", c.org.ID)
	}
	return notFound("spend limit", p.ID)
}

func getSpendLimit(c *call) (any, error) {
	limit, p, object, err := c.limitScope(false)
	if err != nil {
		return nil, err
	}
	if *limit == nil {
		return nil, c.noLimit(p)
	}
	return c.limitView(object, *limit, p), nil
}

func updateSpendLimit(c *call) (any, error) {
	limit, p, object, err := c.limitScope(true)
	if err != nil {
		return nil, err
	}
	*limit = &data.SpendLimit{Threshold: c.body.num("threshold_amount"), Currency: c.body.str("currency"), Interval: c.body.str("interval")}
	c.recordLimit(p)
	return c.limitView(object, *limit, p), nil
}

func deleteSpendLimit(c *call) (any, error) {
	limit, p, object, err := c.limitScope(true)
	if err != nil {
		return nil, err
	}
	if *limit == nil {
		return nil, c.noLimit(p)
	}
	*limit = nil
	c.recordLimit(p)
	return deleted{Object: object + ".deleted", Deleted: true}, nil
}
