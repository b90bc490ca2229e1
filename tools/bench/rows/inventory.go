package rows

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
	"github.com/admin-gateway/admin-gateway/tools/bench/stats"
)

const (
	listAPIKeys       = "/admingateway.inventory.v1.InventoryService/ListApiKeys"
	inventoryProjects = 1800
	namePlainLoop     = "plain loop"
	targetInventory   = 0.7
	// loopPatience bounds a plain loop.
	loopPatience = time.Minute
)

// errIncomplete is the error of an inventory that does not end as a whole.
var errIncomplete = errors.New("the inventory is not complete")

// loopEnded is the line in which a plain loop reports: reads, items, microseconds of
// processor time, and microseconds.
var loopEnded = regexp.MustCompile(`reads=(\d+) items=(\d+) spent=(\d+) took=(\d+)`)

// inventory measures the API keys of all projects, nothing of which is stored, beside a
// program that makes the same reads and decodes what it gets.
func (s *suite) inventory(ctx context.Context) error {
	return s.onStage(func(g *stage) error {
		upstream, err := g.sandbox(ctx, inventoryProjects)
		if err != nil {
			return err
		}
		var own, plain cost
		var reads int
		for range g.Rounds {
			// A gateway of its own for each round: nothing is in its cache.
			gw, err := g.gateway(ctx, gateway.Options{BaseURL: upstream.BaseURL})
			if err != nil {
				return err
			}
			calls, err := g.stream(ctx, gw, &own)
			gw.Stop()
			if err != nil {
				return err
			}
			if reads, err = g.plainLoop(ctx, upstream.BaseURL, &plain); err != nil {
				return err
			}
			if calls != reads {
				return fmt.Errorf("the inventory made %d reads, and the plain loop %d", calls, reads)
			}
		}
		row := report.Row{ID: "inventory", Title: fmt.Sprintf("Inventory of %d reads", reads)}
		row.Subjects = []report.Subject{own.subject(nameGateway), plain.subject(namePlainLoop)}
		row.Verdicts = []report.Verdict{{
			Of: "of a plain loop that decodes what it gets", Target: targetInventory, AtLeast: true,
			Value: stats.Ratios(plain.spent, own.spent),
		}}
		g.result.Rows = append(g.result.Rows, row)
		return nil
	})
}

// cost is what inventories took, in seconds.
type cost struct{ spent, took []float64 }

func (c cost) subject(name string) report.Subject {
	return report.Subject{Name: name, Metrics: []report.Metric{
		{Name: report.Processor, Unit: "s of processor", Rounds: c.spent}, {Name: "took", Unit: "s", Rounds: c.took},
	}}
}

// stream has a gateway stream the inventory, and returns the number of its reads.
func (g *stage) stream(ctx context.Context, gw *gateway.Gateway, c *cost) (int, error) {
	before, err := gw.Spent()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	text, err := fetch(ctx, http.MethodPost, "http://"+gw.Port+listAPIKeys, "application/connect+proto", g.token.Value, framed(nil))
	if err != nil {
		return 0, err
	}
	took := time.Since(begin)
	after, err := gw.Spent()
	if err != nil {
		return 0, err
	}
	c.spent, c.took = append(c.spent, (after-before).Seconds()), append(c.took, took.Seconds())
	return readsOf(text)
}

// The fields of a message of the stream that tell its end.
const (
	fieldEnd      protowire.Number = 15
	fieldComplete protowire.Number = 1 // Of the end.
	fieldCalls    protowire.Number = 3 // Of the end.
)

// readsOf is the number of reads that the end of a stream of Connect names. The stream
// has to be complete.
func readsOf(stream []byte) (int, error) {
	const header = 5
	var reads int
	for len(stream) >= header {
		size := int(binary.BigEndian.Uint32(stream[1:]))
		if len(stream) < header+size {
			break
		}
		message, last := stream[header:header+size], stream[0]&2 != 0
		stream = stream[header+size:]
		if last {
			var end struct{ Error json.RawMessage }
			if err := json.Unmarshal(message, &end); err != nil || end.Error != nil || reads == 0 {
				return 0, fmt.Errorf("%w: %.300s", errIncomplete, message)
			}
			return reads, nil
		}
		if end, _ := fieldOf(message, fieldEnd); end != nil {
			if complete, _ := fieldOf(end, fieldComplete); complete == nil {
				return 0, errIncomplete
			}
			_, calls := fieldOf(end, fieldCalls)
			reads = int(calls)
		}
	}
	return 0, fmt.Errorf("%w: it has no end", errIncomplete)
}

// fieldOf is the last value of a field of a message: bytes, which are not nil, or a
// number.
func fieldOf(message []byte, field protowire.Number) (value []byte, number uint64) {
	for len(message) > 0 {
		num, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, 0
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(num, kind, message)
		if size < 0 {
			return nil, 0
		}
		if num == field {
			switch kind {
			case protowire.BytesType:
				bytes, _ := protowire.ConsumeBytes(message)
				value = bytes[:len(bytes):len(bytes)]
				if value == nil {
					value = []byte{}
				}
			case protowire.VarintType:
				number, _ = protowire.ConsumeVarint(message)
			default: // The stream has none of these.
			}
		}
		message = message[size:]
	}
	return value, number
}

// plainLoop runs the loop on the server's processor, and returns the number of its reads.
func (g *stage) plainLoop(ctx context.Context, base string, c *cost) (int, error) {
	folder, err := g.subfolder("loop")
	if err != nil {
		return 0, err
	}
	p, err := machine.Start(ctx, machine.Command{
		Path: g.Self, Args: []string{"-loop", base, "-key", gateway.AdminKey}, Env: []string{"GOMAXPROCS=1"}, On: g.cores.Server,
		Output: filepath.Join(folder, "loop.log"), Ready: loopEnded, Patience: loopPatience,
	})
	if err != nil {
		return 0, err
	}
	p.Stop()
	var numbers [4]int
	for i := range numbers {
		if numbers[i], err = strconv.Atoi(p.Match[i+1]); err != nil {
			return 0, err
		}
	}
	const million = 1e6
	c.spent, c.took = append(c.spent, float64(numbers[2])/million), append(c.took, float64(numbers[3])/million)
	return numbers[0], nil
}
