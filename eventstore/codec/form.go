package codec

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"daybook/domain"
	"daybook/eventstore"
)

// form is how one type of event is written.
type form interface {
	typeName() string
	goType() reflect.Type
	version() int
	encode(context.Context, *ring, place, any) (data []byte, decidedAt domain.Instant, err error)
	decode(ctx context.Context, r *ring, at place, version int, data []byte, stamp domain.Stamp) (event any, erased bool, err error)
}

// place is where an event stands. Its ciphertext opens nowhere else.
type place struct {
	stream    eventstore.StreamName
	id        eventstore.EventID
	eventType string
}

// sealed is the part of a form that carries personal data, always its last two fields.
type sealed struct {
	Subject  string `json:"subject,omitempty"`
	Personal []byte `json:"personal,omitempty"`
}

type stamped interface{ DecidedAt() domain.Instant }

// none is the personal part of an event that has none.
type none struct{}

// object is a JSON object whose values are not read yet.
type object = map[string]json.RawMessage

// upcaster turns the object of one version into that of the next, and its personal part
// likewise; personal is empty where there is none or its key is gone. It depends on
// nothing else.
type upcaster func(clear, personal object) error

// nowPersonal lifts forms that had a field of the same name for all to read.
func nowPersonal(field string) upcaster {
	return func(clear, personal object) error {
		if text, ok := clear[field]; ok {
			personal[field] = text
			delete(clear, field)
		}
		return nil
	}
}

// kind is the form of event E: F in clear, P encrypted.
type kind[E stamped, F any, P comparable] struct {
	name string
	// upcasts[i] turns version i+1 into version i+2; the version written is one past the last.
	upcasts []upcaster
	to      func(E) (F, P)
	from    func(F, P, domain.Stamp) E

	// For events with a personal part: whose it is, and where it goes.
	subject func(eventstore.StreamName, E) (string, error)
	box     func(*F) *sealed

	// For hot events, what encoding/json would do, faster. scan may refuse anything but
	// what write writes; it then leaves the reading to encoding/json. What it takes of an
	// older version must mean today what it meant then.
	write func([]byte, *F) []byte
	scan  func([]byte, *F) bool
}

// open makes the form of an event without a personal part.
func open[E stamped, F any](name string, to func(E) F, from func(F, domain.Stamp) E) *kind[E, F, none] {
	return &kind[E, F, none]{
		name: name,
		to:   func(e E) (F, none) { return to(e), none{} },
		from: func(f F, _ none, s domain.Stamp) E { return from(f, s) },
	}
}

// fast sets what replaces encoding/json.
func (k *kind[E, F, P]) fast(write func([]byte, *F) []byte, scan func([]byte, *F) bool) *kind[E, F, P] {
	k.write, k.scan = write, scan
	return k
}

func (k *kind[E, F, P]) typeName() string     { return k.name }
func (k *kind[E, F, P]) goType() reflect.Type { return reflect.TypeFor[E]() }
func (k *kind[E, F, P]) version() int         { return len(k.upcasts) + 1 }

func (k *kind[E, F, P]) encode(ctx context.Context, r *ring, at place, event any) ([]byte, domain.Instant, error) {
	e := event.(E)
	f, p := k.to(e)
	if p != *new(P) {
		subject, err := k.subject(at.stream, e)
		if err != nil {
			return nil, 0, err
		}
		plain, err := json.Marshal(p)
		if err != nil {
			return nil, 0, err
		}
		box := k.box(&f)
		box.Subject = subject
		if box.Personal, err = r.seal(ctx, subject, at, plain); err != nil {
			return nil, 0, err
		}
	}
	if k.write != nil {
		return k.write(make([]byte, 0, 640), &f), e.DecidedAt(), nil
	}
	data, err := json.Marshal(&f)
	return data, e.DecidedAt(), err
}

func (k *kind[E, F, P]) decode(ctx context.Context, r *ring, at place, version int, data []byte, stamp domain.Stamp) (any, bool, error) {
	f := new(F)
	if k.scan == nil || !k.scan(data, f) {
		if version < k.version() {
			return k.decodeOld(ctx, r, at, version, data, stamp)
		}
		f = new(F) // a scan that gave up may have left something
		if err := json.Unmarshal(data, f); err != nil {
			return nil, false, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	var p P
	if k.box == nil || len(k.box(f).Personal) == 0 {
		return k.from(*f, p, stamp), false, nil
	}
	plain, erased, err := r.open(ctx, *k.box(f), at)
	if err != nil {
		return nil, false, err
	}
	if !erased {
		if err := json.Unmarshal(plain, &p); err != nil {
			return nil, false, fmt.Errorf("%w: personal part: %w", ErrCorrupt, err)
		}
	}
	return k.from(*f, p, stamp), erased, nil
}

// decodeOld lifts an older version step by step before it is read as the current one.
func (k *kind[E, F, P]) decodeOld(ctx context.Context, r *ring, at place, version int, data []byte, stamp domain.Stamp) (any, bool, error) {
	corrupt := func(err error) (any, bool, error) {
		return nil, false, fmt.Errorf("%w: version %d: %w", ErrCorrupt, version, err)
	}
	var box sealed
	doc, personal := object{}, object{}
	if err := json.Unmarshal(data, &doc); err != nil {
		return corrupt(err)
	}
	if err := json.Unmarshal(data, &box); err != nil {
		return corrupt(err)
	}
	erased := false
	if len(box.Personal) > 0 {
		plain, gone, err := r.open(ctx, box, at)
		if err != nil {
			return nil, false, err
		}
		if erased = gone; !gone {
			if err := json.Unmarshal(plain, &personal); err != nil {
				return corrupt(err)
			}
		}
	}
	for _, up := range k.upcasts[version-1:] {
		if err := up(doc, personal); err != nil {
			return corrupt(err)
		}
	}
	var f F
	var p P
	if err := reread(doc, &f); err != nil {
		return corrupt(err)
	}
	if err := reread(personal, &p); err != nil {
		return corrupt(err)
	}
	if len(box.Personal) == 0 && p != *new(P) {
		// It stood in clear when it was written. Once its subject is erased it is shown to nobody.
		subject, err := k.subject(at.stream, k.from(f, p, stamp))
		if err != nil {
			return corrupt(err)
		}
		if erased, err = r.erased(ctx, subject); err != nil {
			return nil, false, err
		}
	}
	if erased {
		p = *new(P)
	}
	return k.from(f, p, stamp), erased, nil
}

func reread(from object, into any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// each applies to every element; none stay nil, so that an absent list reads as one.
func each[A, B any](list []A, to func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = to(a)
	}
	return out
}
