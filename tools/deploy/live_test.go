package deploy

import (
	"bufio"
	"context"
	"encoding/json"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// quiet are queries that a healthy gateway gives no answer to, by a part of them, and
// when they have one.
var quiet = map[string]string{
	`gateway_lease_ledger_duration_seconds_count{instance=~".*",result="failed"}`: "the ledger of leases does not answer",
}

// TestDashboardAnswers: every query of the dashboard has an answer from a Prometheus that
// scrapes a busy gateway.
func TestDashboardAnswers(t *testing.T) {
	t.Parallel()
	server := program(t, "prometheus")
	b := startBusy(t)
	at := startPrometheus(t, server, b.ops)
	waiting := dashboardQueries(t)
	answered := 0
	// As often as is needed: series have a rate after their second sample.
	deadline := time.Now().Add(patience)
	for listed := false; !listed; {
		b.round(t)
		waiting = slices.DeleteFunc(waiting, func(query string) bool {
			if !b.answers(t, at, query) {
				return false
			}
			answered++
			if why := quietOf(query); why != "" {
				t.Errorf("%s has an answer, and is listed as one that has only when %s", query, why)
			}
			return true
		})
		listed = !slices.ContainsFunc(waiting, func(query string) bool { return quietOf(query) == "" })
		if !listed && time.Now().After(deadline) {
			break
		}
	}
	for _, query := range waiting {
		if quietOf(query) == "" {
			t.Errorf("%s has no answer after %d rounds", query, b.rounds)
		}
	}
	t.Logf("%d queries have answers after %d rounds, %d have them only when something is wrong", answered, b.rounds, len(waiting))
}

func quietOf(query string) string {
	for part, when := range quiet {
		if strings.Contains(query, part) {
			return when
		}
	}
	return ""
}

// dashboardQueries are the queries of all panels, as Grafana would send them.
func dashboardQueries(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(read(t, folder+"/grafana/admin-gateway.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*").Replace(target.Expr))
		}
	}
	if len(all) < 40 {
		t.Fatalf("the dashboard has only %d queries", len(all))
	}
	return all
}

// answers reports whether Prometheus has a number for a query.
func (b *busy) answers(t *testing.T, at, query string) bool {
	t.Helper()
	var reply struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	text := b.ask(t, "GET", at+"/api/v1/query?query="+url.QueryEscape(query), "", "")
	if err := json.Unmarshal([]byte(text), &reply); err != nil || reply.Status != "success" {
		t.Fatalf("%s: %v %s", query, err, reply.Error)
	}
	for _, r := range reply.Data.Result {
		if r.Value[1] != "NaN" {
			return true
		}
	}
	return false
}

// startPrometheus runs one with the configuration of deploy/, and returns its address.
func startPrometheus(t *testing.T, server, target string) string {
	t.Helper()
	config := strings.NewReplacer("gateway:8081", target, "_interval: 15s", "_interval: 500ms", "/etc/prometheus/", "").
		Replace(read(t, folder+"/prometheus/prometheus.yml"))
	at := t.TempDir()
	write(t, at, "rules.yaml", read(t, folder+"/prometheus/rules.yaml"))
	c := exec.CommandContext(context.Background(), server, "--config.file="+write(t, at, "prometheus.yml", config), "--storage.tsdb.path="+at+"/data", "--web.listen-address=127.0.0.1:0")
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	go func() {
		defer close(address)
		listens := regexp.MustCompile(`"?Listening on"? address=(\S+)`)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if m := listens.FindStringSubmatch(lines.Text()); m != nil {
				address <- "http://" + m[1]
				break
			}
		}
		drain(log)
	}()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
	found, ok := <-address
	if !ok {
		t.Fatal("Prometheus does not say where it listens")
	}
	return found
}
