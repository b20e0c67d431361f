package esdbserver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

// group is a name that other calls use as well, mostly.
func (c chance) group() string { return pick(c, "", "g", "g", "h", "h", c.text()) }

// stream is a name of a stream with events, mostly.
func (c chance) stream() *shared.StreamIdentifier {
	return name(pick(c, "day-0", "day-0", "day-1", c.text()))
}

func (c chance) createGroup() *persistent.CreateReq {
	m := filled(c, &persistent.CreateReq{})
	if m.GetOptions() == nil || c.IntN(4) == 0 {
		return m
	}
	m.Options.GroupName = c.group()
	m.Options.Settings = &persistent.CreateReq_Settings{MaxRetryCount: int32(c.IntN(3)), NamedConsumerStrategy: persistent.CreateReq_ConsumerStrategy(c.IntN(3))}
	if c.IntN(2) == 0 {
		m.Options.Settings.ConsumerStrategy = pick(c, "Pinned", "PinnedByCorrelation", "None")
		m.Options.Settings.MessageTimeout = &persistent.CreateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: int32(c.IntN(30))}
	}
	if s := m.Options.GetStream(); s != nil {
		s.StreamIdentifier = c.stream()
	}
	return m
}

func (c chance) updateGroup() *persistent.UpdateReq {
	m := filled(c, &persistent.UpdateReq{})
	if m.GetOptions() == nil || c.IntN(4) == 0 {
		return m
	}
	m.Options.GroupName = c.group()
	m.Options.Settings = &persistent.UpdateReq_Settings{MaxRetryCount: int32(c.IntN(3))}
	if s := m.Options.GetStream(); s != nil {
		s.StreamIdentifier = c.stream()
	}
	return m
}

func (c chance) answer(last *persistent.ReadResp) *persistent.ReadReq {
	m := filled(c, &persistent.ReadReq{})
	id := last.GetEvent().GetEvent().GetId()
	if link := last.GetEvent().GetLink(); link != nil {
		id = link.GetId()
	}
	if id == nil || c.IntN(8) == 0 {
		return m
	}
	if c.IntN(2) == 0 {
		return &persistent.ReadReq{Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{Ids: []*shared.UUID{id}}}}
	}
	return &persistent.ReadReq{Content: &persistent.ReadReq_Nack_{Nack: &persistent.ReadReq_Nack{
		Ids: []*shared.UUID{id}, Action: persistent.ReadReq_Nack_Action(c.IntN(6)), Reason: c.text(),
	}}}
}

// groupCall makes one call about persistent subscriptions at random.
func (c chance) groupCall(ctx context.Context, conn *grpc.ClientConn) (what string, err error) {
	client := persistent.NewPersistentSubscriptionsClient(conn)
	switch c.IntN(10) {
	case 0, 1:
		_, err = client.Create(ctx, c.createGroup())
		return "Create", err
	case 2:
		_, err = client.Update(ctx, c.updateGroup())
		return "Update", err
	case 3:
		m := filled(c, &persistent.DeleteReq{})
		if o := m.GetOptions(); o.GetStreamIdentifier() != nil {
			o.GroupName, o.StreamOption = c.group(), &persistent.DeleteReq_Options_StreamIdentifier{StreamIdentifier: c.stream()}
		}
		_, err = client.Delete(ctx, m)
		return "Delete", err
	case 4:
		m := filled(c, &persistent.GetInfoReq{})
		if o := m.GetOptions(); o.GetStreamIdentifier() != nil {
			o.GroupName, o.StreamOption = c.group(), &persistent.GetInfoReq_Options_StreamIdentifier{StreamIdentifier: c.stream()}
		}
		_, err = client.GetInfo(ctx, m)
		return "GetInfo", err
	case 5:
		m := filled(c, &persistent.ReplayParkedReq{})
		if o := m.GetOptions(); o.GetStreamIdentifier() != nil {
			o.GroupName, o.StreamOption = c.group(), &persistent.ReplayParkedReq_Options_StreamIdentifier{StreamIdentifier: c.stream()}
		}
		_, err = client.ReplayParked(ctx, m)
		return "ReplayParked", err
	case 6:
		if c.IntN(10) == 0 {
			_, err = client.RestartSubsystem(ctx, &shared.Empty{})
			return "RestartSubsystem", err
		}
		_, err = client.List(ctx, filled(c, &persistent.ListReq{}))
		return "List", err
	default:
		return "Read", c.groupRead(ctx, client)
	}
}

