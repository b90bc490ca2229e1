package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// play plays a case, and returns what is wrong. An error is of the house or the runner,
// and ends the run.
func play(ctx context.Context, h *house, r *runner, c *Case) (problems []string, err error) {
	defer h.sandbox.ClearFaults()
	for _, fault := range c.Faults {
		h.sandbox.Inject(fault)
	}
	h.script.play(c.Script)
	client, err := h.dialled(c)
	if err != nil {
		return nil, err
	}
	for i := range c.Steps {
		wrong, err := h.step(ctx, r, c, &c.Steps[i], client)
		if err != nil {
			return nil, err
		}
		for _, problem := range wrong {
			if len(c.Steps) > 1 {
				problem = fmt.Sprintf("step %d: %s", i+1, problem)
			}
			problems = append(problems, problem)
		}
	}
	return problems, nil
}

func (h *house) step(ctx context.Context, r *runner, c *Case, s *Step, client dialled) ([]string, error) {
	if s.Before != nil {
		if err := h.prepare(ctx, s.Before); err != nil {
			return nil, err
		}
	}
	before, offset := h.sandbox.Counts(), h.records.end()
	headers := maps.Clone(s.Headers)
	if s.HeaderBytes > 0 {
		if headers == nil {
			headers = make(map[string]string)
		}
		headers["x-filler"] = strings.Repeat("h", s.HeaderBytes)
	}
	request, err := h.filled(s.Request)
	if err != nil {
		return nil, err
	}
	asked := command{
		Case: c.Name, Client: client, Do: s.Do, Method: s.Method, Request: request, Timeout: s.Timeout,
		IdempotencyKey: s.IdempotencyKey, NoIdempotencyKey: s.NoIdempotencyKey, Headers: headers,
		Cancel: s.Then != nil && s.Then.Do == "cancel",
	}
	if err := r.send(asked); err != nil {
		return nil, err
	}
	if s.Then != nil {
		if err := h.meanwhile(ctx, r, c, s, before); err != nil {
			return nil, err
		}
	}
	got, err := r.answer(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	return h.check(ctx, s, got, before, offset), nil
}

// filled replaces the names of the house in a request.
func (h *house) filled(request map[string]any) (map[string]any, error) {
	filled := maps.Clone(request)
	for key, value := range filled {
		text, ok := value.(string)
		if !ok || !strings.HasPrefix(text, "$") {
			continue
		}
		if text != "$PROJECT" {
			return nil, fmt.Errorf("no %q", text)
		}
		filled[key] = h.project
	}
	return filled, nil
}

func (h *house) prepare(ctx context.Context, b *Before) error {
	if b.ClearFaults {
		h.sandbox.ClearFaults()
	}
	if b.WriteToken != "" {
		if err := h.writeToken(b.WriteToken); err != nil {
			return err
		}
	}
	if !b.Expire {
		return nil
	}
	if err := h.end(); err != nil {
		return err
	}
	client, err := h.httpClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+h.address+"/v1/organization/projects?limit=1", http.NoBody)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+h.tokens["passing"])
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusUnauthorized {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("the token does not end")
		}
	}
}

// meanwhile waits until a call is under way, and does what the step says.
func (h *house) meanwhile(ctx context.Context, r *runner, c *Case, s *Step, before map[string]int) error {
	if c.At == "script" {
		if err := h.script.until(ctx, func(seen []arrived, _ int) bool { return len(seen) >= max(s.Then.Calls, 1) }); err != nil {
			return err
		}
	} else if err := h.untilCalled(ctx, s.Then, before); err != nil {
		return err
	}
	switch s.Then.Do {
	case "cancel":
		return r.send(map[string]bool{"cancel": true})
	case "kill":
		return errors.Join(h.gateway.Kill(), h.gateway.Start(ctx))
	case "drain":
		return errors.Join(h.gateway.Stop(), h.gateway.Start(ctx))
	default:
		return fmt.Errorf("nothing is called %q", s.Then.Do)
	}
}

// untilCalled waits for a call of the sandbox.
func (h *house) untilCalled(ctx context.Context, then *Then, before map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for h.sandbox.Count(then.Once)-before[then.Once] < max(then.Calls, 1) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the sandbox gets no call of %s", then.Once)
		}
	}
	return nil
}
