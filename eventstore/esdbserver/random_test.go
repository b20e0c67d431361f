package esdbserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"daybook/eventstore/esdbserver"
)

// chance fills messages at random, with values that matter more often than with others.
type chance struct{ *rand.Rand }

func pick[T any](c chance, from ...T) T { return from[c.IntN(len(from))] }

func (c chance) text() string {
	return pick(c, "", "day-0", "day-1", "$$day-0", "$", "$$", "$all", "$$$$x", "type", "content-type", "application/json",
		"application/octet-stream", "$metadata", "$>", "$streamDeleted", "reservation.held", "^[^$].*", "((", "(a{9}){9}",
		"0@day-0", "not a uuid", strings.Repeat("s", 600), "Café", c.day(), textID(c))
}

// day is a stream that may be there.
func (c chance) day() string { return fmt.Sprintf("day-%d", c.IntN(60)) }

func textID(c chance) string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", c.IntN(200))
}

func (c chance) number() uint64 {
	return pick(c, 0, 1, 2, 7, 31, 255, math.MaxInt32, math.MaxInt64, math.MaxInt64+1, math.MaxUint64-1, math.MaxUint64, c.Uint64())
}

// fill sets about two of three fields, of each oneof at most one.
func (c chance) fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if o := f.ContainingOneof(); o != nil {
			if c.IntN(8) == 0 || o.Fields().Get(c.IntN(o.Fields().Len())) != f {
				continue
			}
		} else if c.IntN(3) == 0 {
			continue
		}
		switch {
		case f.IsMap():
			for range c.IntN(4) {
				m.Mutable(f).Map().Set(protoreflect.ValueOfString(c.text()).MapKey(), protoreflect.ValueOfString(c.text()))
			}
		case f.IsList():
			for range c.IntN(4) {
				if f.Message() != nil {
					c.fill(m.Mutable(f).List().AppendMutable().Message(), depth-1)
				} else {
					m.Mutable(f).List().Append(c.scalar(f))
				}
			}
		case f.Message() != nil:
			if sub := m.Mutable(f).Message(); depth > 0 {
				c.fill(sub, depth-1)
			}
		default:
			m.Set(f, c.scalar(f))
		}
	}
}

func (c chance) scalar(f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(c.text())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(pick(c, []byte(c.text()), []byte{0xff, 0}, []byte(`{"$maxCount":1}`), []byte(`{"$tb":-1}`), make([]byte, 70_000)))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(c.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(c.IntN(4)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(c.number()))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(c.number()))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(c.number()))
	default:
		return protoreflect.ValueOfUint64(c.number())
	}
}

// filled is a message at random.

func filled[M proto.Message](c chance, m M) M {
	c.fill(m.ProtoReflect(), 6)
	return m
}

func (c chance) appendMessage() *streams.AppendReq {
	m := filled(c, &streams.AppendReq{})
	if p := m.GetProposedMessage(); p != nil && c.IntN(4) > 0 {
		p.Id, p.Metadata = textUUID(textID(c)), map[string]string{"type": c.text(), "content-type": "application/json"}
	}
	if o := m.GetOptions(); o != nil && c.IntN(4) > 0 {
		o.StreamIdentifier = name(c.text())
	}
	return m
}

func (c chance) batchMessage() *streams.BatchAppendReq {
	m := filled(c, &streams.BatchAppendReq{})
	if c.IntN(4) > 0 {
		m.CorrelationId = textUUID(textID(c))
		for _, p := range m.GetProposedMessages() {
			p.Id, p.Metadata = textUUID(textID(c)), map[string]string{"type": "t", "content-type": "application/json"}
		}
		if m.GetOptions() != nil {
			m.Options.StreamIdentifier = name(c.text())
		}
	}
	return m
}

func (c chance) readRequest() *streams.ReadReq {
	m := filled(c, &streams.ReadReq{})
	o := m.GetOptions()
	if o == nil || c.IntN(4) == 0 {
		return m
	}
	if s := o.GetStream(); s != nil {
		s.StreamIdentifier, o.FilterOption = name(c.day()), nil
	}
	if o.FilterOption != nil && c.IntN(2) == 0 {
		o.FilterOption = &streams.ReadReq_Options_Filter{Filter: typePrefix(1+uint32(c.IntN(5)), uint32(c.IntN(3)), c.text(), "t")}
	}
	if o.GetSubscription() != nil {
		o.ReadDirection = streams.ReadReq_Options_Forwards
	}
	return m
}

