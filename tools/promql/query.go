package promql

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// scraped are the labels that Prometheus adds to everything; the last two where it
// scrapes pods.
func scraped() []string { return []string{"instance", "job", "namespace", "pod"} }

// query returns the labels of the answer to a query, and all its faults: the syntax, an
// unknown metric or label, a rate of a metric that is not a counter.
func query(all map[string]Metric, text string) ([]string, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return nil, err
	}
	c := checker{all: all}
	has := c.labels(expr, asValue)
	return has, errors.Join(c.faults...)
}

type checker struct {
	all    map[string]Metric
	faults []error
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

// use is how the values of a metric are used.
type use int

const (
	asValue    use = iota // of a gauge
	asIncrease            // of a counter
	asPresence            // of any: how many series there are
)

// labels returns the labels of an expression, whose values are used in the given way.
func (c *checker) labels(node parser.Expr, as use) []string {
	switch e := node.(type) {
	case *parser.VectorSelector:
		return c.selector(e, as)
	case *parser.MatrixSelector:
		return c.labels(e.VectorSelector, as)
	case *parser.AggregateExpr:
		return c.aggregate(e)
	case *parser.BinaryExpr:
		left, right := c.labels(e.LHS, asValue), c.labels(e.RHS, asValue)
		if len(left) == 0 {
			return right
		}
		return left
	case *parser.Call:
		return c.call(e)
	case *parser.ParenExpr:
		return c.labels(e.Expr, as)
	case *parser.NumberLiteral, *parser.StringLiteral:
		return nil
	default:
		c.fault("%s: unknown to this test: %T", node, node)
		return nil
	}
}

func (c *checker) selector(e *parser.VectorSelector, as use) []string {
	metric, ok := selected(c.all, e.Name)
	if !ok {
		c.fault("there is no metric %q", e.Name)
		return nil
	}
	if as != asPresence && (as == asIncrease) != (metric.Kind == "counter") {
		c.fault("%s is a %s", e.Name, metric.Kind)
	}
	has := append(scraped(), metric.Labels...)
	for _, m := range e.LabelMatchers {
		if m.Name != model.MetricNameLabel && !slices.Contains(has, m.Name) {
			c.fault("%s has no label %q", e.Name, m.Name)
		}
	}
	return has
}

func (c *checker) aggregate(e *parser.AggregateExpr) []string {
	as := asValue
	if e.Op == parser.COUNT {
		as = asPresence
	}
	has := c.labels(e.Expr, as)
	for _, label := range e.Grouping {
		if !slices.Contains(has, label) {
			c.fault("%s: there is no label %q to group by", e, label)
		}
	}
	switch {
	case e.Op == parser.TOPK || e.Op == parser.BOTTOMK:
		return has
	case e.Without:
		return slices.DeleteFunc(has, func(label string) bool { return slices.Contains(e.Grouping, label) })
	default:
		return e.Grouping
	}
}

func (c *checker) call(e *parser.Call) (has []string) {
	as := asValue
	if slices.Contains([]string{"rate", "irate", "increase"}, e.Func.Name) {
		as = asIncrease
	}
	for _, arg := range e.Args {
		if of := c.labels(arg, as); len(of) > 0 {
			has = of
		}
	}
	if e.Func.Name != "histogram_quantile" {
		return has
	}
	if !slices.Contains(has, "le") {
		c.fault("%s: no buckets", e)
	}
	return slices.DeleteFunc(slices.Clone(has), func(label string) bool { return label == "le" })
}
