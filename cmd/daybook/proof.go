package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"daybook/eventstore"
	"daybook/internal/telemetry"
	"daybook/projections/proof"
)

// headsSecret names the secret that stands for the key of signed heads.
const headsSecret = "ledger-heads"

// headEvery is how often a head is signed while nobody asks for one.
const headEvery = 10 * time.Minute

// proofFolder is where in a data folder the Merkle log of the ledger lies.
func proofFolder(data string) string { return filepath.Join(data, "proof") }

// headsFile is where the heads that were signed are kept.
func headsFile(data string) string { return filepath.Join(data, "checkpoints.txt") }

// openProof opens the Merkle log of the ledger.
func openProof(data string, secret []byte, store eventstore.Reader) (*proof.View, error) {
	key, err := proof.NewKey(secret)
	if err != nil {
		return nil, err
	}
	v, err := proof.Open(proof.Options{Dir: proofFolder(data), Heads: headsFile(data), Key: key, Store: store})
	switch {
	case errors.Is(err, proof.ErrHeads):
		return nil, fmt.Errorf("%w; if the keys were made anew on purpose, move the file away and tell those who keep heads", err)
	case err != nil:
		return nil, fmt.Errorf("the Merkle log of the ledger: %w; it can be thrown away: remove %s and it is built again", err, proofFolder(data))
	}
	return v, nil
}

// warnings is what an operator has to know although requests are taken.
func (h *house) warnings() []string {
	if err := h.views.proof.Fault(); err != nil {
		return []string{"the ledger is not the one that was signed, or its Merkle log cannot be read: run daybook verify"}
	}
	return nil
}

// observeProof shows how far the log and the signed heads have come.
func observeProof(m *telemetry.Metrics, v *proof.View) {
	m.Gauge("daybook_proof_events", "The events in the Merkle log of the ledger.", nil, func() float64 { return float64(v.Log().Size()) })
	m.Gauge("daybook_proof_signed_events", "The events in the newest signed head of that log.", nil, func() float64 {
		head, _ := v.Newest()
		return float64(head.Size)
	})
	m.Gauge("daybook_proof_fault", "1 if the ledger is not the one that was signed: run daybook verify.", nil, func() float64 {
		if v.Fault() != nil {
			return 1
		}
		return 0
	})
}
