package main

import (
	"encoding/json"
	"os"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// openedConfig is the config of a command, which has passed its check.
type openedConfig struct {
	config.Config

	// unknown are the environment variables that no key has.
	unknown config.UnknownVariables
	// places know where its values are from.
	places *config.Places
}

// openConfig reads and checks the config of a command. It writes the unknown environment
// variables if the config is faulty: a misspelt variable may be the cause.
func openConfig(path string, std streams) (openedConfig, error) {
	conf, places, err := config.Read(path, os.LookupEnv, build.Defaults())
	if err != nil {
		return openedConfig{}, err
	}
	opened := openedConfig{conf, conf.Unknown(os.Environ()), places}
	if err := conf.Check(build.Defaults()); err != nil {
		opened.unknown.Warn(std.err)
		return openedConfig{}, places.Locate(err)
	}
	return opened, nil
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
