package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

const (
	// maxSize bounds sizes, so that a slip of the hand does not take all memory.
	maxSize = 1 << 20
	// maxAuditEvents is the most that the sandbox's audit log holds.
	maxAuditEvents = 20_000
	// maxKeyLife is the longest life that the Admin API knows.
	maxKeyLife = 365 * 24 * time.Hour
)

// sandbox makes the sandbox that the flags ask for. An error names the flag.
func (c *sandboxCommand) sandbox() (*sandbox.Sandbox, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	lives, err := keyLives(c.ProjectKeyLife)
	if err != nil {
		return nil, err
	}
	single, err := limits(c.Limit)
	if err != nil {
		return nil, err
	}
	fake := sandbox.New(sandbox.Options{
		Seed: c.Seed, AdminKey: c.AdminKey, CostsAsNumbers: c.CostsAsNumbers, Now: c.clock(),
		Users: c.Users, Projects: size(c.Projects), Groups: size(c.Groups),
		Invites: size(c.Invites), AuditEvents: size(c.AuditEvents),
		LongestKeyLife: c.LongestKeyLife, ProjectKeyLives: lives, IgnoreKeyLives: c.IgnoreKeyLives,
		Budget: sandbox.Budget{Requests: c.Budget, Operations: single, Window: c.BudgetWindow, InMessage: c.BudgetInMessage},
	})
	// Only the sandbox knows its operations and its projects.
	for op := range single {
		if !slices.Contains(fake.Operations(), op) {
			return nil, fmt.Errorf("flag --limit: no operation %q; GET /_sandbox/operations lists them", op)
		}
	}
	for project := range lives {
		if _, err := fake.LongestKeyLife(project); err != nil {
			return nil, fmt.Errorf("flag --project-key-life: no project %q in the organization of seed %d", project, c.Seed)
		}
	}
	return fake, nil
}

// check looks at each flag alone.
func (c *sandboxCommand) check() error {
	for _, number := range []struct {
		flag             string
		n, least, utmost int
	}{
		{"users", c.Users, 1, maxSize},
		{"projects", c.Projects, 0, maxSize},
		{"groups", c.Groups, 0, maxSize},
		{"invites", c.Invites, 0, maxSize},
		{"audit-events", c.AuditEvents, 0, maxAuditEvents},
		{"budget", c.Budget, 0, maxSize},
	} {
		if number.n < number.least || number.n > number.utmost {
			return fmt.Errorf("flag --%s: %d is not between %d and %d", number.flag, number.n, number.least, number.utmost)
		}
	}
	if c.AdminKey == "" {
		return errors.New("flag --admin-key: empty")
	}
	if c.BudgetWindow <= 0 {
		return fmt.Errorf("flag --budget-window: %s is not positive", c.BudgetWindow)
	}
	if c.LongestKeyLife != 0 {
		if err := checkLife(c.LongestKeyLife); err != nil {
			return fmt.Errorf("flag --longest-key-life: %w", err)
		}
	}
	return nil
}

// size translates: to the sandbox 0 means the default, and to a flag none.
func size(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// clock returns nil for the computer's own clock.
func (c *sandboxCommand) clock() func() time.Time {
	switch {
	case c.ClockStands && c.Now.IsZero():
		return sandbox.StandsAt(time.Now())
	case c.ClockStands:
		return sandbox.StandsAt(c.Now)
	case c.Now.IsZero():
		return nil
	default:
		return sandbox.RunsFrom(c.Now)
	}
}

// keyLives reads PROJECT=DURATION.
func keyLives(texts []string) (map[string]time.Duration, error) {
	out := make(map[string]time.Duration, len(texts))
	for _, text := range texts {
		project, life, ok := strings.Cut(text, "=")
		if !ok || project == "" {
			return nil, fmt.Errorf("flag --project-key-life: %q is not PROJECT=DURATION", text)
		}
		d, err := time.ParseDuration(life)
		if err == nil {
			err = checkLife(d)
		}
		if err != nil {
			return nil, fmt.Errorf("flag --project-key-life: %q: %w", text, err)
		}
		out[project] = d
	}
	return out, nil
}

func checkLife(d time.Duration) error {
	if d < time.Second || d > maxKeyLife {
		return fmt.Errorf("%s is not between 1s and %s", d, maxKeyLife)
	}
	return nil
}

// limits reads OPERATION=N.
func limits(texts []string) (map[string]int, error) {
	out := make(map[string]int, len(texts))
	for _, text := range texts {
		at := strings.LastIndex(text, "=")
		if at <= 0 {
			return nil, fmt.Errorf("flag --limit: %q is not OPERATION=N", text)
		}
		n, err := strconv.Atoi(text[at+1:])
		if err != nil || n < 0 {
			return nil, fmt.Errorf("flag --limit: %q is not OPERATION=N with N of at least 0", text)
		}
		out[text[:at]] = n
	}
	return out, nil
}
