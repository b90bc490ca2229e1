package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/report"
	"github.com/admin-gateway/admin-gateway/tools/bench/stats"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fixed is a result with a target that is met, one that is missed, and a peer that is not
// there.
func fixed() report.Result {
	subject := func(name string, rates, spent []float64) report.Subject {
		return report.Subject{Name: name, Metrics: []report.Metric{
			{Name: report.Rate, Unit: "calls/s", Rounds: rates}, {Name: report.Processor, Unit: "µs", Rounds: spent},
		}}
	}
	row := report.Row{ID: "fast-1", Title: "fast gRPC, 1 project", Subjects: []report.Subject{
		subject("gateway", []float64{20_000, 10_000, 30_000}, []float64{50, 100, 40}),
		subject("nginx", []float64{40_000, 20_000, 50_000}, []float64{20, 50, 20}),
		subject("slow", []float64{10_000, 10_000, 10_000}, []float64{100, 100, 100}),
	}}
	row.Judge("nginx", "of nginx", 0.8)
	row.Judge("slow", "of slow", 1)
	row.Judge("absent", "of absent", 1)
	return report.Result{
		Machine: report.Machine{Processor: "Some | Processor", Processors: 2, MemoryGiB: 23.6, Kernel: "Linux 6.1", Commit: "0123456789ab", Load: 0.3, Programs: []string{"go1.26", "nginx 1.22.1"}},
		Began:   time.Date(2026, 3, 9, 6, 7, 8, 0, time.UTC), Took: report.Duration(14 * time.Minute), Rounds: 3, Piece: report.Duration(1500 * time.Millisecond),
		Rows: []report.Row{row, {
			ID: "start", Title: "Start", Subjects: []report.Subject{{Name: "gateway", Metrics: []report.Metric{{Name: "start", Unit: "ms", Rounds: []float64{50}}}}},
			Verdicts: []report.Verdict{{Of: "ms to serve", Value: stats.Of([]float64{50}), Target: 60}},
		}},
		Skipped: []report.Skip{{What: "Varnish", Reason: "it is not installed | here"}},
		Plots:   []report.Plot{{Name: "rates", Title: "Rates"}},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what it was; -update writes it anew:\n%s", file, got)
	}
}

func TestPage(t *testing.T) {
	page, err := fixed().Page(nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "page.golden", page)
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := fixed().Table(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "table.golden", b.Bytes())
}

func TestAPageKeepsWhatWasWrittenByHand(t *testing.T) {
	page, err := fixed().Page(nil)
	if err != nil {
		t.Fatal(err)
	}
	hand := bytes.Replace(page, []byte("<!-- kept -->"), []byte("<!-- kept -->\n\nA *profile* says so.\n"), 1)
	changed := fixed()
	changed.Machine.Commit = "fedcba987654"
	again, err := changed.Page(hand)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(again), "<!-- kept -->\n\nA *profile* says so.\n") || !strings.Contains(string(again), "fedcba987654") || strings.Contains(string(again), "0123456789ab") {
		t.Errorf("%s", again)
	}
	for name, broken := range map[string][]byte{
		"without an end": bytes.Replace(hand, []byte("<!-- end of kept -->"), nil, 1),
		"twice":          append(bytes.Clone(hand), hand...),
		"without marks":  []byte("# Performance\n"),
	} {
		if page, err := fixed().Page(broken); err == nil {
			t.Errorf("%s: %s", name, page)
		}
	}
}

// A result that was read back makes the same page.
func TestAResultIsTheSameFromJSON(t *testing.T) {
	text, err := json.Marshal(fixed())
	if err != nil {
		t.Fatal(err)
	}
	var got report.Result
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, fixed()) {
		t.Errorf("%+v\nis not\n%+v", got, fixed())
	}
}

func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		verdict report.Verdict
		met     bool
		share   float64
	}{
		"at least, met":    {report.Verdict{Value: stats.Sample{Median: 1.2}, Target: 1, AtLeast: true}, true, 1.2},
		"at least, missed": {report.Verdict{Value: stats.Sample{Median: 0.5}, Target: 1, AtLeast: true}, false, 0.5},
		"at most, met":     {report.Verdict{Value: stats.Sample{Median: 30}, Target: 60}, true, 2},
		"at most, missed":  {report.Verdict{Value: stats.Sample{Median: 80}, Target: 60}, false, 0.75},
		"not measured":     {report.Verdict{Target: 1, AtLeast: true}, false, 0},
		"nothing, at most": {report.Verdict{Target: 1}, false, 0},
		"drowned in noise": {report.Verdict{Value: stats.Sample{Median: -3}, Target: 1}, false, 0},
	} {
		if c.verdict.Met() != c.met || c.verdict.Share() != c.share {
			t.Errorf("%s: met %v, share %v", name, c.verdict.Met(), c.verdict.Share())
		}
	}
}

// A median on the right side of the target says little when rounds were on the other one.
func TestAVerdictSaysWhenRoundsDiffer(t *testing.T) {
	for sample, agree := range map[stats.Sample]bool{
		{Median: 1.2, Low: 1.1, High: 1.3}: true, {Median: 1.2, Low: 0.9, High: 1.3}: false,
		{Median: 0.8, Low: 0.7, High: 0.9}: true, {Median: 0.8, Low: 0.7, High: 1.1}: false,
		{Median: 1, Low: 1, High: 1}: true,
	} {
		for _, atLeast := range []bool{true, false} {
			if v := (report.Verdict{Value: sample, Target: 1, AtLeast: atLeast}); v.Clear() != agree {
				t.Errorf("%+v: %v", v, v.Clear())
			}
		}
	}
}

// The processor time is compared, and not the rate, which a load generator may limit.
func TestJudgeComparesProcessorTime(t *testing.T) {
	v := fixed().Rows[0].Verdicts
	if len(v) != 2 || v[0].Value != (stats.Sample{Median: 0.5, Low: 0.4, High: 0.5}) || v[0].Beside != 0.5 || v[1].Value.Median != 2 {
		t.Errorf("%+v", v)
	}
}
