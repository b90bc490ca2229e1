package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/admin-gateway/admin-gateway/internal/schema"
	"github.com/admin-gateway/admin-gateway/proto"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

type schemaCommand struct {
	Output string `short:"o" required:"" placeholder:"DIR" help:"Folder to write into: proto/, descriptors.binpb, openapi.json. It has to be empty or new."`
	Force  bool   `help:"Write into a folder that is not empty: replace these three in it, and leave other files."`
}

// Run writes the schema.
func (c *schemaCommand) Run(ctx context.Context, std streams) error {
	described, err := schema.New(ctx, catalog.Files(), proto.Sources)
	if err != nil {
		return err
	}
	err = described.Write(c.Output, version(), c.Force)
	if _, ok := errors.AsType[*schema.NotEmptyError](err); ok {
		return fmt.Errorf("flag --output: %w; --force writes into it all the same", err)
	}
	if err != nil {
		return fmt.Errorf("flag --output: %w", err)
	}
	_, err = fmt.Fprintf(std.out, "%s has proto/ (for protoc and buf), descriptors.binpb, openapi.json (the REST door).\n", c.Output)
	return err
}
