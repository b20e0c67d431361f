package readapi

import (
	"context"
	"errors"
	"net/http"

	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/projections/book"
	"daybook/projections/proof"
)

// receipt is an event with the proof that it is in the ledger, complete in itself.
type receipt struct {
	proof.Receipt
	EventID     string `json:"eventId"`
	VerifierKey string `json:"verifierKey"`
}

func (r *reads) receipts(api *httpapi.API) {
	one := get("read-receipt", "/ledger/receipts/{eventId}", "An event with the proof that it is in the ledger", "Ledger")
	one.Description = "For those whom the event concerns: of a restaurant its own people, of a reservation or an entry of a waitlist also its diner, of an account its user. Personal data is left out: the hash of its ciphertext stands for it. `daybook verify receipt FILE` checks it without this service."
	one.Security, one.Errors = httpapi.LoggedIn, append(one.Errors, http.StatusNotFound)
	httpapi.Handle(api, one, func(ctx context.Context, in *struct {
		After
		EventID string `path:"eventId" doc:"a UUID, as events carry it"`
	}) (*body[receipt], error) {
		index, err := r.indexOf(ctx, in.After, in.EventID)
		if err != nil {
			return nil, err
		}
		e, err := r.Proof.Log().Entry(index)
		if err != nil {
			return nil, err
		}
		record, err := r.Book.Event(ctx, e.Stream, e.Revision)
		if errors.Is(err, book.ErrNotFound) {
			err = ofLog("", errors.Join(proof.ErrReceipt, err)) // the log has it
		}
		if err != nil {
			return nil, err
		}
		concerned, err := r.Book.Concerns(ctx, record, r.now())
		if err != nil {
			return nil, err
		}
		own, staff, err := r.whose(ctx, concerned.User, concerned.Restaurant)
		if err != nil {
			return nil, err
		}
		if !own && !staff {
			return nil, notFound("event")
		}
		return r.receiptOf(ctx, record, index)
	})

	waits := get("read-waitlist-receipt", "/waitlist/{id}/receipt", "Proof of when an entry joined its waitlist", "Waitlist")
	waits.Description = "The event by which it joined, with the proof that it is in the ledger. With a copy of the ledger, even one without personal data, `daybook verify waitlist` shows whether anybody was preferred without a recorded reason."
	waits.Security, waits.Errors = httpapi.LoggedIn, append(waits.Errors, http.StatusNotFound)
	httpapi.Handle(api, waits, func(ctx context.Context, in *struct {
		After
		ID string `path:"id" doc:"the entry's id, wtl_…"`
	}) (*body[receipt], error) {
		w, _, err := r.waiting(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		record, err := r.Book.Joined(ctx, w.ID)
		if err != nil {
			return nil, err
		}
		index, err := r.indexOf(ctx, After{Position: uint64(record.Position)}, record.ID.String())
		if err != nil {
			return nil, err
		}
		return r.receiptOf(ctx, record, index)
	})
}

// receiptOf proves an event that is in the log.
func (r *reads) receiptOf(ctx context.Context, record eventstore.Record, index uint64) (*body[receipt], error) {
	head, err := r.sign(ctx, index+1)
	if err != nil {
		return nil, err
	}
	made, err := r.Proof.Log().NewReceipt(record, index, head)
	if err != nil {
		return nil, ofLog("", err)
	}
	return &body[receipt]{receipt{made, record.ID.String(), r.Proof.Verifier().String()}}, nil
}
