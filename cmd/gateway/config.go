package main

import (
	"encoding/json"
	"os"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// openConfig reads and checks the config of a command. It returns the unknown
// environment variables, or writes them if the config is faulty: a misspelt
// variable may be the cause.
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

// Run prints every key of the config.
func (c *referenceCommand) Run(std streams) error {
	keys := config.Reference(build.Defaults())
	if c.Format == "json" {
		encoder := json.NewEncoder(std.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(keys)
	}
	return config.WriteMarkdown(std.out, keys)
}
