package codec

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"daybook/domain"
	"daybook/eventstore"
)

// Metadata is what is kept beside an event: who asked for it, by which command, and when
// it was decided. Nothing in it may be personal: it is not encrypted.
type Metadata struct {
	CommandID [16]byte       // zero for none
	BodyHash  []byte         // keyed hash of the request's body, 16 bytes; may be empty
	DecidedAt domain.Instant // the event's stamp
	Actor     domain.Actor
	Reason    string // why the house acts by itself, in this program's words; may be empty
	RequestID string // for tracing; may be empty

	Role    string // what the actor was at the restaurant then, such as "owner" or "diner"; may be empty
	APIKey  string // id of the key that the request came with; empty for none
	Process string // name of the process manager that acted; empty where somebody did
	// Cause is the id of the event that made this command or, of an import, the batch; empty
	// where a request did.
	Cause string
	// Correlation is what all that follows from one request shares. It is left empty where
	// it would only repeat what else stands here: see CorrelationID.
	Correlation string
}

// CorrelationID is the same for all that follows from one request, whoever did it: the
// correlation that is on record, else the id of the request itself or the batch of an import,
// else the id of the command. It is empty where the house acted on nobody's request.
func (m Metadata) CorrelationID() string {
	switch {
	case m.Correlation != "":
		return m.Correlation
	case m.RequestID != "":
		return m.RequestID
	case m.Actor.Kind == domain.ActorImport && m.Cause != "":
		return m.Cause
	case m.CommandID != [16]byte{}:
		return eventstore.EventID(m.CommandID).String()
	}
	return ""
}

// metadataV1 is the same for every event. Its "v" is the version of the event's form.
type metadataV1 struct {
	Version   int            `json:"v"`
	DecidedAt domain.Instant `json:"decidedAt"`
	CommandID commandID      `json:"commandId,omitzero"`
	BodyHash  []byte         `json:"bodyHash,omitempty"`
	Actor     actorV1        `json:"actor,omitzero"`
	Reason    string         `json:"reason,omitempty"`
	RequestID string         `json:"requestId,omitempty"`

	Role        string `json:"role,omitempty"`
	APIKey      string `json:"apiKey,omitempty"`
	Process     string `json:"process,omitempty"`
	Cause       string `json:"cause,omitempty"`
	Correlation string `json:"correlation,omitempty"`
}

type actorV1 struct {
	Kind domain.ActorKind `json:"kind"`
	User domain.UserID    `json:"user,omitempty"`
}

// commandID is written as UUIDs usually are.
type commandID [16]byte

func (id commandID) MarshalText() ([]byte, error) {
	return []byte(eventstore.EventID(id).String()), nil
}

func (id *commandID) UnmarshalText(b []byte) error {
	if !scanUUID(b, id) {
		return fmt.Errorf("%.60q is no UUID", b)
	}
	return nil
}

// scanUUID reads the 8-4-4-4-12 form.
func scanUUID(b []byte, id *commandID) bool {
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return false
	}
	var digits [32]byte
	n := copy(digits[:], b[0:8])
	n += copy(digits[n:], b[9:13])
	n += copy(digits[n:], b[14:18])
	n += copy(digits[n:], b[19:23])
	copy(digits[n:], b[24:36])
	_, err := hex.Decode(id[:], digits[:])
	return err == nil
}

func appendMetadata(b []byte, version int, m *Metadata) []byte {
	return writeMetadata(b, &metadataV1{
		Version: version, DecidedAt: m.DecidedAt, CommandID: m.CommandID, BodyHash: m.BodyHash,
		Actor: actorV1(m.Actor), Reason: m.Reason, RequestID: m.RequestID,
		Role: m.Role, APIKey: m.APIKey, Process: m.Process, Cause: m.Cause, Correlation: m.Correlation,
	})
}

// DecodeMetadata reads a record's metadata alone. ErrCorrupt if it is not this package's.
func DecodeMetadata(r eventstore.Record) (Metadata, error) {
	m, _, err := decodeMetadata(r)
	return m, err
}

func decodeMetadata(r eventstore.Record) (Metadata, int, error) {
	var f metadataV1
	if !scanMetadata(r.Metadata, &f) {
		f = metadataV1{}
		if err := json.Unmarshal(r.Metadata, &f); err != nil {
			return Metadata{}, 0, fmt.Errorf("%w: metadata at revision %d of %q: %w", ErrCorrupt, r.Revision, r.Stream, err)
		}
	}
	if f.Version < 1 {
		return Metadata{}, 0, fmt.Errorf("%w: metadata at revision %d of %q has no version", ErrCorrupt, r.Revision, r.Stream)
	}
	return Metadata{
		CommandID: f.CommandID, BodyHash: f.BodyHash, DecidedAt: f.DecidedAt,
		Actor: domain.Actor(f.Actor), Reason: f.Reason, RequestID: f.RequestID,
		Role: f.Role, APIKey: f.APIKey, Process: f.Process, Cause: f.Cause, Correlation: f.Correlation,
	}, f.Version, nil
}
