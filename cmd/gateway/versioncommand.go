package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
)

type versionCommand struct {
	Format output.Format `enum:"table,json,yaml" default:"table" help:"table, which is one line, json or yaml."`
}

// Run prints what --version does, or its parts.
func (c *versionCommand) Run(std streams) error {
	if c.Format == output.Text {
		_, err := fmt.Fprintln(std.out, version())
		return err
	}
	info, _ := debug.ReadBuildInfo()
	return output.Value(std.out, c.Format, struct {
		Version  string `json:"version"`
		Commit   string `json:"commit,omitempty"`
		Modified bool   `json:"modified,omitempty"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{
		Version: releaseOf(info), Commit: setting(info, "vcs.revision"), Modified: setting(info, "vcs.modified") == "true",
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	})
}
