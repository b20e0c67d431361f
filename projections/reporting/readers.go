package reporting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrNoRoles refuses to grant anything in a SQLite file, which has no roles.
var ErrNoRoles = errors.New("reporting: a SQLite file has no roles: whoever may read the file may read the tables")

// ErrReader refuses a role that cannot be made one that only reads.
var ErrReader = errors.New("reporting: the role cannot be given the tables to read")

// lent are the tables that readers see: those of the view, and how far it is.
func lent() []string { return append(slices.Clone(viewTables), "checkpoints") }

// GrantReader lets a role of Postgres read the live tables, now and after each rebuild,
// rollback and migration, and nothing else of this schema. The role must exist, and have no
// way of its own to write them. Errors: ErrNoRoles, ErrReader.
func (db *Database) GrantReader(ctx context.Context, role string) error {
	if _, ok := db.engine.(*postgres); !ok {
		return ErrNoRoles
	}
	return db.engine.exclusive(ctx, func(t tx) error {
		var super, may bool
		err := one(ctx, t.query, []any{&super, &may}, `SELECT rolsuper, pg_has_role(rolname, current_user, 'MEMBER')
			FROM pg_catalog.pg_roles WHERE CAST(rolname AS TEXT) = $1`, role) // a name would be cut
		switch {
		case errors.Is(err, errNoRow):
			return fmt.Errorf("%w: there is no role %q: CREATE ROLE … LOGIN PASSWORD …", ErrReader, role)
		case err != nil:
			return fmt.Errorf("reporting: grant: %w", err)
		case super || may:
			return fmt.Errorf("%w: %q is a superuser, or a member of the role that owns the tables, and may write them whatever is granted", ErrReader, role)
		}
		if _, err := t.exec(ctx, "INSERT INTO readers (role, granted_at) VALUES ($1, $2) ON CONFLICT (role) DO NOTHING", role, now()); err != nil {
			return err
		}
		return lend(ctx, t)
	})
}

// RevokeReader takes back what GrantReader gave. Revoking what was never granted changes
// nothing. Error: ErrNoRoles.
func (db *Database) RevokeReader(ctx context.Context, role string) error {
	if _, ok := db.engine.(*postgres); !ok {
		return ErrNoRoles
	}
	return db.engine.exclusive(ctx, func(t tx) error {
		there, err := roles(ctx, t)
		if err != nil {
			return err
		}
		if slices.Contains(there, role) {
			to := pgx.Identifier{role}.Sanitize()
			for _, sql := range []string{
				"REVOKE ALL ON ALL TABLES IN SCHEMA " + schema + " FROM " + to,
				"REVOKE ALL ON SCHEMA " + schema + " FROM " + to,
			} {
				if _, err := t.exec(ctx, sql); err != nil {
					return err
				}
			}
		}
		_, err = t.exec(ctx, "DELETE FROM readers WHERE role = $1", role)
		return err
	})
}

// roles are the readers that there still are. Without any, as in SQLite, nothing else is asked.
func roles(ctx context.Context, t tx) (all []string, err error) {
	var count int
	if err := one(ctx, t.query, []any{&count}, "SELECT COUNT(*) FROM readers"); err != nil || count == 0 {
		return nil, err
	}
	err = t.query(ctx, func(row scanner) error {
		var role string
		if err := row.Scan(&role); err != nil {
			return err
		}
		all = append(all, role)
		return nil
	}, "SELECT r.role FROM readers r JOIN pg_catalog.pg_roles p ON p.rolname = r.role ORDER BY r.role")
	return all, err
}

// lend gives every reader the live tables, and none of those beside them: a table keeps its
// grants when it is renamed, and a new one has none.
func lend(ctx context.Context, t tx) error {
	all, err := roles(ctx, t)
	if err != nil {
		return fmt.Errorf("reporting: readers: %w", err)
	}
	for _, role := range all {
		to := pgx.Identifier{role}.Sanitize()
		for _, sql := range []string{
			"REVOKE ALL ON ALL TABLES IN SCHEMA " + schema + " FROM " + to,
			"GRANT USAGE ON SCHEMA " + schema + " TO " + to,
			"GRANT SELECT ON " + strings.Join(lent(), ", ") + " TO " + to,
		} {
			if _, err := t.exec(ctx, sql); err != nil {
				return fmt.Errorf("reporting: let role %s read: %w", role, err)
			}
		}
	}
	return nil
}
