package esdbserver

import (
	"reflect"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"daybook/eventstore"
)

// heard keeps what a subscription says.
type heard struct {
	streams.Streams_ReadServer
	words []string
}

func (h *heard) Send(m *streams.ReadResp) error {
	switch m.GetContent().(type) {
	case *streams.ReadResp_CaughtUp_:
		h.words = append(h.words, "caught up")
	case *streams.ReadResp_FellBehind_:
		h.words = append(h.words, "fell behind")
	}
	return nil
}

// TestStanding: a subscription is not behind because of a burst that it keeps up with.
func TestStanding(t *testing.T) {
	client := &heard{}
	f := &follower{stream: client}
	records := func(n int, live bool) eventstore.Batch {
		return eventstore.Batch{Records: make([]eventstore.Record, n), Live: live}
	}
	for _, step := range []struct {
		name  string
		batch eventstore.Batch
		says  []string
	}{
		{"catching up", records(behindAfter+1, false), nil},
		{"at the end", records(1, true), []string{"caught up"}},
		{"still there", records(7, true), nil},
		{"a burst", records(behindAfter/2, false), nil},
		{"its end", records(behindAfter/2, true), nil},
		{"another one", records(behindAfter, false), nil},
		{"that goes on", records(1, false), []string{"fell behind"}},
		{"and on", records(behindAfter+1, false), nil},
		{"its end", records(0, true), []string{"caught up"}},
	} {
		client.words = nil
		if err := f.standing(step.batch); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(client.words, step.says) {
			t.Errorf("%s: it says %q, want %q", step.name, client.words, step.says)
		}
	}
}
