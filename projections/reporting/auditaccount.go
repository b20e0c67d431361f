package reporting

import (
	"context"

	"daybook/domain/user"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// accountSnapshot is an account without what is personal.
type accountSnapshot struct {
	Consents []user.Consent `json:"consents"`
}

// account adds the audit of a change of somebody's account: his own stream, and the claim of
// his address. These have no rows but in the audit, and what stands there needs no fold.
func (v *View) account(ctx context.Context, c *changes, r eventstore.Record) error {
	id, isUser := codec.ParseUserStream(r.Stream)
	if !isUser && r.Type != codec.TypeEmailClaimed {
		return nil
	}
	d, err := decode(ctx, v.codec, r)
	if err != nil || d.Event == nil {
		return err
	}
	e := entry{record: r, meta: d.Meta, account: id}
	switch event := d.Event.(type) {
	case user.Registered:
		e.after = accountSnapshot{Consents: append([]user.Consent{}, event.Consents...)}
	case user.Claimed:
		e.account = event.User
	}
	c.entry(e)
	return nil
}