// call makes one call at random and sees it through; it returns what the server said.
func (c chance) call(ctx context.Context, conn *grpc.ClientConn) (what string, err error) {
	client := streams.NewStreamsClient(conn)
	switch c.IntN(6) {
	case 0:
		stream, err := client.Append(ctx)
		if err != nil {
			return "Append", err
		}
		sound := c.IntN(2) == 0
		for n := range c.IntN(6) {
			m := c.appendMessage()
			if sound && n > 0 {
				m = message(event(c.IntN(1 << 20)))
			}
			switch {
			case n > 0 || c.IntN(4) == 0:
			case c.IntN(2) == 0:
				m = options(c.text())
			default:
				m = options(c.day())
			}
			if stream.Send(m) != nil {
				break
			}
		}
		_, err = stream.CloseAndRecv()
		return "Append", err
	case 1:
		stream, err := client.BatchAppend(ctx)
		if err != nil {
			return "BatchAppend", err
		}
		for range c.IntN(12) {
			if stream.Send(c.batchMessage()) != nil {
				break
			}
		}
		_ = stream.CloseSend()
		for {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return "BatchAppend", nil
			}
			if err != nil {
				return "BatchAppend", err
			}
			if e := m.GetError(); e != nil && codes.Code(e.GetCode()) == codes.Internal {
				return "BatchAppend", status.Error(codes.Internal, e.GetMessage())
			}
		}
	case 2:
		m := filled(c, &streams.DeleteReq{})
		if c.IntN(2) == 0 {
			m = deleteOf(c.day())
		}
		_, err := client.Delete(ctx, m)
		return "Delete", err
	case 3:
		m := filled(c, &streams.TombstoneReq{})
		if c.IntN(8) == 0 {
			m = tombstoneOf(c.day())
		}
		_, err := client.Tombstone(ctx, m)
		return "Tombstone", err
	default:
		stream, err := client.Read(ctx, c.readRequest())
		if err != nil {
			return "Read", err
		}
		for range 100 {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) || m.GetCaughtUp() != nil {
				return "Read", nil
			}
			if err != nil {
				return "Read", err
			}
		}
		return "Read", nil
	}
}

// TestRandomCalls makes calls at random, in the protocol's form but mostly of no sense,
// over a real connection. Each is answered, none with INTERNAL; the server stays, and
// does not grow.
func TestRandomCalls(t *testing.T) {
	count, allowed := 1500, int64(128<<20)
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		count = 200_000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := chance{rand.New(rand.NewPCG(seed, 1))}
	store := openSmall(t)
	_, conn := start(t, store, esdbserver.Options{})
	said := map[string]int{}
	before, goroutines := heap(), runtime.NumGoroutine()
	for n := range count {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		what, err := c.call(ctx, conn)
		cancel()
		code := status.Code(err)
		if code == codes.Internal || code == codes.DeadlineExceeded && ctx.Err() != nil {
			t.Fatalf("call %d of seed %d, %s: %v", n, seed, what, err)
		}
		said[what+" "+code.String()]++
	}
	if _, err := gossip.NewGossipClient(conn).Read(within(t), &shared.Empty{}); err != nil {
		t.Fatalf("gossip after them: %v", err)
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines+8; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before there were %d", runtime.NumGoroutine(), goroutines)
		}
	}
	if grown := heap() - before; grown > allowed {
		t.Errorf("the heap grew by %d MiB, want at most %d", grown>>20, allowed>>20)
	}
	// Calls that are all refused would prove nothing.
	for _, what := range []string{"Append OK", "BatchAppend OK", "Delete OK", "Tombstone OK", "Read OK", "Append InvalidArgument", "Read InvalidArgument"} {
		if said[what] == 0 {
			t.Errorf("no call ended as %q: %v", what, said)
		}
	}
}

// raw sends bytes as they are.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(m any) ([]byte, error) { return *m.(*[]byte), nil }

func (raw) Unmarshal(data []byte, m any) error {
	*m.(*[]byte) = data
	return nil
}

// FuzzCalls sends bytes that may be no message of the protocol.
func FuzzCalls(f *testing.F) {
	for method, m := range []proto.Message{
		request(fromStart()), options("day-1"), batchOf(1, "day-1", anything, true, event(1)), deleteOf("day-1"), tombstoneOf("day-1"),
		subscription(fromStart(), filtered(typePrefix(3, 1, "a"))), message(event(1)),
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(method, data)
		f.Add(method, data[:len(data)/2])
	}
	store := openLedger(f)
	_, conn := start(f, store, esdbserver.Options{})
	names := []string{"Read", "Append", "BatchAppend", "Delete", "Tombstone"}
	f.Fuzz(func(t *testing.T, method int, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		path := "/event_store.client.streams.Streams/" + names[uint(method)%uint(len(names))]
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path, grpc.ForceCodec(raw{}))
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.SendMsg(&data)
		_ = stream.CloseSend()
		for range 100 {
			var answer []byte
			if err = stream.RecvMsg(&answer); err != nil {
				break
			}
			m := &streams.ReadResp{}
			if strings.HasSuffix(path, "Read") && proto.Unmarshal(answer, m) == nil && m.GetCaughtUp() != nil {
				break
			}
		}
		if status.Code(err) == codes.Internal && !strings.Contains(err.Error(), "unmarshal") {
			t.Fatalf("%s: %v", path, err)
		}
		if _, err := store.Head(ctx); err != nil {
			t.Fatal(err)
		}
	})
}
