package readapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
	"daybook/projections/proof"
)

// Heads and proofs are for everybody: they tell nothing of anybody, and a head protects only
// if many have it. What an event says is another matter: see receipts.

// freshEnough is how old a signed head may be that is handed out though the log has grown.
const freshEnough = 10 * time.Second

// checkpoint is a signed head.
type checkpoint struct {
	Origin      string `json:"origin" doc:"names the log"`
	Size        uint64 `json:"size" doc:"how many events it is of"`
	Root        string `json:"root" doc:"RFC 6962's root hash, in base64"`
	Checkpoint  string `json:"checkpoint" doc:"the signed note, as C2SP's tlog-checkpoint describes it"`
	VerifierKey string `json:"verifierKey" doc:"what the signature is checked with"`
}

// inclusion proves that an event is in the log.
type inclusion struct {
	EventID     string   `json:"eventId"`
	Index       uint64   `json:"index" doc:"of the event, from 0"`
	Leaf        string   `json:"leaf" doc:"its leaf hash, in base64"`
	Size        uint64   `json:"size" doc:"of the log that the proof is for"`
	Root        string   `json:"root" doc:"the root hash of that size, in base64"`
	Hashes      []string `json:"hashes" doc:"RFC 6962's audit path, in base64"`
	Checkpoint  string   `json:"checkpoint,omitempty" doc:"the signed head of that size, where the request named no size"`
	VerifierKey string   `json:"verifierKey"`
}

// consistency proves that one size of the log begins with another.
type consistency struct {
	From     uint64   `json:"from"`
	FromRoot string   `json:"fromRoot"`
	To       uint64   `json:"to"`
	ToRoot   string   `json:"toRoot"`
	Hashes   []string `json:"hashes" doc:"RFC 6962's consistency proof, in base64; none from 0"`
}

// textOrJSON is an answer in one or the other.
type textOrJSON struct {
	ContentType string `header:"Content-Type"`
	Body        any
}

