package main

import (
	"encoding/json"
	"os"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// openConfig reads the config of a command, and finds what of the environment was
// meant for it and is not read. Where the config is at fault, it says the latter
// at once: that may be why.
func openConfig(path string, std streams) (config.Config, config.UnknownVariables, error) {
	conf, err := config.Read(path, os.LookupEnv, build.Defaults())
	if err != nil {
		return conf, nil, err
	}
	unknown := conf.Unknown(os.Environ())
	if err := conf.Check(build.Defaults()); err != nil {
		unknown.Warn(std.err)
		return conf, nil, err
	}
	return conf, unknown, nil
}

type referenceCommand struct {
	Format string `enum:"markdown,json" default:"markdown" help:"markdown or json."`
}

// Run prints what there is to configure.
func (c *referenceCommand) Run(std streams) error {
	keys := config.Reference(build.Defaults())
	if c.Format == "json" {
		encoder := json.NewEncoder(std.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(keys)
	}
	return config.WriteMarkdown(std.out, keys)
}
