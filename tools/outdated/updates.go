package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// update is a module that has a newer version.
type update struct {
	path, have, newest string
	direct             bool // The module's own code imports it.
}

// patch reports whether the newest version only mends what there is.
func (u update) patch() bool {
	have, newest := strings.SplitN(u.have, ".", 3), strings.SplitN(u.newest, ".", 3)
	return len(have) == 3 && len(newest) == 3 && have[0] == newest[0] && have[1] == newest[1]
}

// listed is what the go command says of a module.
type listed struct {
	Path, Version string
	Indirect      bool
	Update        *struct{ Version string }
	Error         *struct{ Err string }
}

// updatesOf asks for the newer versions of what the go.mod of a folder requires. The
// graph of modules has more of them, of which nothing is compiled. unknown are modules
// that the proxy says nothing about.
func updatesOf(ctx context.Context, folder string) (updates []update, unknown []string, err error) {
	required, err := requirements(ctx, folder)
	if err != nil || len(required) == 0 {
		return nil, nil, err
	}
	text, err := goCommand(ctx, folder, append([]string{"list", "-m", "-u", "-e", "-json"}, required...)...)
	if err != nil {
		return nil, nil, err
	}
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var m listed
		err := decoder.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return updates, unknown, nil
		case err != nil:
			return nil, nil, fmt.Errorf("go list: %w", err)
		case m.Error != nil:
			unknown = append(unknown, m.Path)
		case m.Update != nil:
			updates = append(updates, update{m.Path, m.Version, m.Update.Version, !m.Indirect})
		}
	}
}

// requirements are the modules that a go.mod names, but for those that it replaces by
// folders.
func requirements(ctx context.Context, folder string) ([]string, error) {
	text, err := goCommand(ctx, folder, "mod", "edit", "-json")
	if err != nil {
		return nil, err
	}
	var file struct {
		Require []struct{ Path string }
		Replace []struct{ Old struct{ Path string } }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("go mod edit: %w", err)
	}
	replaced := make(map[string]bool)
	for _, r := range file.Replace {
		replaced[r.Old.Path] = true
	}
	var required []string
	for _, r := range file.Require {
		if !replaced[r.Path] {
			required = append(required, r.Path)
		}
	}
	return required, nil
}

// goCommand runs the go command. Its error is the first line that it says.
func goCommand(ctx context.Context, folder string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", args...) //nolint:gosec // The arguments are this program's own.
	command.Dir = folder
	command.WaitDelay = time.Second
	var said, complaint bytes.Buffer
	command.Stdout, command.Stderr = &said, &complaint
	err := command.Run()
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("the time is over")
	case err != nil:
		first, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, first)
	}
	return said.Bytes(), nil
}