// groupRead reads for a while, and answers at random.
func (c chance) groupRead(ctx context.Context, client persistent.PersistentSubscriptionsClient) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.IntN(20))*time.Millisecond)
	defer cancel()
	stream, err := client.Read(ctx)
	if err != nil {
		return err
	}
	m := filled(c, &persistent.ReadReq{})
	if c.IntN(4) > 0 {
		o := &persistent.ReadReq_Options{GroupName: c.group(), BufferSize: int32(pick(c, 0, 1, 3, 1<<31-1))}
		o.StreamOption = &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: c.stream()}
		if c.IntN(3) == 0 {
			o.StreamOption = &persistent.ReadReq_Options_All{All: &shared.Empty{}}
		}
		m.Content = &persistent.ReadReq_Options_{Options: o}
	}
	_ = stream.Send(m)
	for range c.IntN(40) {
		last, err := stream.Recv()
		if err != nil {
			return err
		}
		if c.IntN(3) > 0 {
			_ = stream.Send(c.answer(last))
		}
	}
	_ = stream.CloseSend()
	return nil
}

// TestRandomGroupCalls is TestRandomCalls for persistent subscriptions.
func TestRandomGroupCalls(t *testing.T) {
	count := 1600
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		count = 200_000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	store := openSmall(t)
	fill(t, store, 200)
	if _, err := store.Write(within(t), "day-0", eventstore.Any(), eventstore.Event{ID: eventstore.EventID{7}, Type: eventstore.LinkType, Data: []byte("0@day-1"), Binary: true}); err != nil {
		t.Fatalf("write a link: %v", err)
	}
	_, conn := start(t, store, esdbserver.Options{})
	var mu sync.Mutex
	said := map[string]int{}
	before, goroutines := heap(), runtime.NumGoroutine()
	// Several at a time: what one reads, another updates or deletes.
	var callers sync.WaitGroup
	const atATime = 4
	for caller := range uint64(atATime) {
		callers.Go(func() {
			c := chance{rand.New(rand.NewPCG(seed, caller))}
			for n := range count / atATime {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				what, err := c.groupCall(ctx, conn)
				late := ctx.Err() != nil
				cancel()
				code := status.Code(err)
				if code == codes.Internal || code == codes.Unknown || code == codes.Unavailable || late {
					t.Errorf("call %d of caller %d of seed %d, %s: %v", n, caller, seed, what, err)
					return
				}
				mu.Lock()
				said[what+" "+code.String()]++
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	// A group that was read has two goroutines until it is deleted, and all share one.
	eventually(t, "few goroutines are left", func() bool { return runtime.NumGoroutine() <= goroutines+100 })
	if grown := heap() - before; grown > 128<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	for _, what := range []string{
		"Create OK", "Create AlreadyExists", "Create InvalidArgument", "Update OK", "Update NotFound", "Delete OK", "Delete NotFound",
		"GetInfo OK", "ReplayParked OK", "List OK", "Read DeadlineExceeded", "Read NotFound", "Read InvalidArgument", "RestartSubsystem OK",
	} {
		if said[what] == 0 {
			t.Errorf("no call ended as %q: %v", what, said)
		}
	}
}

// FuzzGroupCalls sends bytes that may be no message of the protocol.
func FuzzGroupCalls(f *testing.F) {
	c := chance{rand.New(rand.NewPCG(1, 2))}
	names := []string{"Create", "Update", "Delete", "GetInfo", "ReplayParked", "List", "Read"}
	for n := range 60 {
		m := pick[proto.Message](c, c.createGroup(), c.updateGroup(), filled(c, &persistent.ReadReq{}), filled(c, &persistent.ListReq{}), filled(c, &persistent.ReplayParkedReq{}))
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(n, data)
		f.Add(n, data[:len(data)/2])
	}
	store := openLedger(f)
	_, conn := start(f, store, esdbserver.Options{})
	f.Fuzz(func(t *testing.T, method int, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		path := fmt.Sprintf("/event_store.client.persistent_subscriptions.PersistentSubscriptions/%s", names[uint(method)%uint(len(names))])
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path, grpc.ForceCodec(raw{}))
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.SendMsg(&data)
		_ = stream.CloseSend()
		for err == nil {
			var answer []byte
			err = stream.RecvMsg(&answer)
		}
		if code := status.Code(err); code == codes.Internal && !strings.Contains(err.Error(), "unmarshal") || code == codes.DeadlineExceeded {
			t.Fatalf("%s: %v", path, err)
		}
	})
}
