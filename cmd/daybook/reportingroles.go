package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"daybook/projections/reporting"
)

// reportingCommands are about who reads the reporting tables.
type reportingCommands struct {
	Grant  grantCommand  `cmd:"" help:"Let a role of Postgres read the reporting tables, also after they are rebuilt, and nothing else."`
	Revoke revokeCommand `cmd:"" help:"Take that back."`
}

type reportingRole struct {
	PostgresURL string `name:"postgres-url" required:"" env:"POSTGRES_URL" placeholder:"postgres://…" help:"Where the tables are, as the user who owns them."`
	Role        string `arg:"" help:"The role, which must exist: CREATE ROLE analyst LOGIN PASSWORD …"`
}

type grantCommand struct{ reportingRole }

func (c *grantCommand) Run(ctx context.Context, out io.Writer) error {
	if err := c.with(ctx, (*reporting.Database).GrantReader); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "role %s reads the tables of schema reporting, and will after each rebuild; it writes nothing\n", c.Role)
	return err
}

type revokeCommand struct{ reportingRole }

func (c *revokeCommand) Run(ctx context.Context, out io.Writer) error {
	if err := c.with(ctx, (*reporting.Database).RevokeReader); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "role %s reads the tables of schema reporting no longer\n", c.Role)
	return err
}

// with does something with the tables, which need no data folder.
func (c *reportingRole) with(ctx context.Context, do func(*reporting.Database, context.Context, string) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	db, err := reporting.Open(ctx, c.PostgresURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db, ctx, c.Role)
}
