package codec

import (
	"encoding/json"
	"fmt"

	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// Why tables are blocked is what a restaurant's people write for themselves, and they may
// name a guest. It is sealed with a key of the restaurant's own.

// restaurantSubject is whose key seals it: the restaurant's that a stream belongs to.
func restaurantSubject(s eventstore.StreamName) (string, error) {
	r, ok := TradeOf(s)
	if !ok {
		return "", fmt.Errorf("%w: %q is no restaurant's stream", eventstore.ErrInvalid, s)
	}
	return string(r), nil
}

// blockReasons is why each block of an event was made, in the order of its blocks.
type blockReasons struct {
	Reasons *[]string `json:"blockReasons,omitempty"` // nil where none says why
}

func reasonsOf(blocks []restaurantday.Block) (r blockReasons) {
	for i, b := range blocks {
		if b.Reason == "" {
			continue
		}
		if r.Reasons == nil {
			reasons := make([]string, len(blocks))
			r.Reasons = &reasons
		}
		(*r.Reasons)[i] = b.Reason
	}
	return r
}

// into gives blocks their reasons back.
func (r blockReasons) into(blocks []restaurantday.Block) []restaurantday.Block {
	if r.Reasons != nil {
		for i := range min(len(blocks), len(*r.Reasons)) {
			blocks[i].Reason = (*r.Reasons)[i]
		}
	}
	return blocks
}

// planReasonsInClear lifts forms that had the reasons for all to read.
func planReasonsInClear(clear, personal object) error {
	var plan object
	if err := json.Unmarshal(clear["plan"], &plan); err != nil {
		return err
	}
	return blockReasonsInClear(plan, personal)
}

// blockReasonsInClear leaves the blocks as they are: the form that is read does not have
// the field.
func blockReasonsInClear(clear, personal object) error {
	if clear["blocks"] == nil {
		return nil
	}
	var blocks []struct {
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal(clear["blocks"], &blocks); err != nil {
		return err
	}
	said := false
	reasons := make([]string, len(blocks))
	for i, b := range blocks {
		reasons[i], said = b.Reason, said || b.Reason != ""
	}
	if !said {
		return nil
	}
	text, err := json.Marshal(reasons)
	personal["blockReasons"] = text
	return err
}