func (r *reads) ledger(api *httpapi.API) {
	head := get("read-checkpoint", "/ledger/checkpoint", "The newest signed head of the ledger's Merkle log", "Ledger")
	head.Description = "Keep it where nobody who could alter the ledger can: `daybook verify --checkpoint FILE` then finds whatever was altered, dropped, inserted or put in another order up to it. One that is at most 10 s old may be given again."
	head.Responses = map[string]*huma.Response{"200": {Description: "the head", Content: map[string]*huma.MediaType{
		"text/plain":       {Schema: &huma.Schema{Type: huma.TypeString, Description: "the signed note"}},
		"application/json": {Schema: huma.SchemaFromType(api.Huma.OpenAPI().Components.Schemas, reflect.TypeFor[checkpoint]())},
	}}}
	httpapi.Handle(api, head, func(ctx context.Context, in *struct {
		After
		Format string `query:"format" enum:"text,json" default:"text"`
	}) (*textOrJSON, error) {
		h, err := r.signed(ctx, in.After)
		if err != nil {
			return nil, err
		}
		if in.Format == "json" {
			return &textOrJSON{"application/json", checkpoint{
				Origin: h.Origin, Size: h.Size, Root: h.Root.String(), Checkpoint: string(h.Note), VerifierKey: r.Proof.Verifier().String(),
			}}, nil
		}
		return &textOrJSON{"text/plain; charset=utf-8", h.Note}, nil
	})

	included := get("prove-inclusion", "/ledger/proof/{eventId}", "Proof that an event is in the ledger", "Ledger")
	included.Errors = append(included.Errors, http.StatusNotFound)
	httpapi.Handle(api, included, func(ctx context.Context, in *struct {
		After
		EventID string `path:"eventId" doc:"a UUID, as events carry it"`
		Size    int64  `query:"size" minimum:"1" doc:"of the log to prove it in; without it the newest signed head's, or a new one's"`
	}) (*body[inclusion], error) {
		index, err := r.indexOf(ctx, in.After, in.EventID)
		if err != nil {
			return nil, err
		}
		log, out := r.Proof.Log(), inclusion{EventID: in.EventID, Index: index, Size: uint64(in.Size), VerifierKey: r.Proof.Verifier().String()}
		if in.Size == 0 {
			h, err := r.sign(ctx, index+1)
			if err != nil {
				return nil, err
			}
			out.Size, out.Checkpoint = h.Size, string(h.Note)
		}
		e, err := log.Entry(index)
		if err != nil {
			return nil, ofLog("size", err)
		}
		root, err := log.Root(out.Size)
		if err != nil {
			return nil, ofLog("size", err)
		}
		hashes, err := log.Inclusion(index, out.Size)
		if err != nil {
			return nil, ofLog("size", err)
		}
		out.Leaf, out.Root, out.Hashes = e.Leaf.String(), root.String(), proof.Texts(hashes)
		return &body[inclusion]{out}, nil
	})

	consistent := get("prove-consistency", "/ledger/consistency", "Proof that the ledger only grew from one size to another", "Ledger")
	httpapi.Handle(api, consistent, func(ctx context.Context, in *struct {
		After
		From int64 `query:"from" minimum:"0" required:"true" doc:"a size of the log, such as that of a head kept before"`
		To   int64 `query:"to" minimum:"0" required:"true" doc:"a later size"`
	}) (*body[consistency], error) {
		if err := r.wait(ctx, proof.Name, in.After); err != nil {
			return nil, err
		}
		if err := r.unforked(); err != nil {
			return nil, err
		}
		log := r.Proof.Log()
		from, err := log.Root(uint64(in.From))
		if err != nil {
			return nil, ofLog("from", err)
		}
		to, err := log.Root(uint64(in.To))
		if err != nil {
			return nil, ofLog("to", err)
		}
		hashes, err := log.Consistency(uint64(in.From), uint64(in.To))
		if err != nil {
			return nil, ofLog("from", err)
		}
		return &body[consistency]{consistency{
			From: uint64(in.From), FromRoot: from.String(), To: uint64(in.To), ToRoot: to.String(), Hashes: proof.Texts(hashes),
		}}, nil
	})

	key := get("read-verifier-key", "/ledger/key", "The key that signed heads are checked with", "Ledger")
	key.Description = "A verifier key as signed notes use it. Take it once, from somebody you trust, and compare: a key that comes from where the heads come from proves little."
	key.Responses = map[string]*huma.Response{"200": {Description: "the key", Content: map[string]*huma.MediaType{
		"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}}
	httpapi.Handle(api, key, func(context.Context, *struct{}) (*textOrJSON, error) {
		return &textOrJSON{"text/plain; charset=utf-8", []byte(r.Proof.Verifier().String() + "\n")}, nil
	})
}

// signed is a head that holds what the request wants to see.
func (r *reads) signed(ctx context.Context, a After) (proof.Head, error) {
	if err := r.wait(ctx, proof.Name, a); err != nil {
		return proof.Head{}, err
	}
	if a.Position > 0 {
		return r.sign(ctx, r.Proof.Log().Size())
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h, err := r.Proof.SignedWithin(ctx, freshEnough)
	return h, ofLog("", err)
}

// sign is a head of at least this size.
func (r *reads) sign(ctx context.Context, covering uint64) (proof.Head, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h, err := r.Proof.Sign(ctx, covering)
	return h, ofLog("", err)
}

// unforked refuses to prove anything of a ledger that is not the one that was signed.
func (r *reads) unforked() error { return ofLog("", r.Proof.Fault()) }

// indexOf is where an event stands in the log.
func (r *reads) indexOf(ctx context.Context, a After, eventID string) (uint64, error) {
	id, ok := eventstore.ParseEventID(eventID)
	if !ok {
		return 0, notFound("event")
	}
	if err := r.wait(ctx, proof.Name, a); err != nil {
		return 0, err
	}
	if err := r.unforked(); err != nil {
		return 0, err
	}
	index, err := r.Proof.Log().IndexOf(id)
	return index, ofLog("", err)
}

// ofLog tells what went wrong with the log; query names the value that a size came from.
func ofLog(query string, err error) error {
	var fork *proof.ForkError
	switch {
	case errors.As(err, &fork), errors.Is(err, proof.ErrReceipt):
		slog.Error("the ledger is not the one that was signed: nothing is proved of it", "error", err)
		return problem.New(problem.LedgerDiffers, "what is in the ledger is not what was signed; its operator has to find out why")
	case errors.Is(err, proof.ErrUnknown):
		return notFound("event")
	case errors.Is(err, proof.ErrSize) && query != "":
		return badQuery(query, err.Error())
	case errors.Is(err, proof.ErrBuilding), errors.Is(err, context.DeadlineExceeded):
		return problem.New(problem.ViewBehind, "the log is being built, or too many ask for a head at once; ask again")
	default:
		return err
	}
}
